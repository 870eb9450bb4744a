"""The ``kubernetes`` library as the single file, image and Debian package contain it: without its typed models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.issuer import Issuer, token
from tests.packaging.conftest import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIB = PROJECT / "build" / "lib"
TOKEN = "t0ken"  # noqa: S105 - not a real one
ENVIRON = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "KUBE", "PYTHON"))}


@pytest.fixture
def command(request: pytest.FixtureRequest, packages: Path) -> list[str]:
    """kvtui with only these libraries: from the single file or from the folder."""
    if getattr(request, "param", "") == "lib":
        program = f"import sys; sys.path.insert(0, {str(LIB)!r}); from kvtui.__main__ import main; main()"
        return [sys.executable, "-I", "-S", "-c", program]
    return [sys.executable, "-I", "-S", str(packages / "kvtui")]


def kubeconfig(fake: FakeCluster, path: Path, user: dict[str, Any]) -> str:
    config = json.loads(fake.kubeconfig(path).read_text())
    config["users"][0]["user"] = user
    path.write_text(json.dumps(config))
    return str(path)


@contextmanager
def watching(command: list[str], path: str) -> Iterator[IO[str]]:
    """Returns the lines of ``kvtui mappings --watch``."""
    options = ["--read-only", "--kubeconfig", path, "--configmap", "default/vip-configmap", "-o", "json"]
    whole = [*command, *options, "mappings", "--watch"]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True, env=ENVIRON) as running:
        assert running.stdout is not None
        yield running.stdout
        running.kill()


def until(lines: IO[str], vips: set[str]) -> None:
    """Reads documents until one has these VIPs and its API source is ok."""
    for line in lines:
        found = json.loads(line)
        state = next(s["state"] for s in found["sources"] if s["name"] == "kubernetes")
        if state == "ok" and {m["vip"] for m in found["mappings"]} == vips:
            return
    pytest.fail("kvtui ended")


def test_the_models_are_left_out(packages: Path) -> None:
    assert (packages / "kvtui").exists()
    assert (LIB / "kubernetes/client/api_client.py").exists()
    assert not (LIB / "kubernetes/client/models").exists()
    assert not list(LIB.glob("aiohttp*"))


@pytest.mark.parametrize("command", ["lib", "single file"], indirect=True)
def test_list_and_watch(command: list[str], tmp_path: Path) -> None:
    with FakeCluster(tls=True, token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        with watching(command, kubeconfig(fake, tmp_path / "config", {"token": TOKEN})) as lines:
            until(lines, {"10.4.0.50"})
            fake.put(objects.configmap({"10.4.0.50": "default/nginx", "10.4.0.51": "default/nginx"}))
            until(lines, {"10.4.0.50", "10.4.0.51"})


def test_an_exec_plugin(command: list[str], tmp_path: Path) -> None:
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": TOKEN}}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o755)
    run = {"apiVersion": answer["apiVersion"], "command": str(plugin), "interactiveMode": "Never"}
    with FakeCluster(token=TOKEN) as fake:
        fake.put(*objects.tutorial())
        with watching(command, kubeconfig(fake, tmp_path / "config", {"exec": run})) as lines:
            until(lines, {"10.4.0.50"})


def test_oidc(command: list[str], tmp_path: Path) -> None:
    fresh = token("jane", 2**31)
    with FakeCluster(tls=True, token=fresh) as fake:
        assert fake.certificate is not None
        fake.put(*objects.tutorial())
        with Issuer(fake.certificate, fresh) as issuer:
            path = kubeconfig(fake, tmp_path / "config", issuer.user(token("jane", 1)))
            with watching(command, path) as lines:
                until(lines, {"10.4.0.50"})
