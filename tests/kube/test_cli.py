"""Options and environment variables for the API, and the messages about wrong ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.kube import objects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster
    from tests.kube.real import RealCluster

ENV = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "KUBE"))}


def kvtui(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kvtui", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**ENV, **env},
    )


def document(*arguments: str, **env: str) -> dict[str, Any]:
    done = kvtui("--read-only", "-o", "json", *arguments, **env)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def api(found: dict[str, Any]) -> dict[str, Any]:
    """Returns the document's entry about the Kubernetes API."""
    return next(source for source in found["sources"] if source["name"] == "kubernetes")


def test_a_single_call_waits_for_the_first_lists(cluster: FakeCluster | RealCluster, tmp_path: Path) -> None:
    cluster.put(*objects.unmanaged(cluster.namespace))
    path, configmap = str(cluster.kubeconfig(tmp_path / "config")), f"{cluster.namespace}/vip-configmap"
    options = ("--kubeconfig", path, "--configmap", configmap)
    found = document(*options, "mappings", "--listen", "30")
    (mapping,) = found["mappings"]
    assert (mapping["vip"], mapping["service"], mapping["source"]) == ("10.4.0.50", "nginx", "configmap")
    assert api(found)["state"] == "ok"
    by_variable = document("status", "--listen", "30", KVTUI_KUBECONFIG=path, KVTUI_CONFIGMAP=configmap)
    assert [m["vip"] for m in by_variable["mappings"]] == ["10.4.0.50"]


ATTEMPTS = 5
"""kvtui waits a few seconds only. A busy machine may need longer to start the process that reads the API."""


@pytest.mark.parametrize("command", ["mappings", "status"])
def test_listen_0_still_waits_for_the_api(cluster: FakeCluster | RealCluster, tmp_path: Path, command: str) -> None:
    ns = cluster.namespace
    cluster.put(*objects.unmanaged(ns))
    options = ("--kubeconfig", str(cluster.kubeconfig(tmp_path / "config")), "--configmap", f"{ns}/vip-configmap")
    for _ in range(ATTEMPTS):
        found = document(*options, command, "--listen", "0")
        if api(found)["state"] == "ok":
            break
    assert api(found)["state"] == "ok"
    assert [m["service"] for m in found["mappings"]] == ["nginx"]


def test_a_missing_api_is_reported_as_unavailable(tmp_path: Path) -> None:
    no_api = api(document("status", "--listen", "0.1", HOME=str(tmp_path)))
    assert (no_api["state"], no_api["detail"].partition(",")[0]) == (
        "unavailable",
        "no Kubernetes API is configured here",
    )
    unwanted = api(document("--no-kube", "status", "--listen", "0.1", KUBECONFIG="/nowhere"))
    assert unwanted["detail"] == "not asked (--no-kube): mappings are read from keepalived.conf"


def test_a_configmap_without_namespace_is_a_usage_error() -> None:
    done = kvtui("--configmap", "vip-configmap", "status")
    assert done.returncode == 2
    assert "write NAMESPACE/NAME, such as default/vip-configmap" in done.stderr


def test_a_context_can_be_chosen(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    path = str(fake.kubeconfig(tmp_path / "config"))
    found = document("--configmap", "default/vip-configmap", "status", KVTUI_KUBECONFIG=path, KVTUI_CONTEXT="fake")
    assert [m["vip"] for m in found["mappings"]] == ["10.4.0.50"]
    missing = api(document("--kubeconfig", path, "--context", "other", "status", "--listen", "0"))
    assert missing["detail"] == f'{path} has no context "other"; it has: fake'
