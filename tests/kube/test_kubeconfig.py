"""kvtui reads a kubeconfig as kubectl does, and no message contains a secret."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kvtui.backend.kube.access import load
from kvtui.backend.kube.discovery import Kubeconfig
from kvtui.backend.kube.errors import AccessError
from kvtui.model.source import SourceState
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.issuer import Issuer, token
from tests.kube.running_layer import QUICK_TIMING, TOKEN, running_layer

if TYPE_CHECKING:
    from kvtui.backend.kube.access import Access

SECRET = "must-not-be-printed"  # noqa: S105 - not a real secret


def kubeconfig(path: Path, user: dict[str, Any] | None = None, current: str = "one", **cluster: Any) -> str:
    config = {
        "current-context": current,
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user or {"token": SECRET}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")],
    }
    path.write_text(json.dumps(config))
    return str(path)


def loaded(path: str, context: str | None = None) -> Access:
    return load(Kubeconfig(path, context))


def test_certificates_and_keys_from_files_and_data(tmp_path: Path) -> None:
    with FakeCluster(tls=True) as fake:
        assert fake.certificate is not None
        pem, key = fake.certificate.read_text(), fake.certificate.with_suffix(".key").read_text()
    (tmp_path / "ca.pem").write_text(pem)
    user = {
        "client-certificate-data": base64.b64encode(pem.encode()).decode(),
        "client-key-data": base64.b64encode(key.encode()).decode(),
    }
    path = kubeconfig(tmp_path / "config", user, **{"certificate-authority": "ca.pem", "tls-server-name": "kubernetes"})
    found = loaded(path, "two")
    chosen = found.client.configuration
    assert (found.server, Path(chosen.ssl_ca_cert).read_text()) == ("https://10.0.0.1:6443", pem)
    assert (Path(chosen.cert_file).read_text(), Path(chosen.key_file).read_text()) == (pem, key)
    assert all(Path(f).is_relative_to("/proc/self/fd") for f in (chosen.cert_file, chosen.key_file))  # on no disk
    assert (chosen.tls_server_name, chosen.verify_ssl) == ("kubernetes", True)
    assert found.authorization() is None
    assert found.origin == f"kubeconfig {path} (context two)"
    assert key not in repr(found)


def test_the_first_current_context_of_several_files_is_used(tmp_path: Path) -> None:
    """As with kubectl: fields that the first file lacks come from the others."""
    first = kubeconfig(tmp_path / "a", {"token": "first"}, current="")
    second = kubeconfig(tmp_path / "b", {"token": "second"}, current="two", server="https://10.0.0.2")
    third = kubeconfig(tmp_path / "c", {"token": "third"}, current="nowhere")
    found = loaded(f"{first}:{second}:{third}")
    assert (found.server, found.authorization()) == ("https://10.0.0.1:6443", "Bearer first")
    only = json.loads(Path(second).read_text())
    only["clusters"][0]["name"] = only["contexts"][1]["context"]["cluster"] = "other"
    only["contexts"][1]["name"] = only["current-context"] = "three"
    Path(second).write_text(json.dumps(only))
    assert loaded(f"{first}:{second}:{third}").server == "https://10.0.0.2"


def test_every_request_has_the_impersonation_headers(tmp_path: Path) -> None:
    user = {
        "token": SECRET,
        "as": "jane",
        "as-uid": "42",
        "as-groups": ["dev", "ops"],
        "as-user-extra": {"Scopes/Of": ["view", "edit"]},
    }
    headers = loaded(kubeconfig(tmp_path / "config", user)).headers
    assert headers.getlist("Impersonate-User") == ["jane"]
    assert headers.getlist("Impersonate-Uid") == ["42"]
    assert headers.getlist("Impersonate-Group") == ["dev", "ops"]
    assert headers.getlist("Impersonate-Extra-scopes%2Fof") == ["view", "edit"]
    with pytest.raises(AccessError, match=r"set `as`$"):
        loaded(kubeconfig(tmp_path / "config", {"token": SECRET, "as-groups": ["dev"]}))


async def test_the_api_receives_the_impersonation_headers(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    user = {"token": TOKEN, "as": "jane", "as-groups": ["dev", "ops"]}
    place = Kubeconfig(kubeconfig(tmp_path / "config", user, server=fake.url), None)
    async with running_layer(fake, tmp_path, place=place) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
    assert fake.headers
    for headers in fake.headers:
        impersonated = [(k, v) for k, v in headers if k.startswith("Impersonate")]
        assert impersonated == [
            ("Impersonate-User", "jane"),
            ("Impersonate-Group", "dev"),
            ("Impersonate-Group", "ops"),
        ]


def _exec(command: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}}


def plugin(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": SECRET},
    }
    path = plugin(tmp_path / "plugin", f"echo '{json.dumps(answer)}'")
    found = loaded(kubeconfig(tmp_path / "config", _exec(path)))
    assert found.authorization() == f"Bearer {SECRET}"
    assert SECRET not in repr(found)


def test_an_expired_oidc_token_is_refreshed(tmp_path: Path) -> None:
    fresh = token("jane", 2**31)
    with FakeCluster(tls=True) as fake:
        assert fake.certificate is not None
        with Issuer(fake.certificate, fresh) as issuer:
            found = loaded(kubeconfig(tmp_path / "config", issuer.user(token("jane", 1))))
    assert found.authorization() == f"Bearer {fresh}"


async def test_an_exec_plugin_that_hangs_is_killed(fake: FakeCluster, tmp_path: Path) -> None:
    path = plugin(tmp_path / "plugin", "sleep 1000")
    place = Kubeconfig(kubeconfig(tmp_path / "config", _exec(path)), None)
    timing = QUICK_TIMING.__class__(first_pause=5, max_pause=5, plugin=0.5)
    async with running_layer(fake, tmp_path, place=place, timing=timing) as running:
        detail = running.layer.source(running.layer.kube(time.time())).detail
        assert detail.endswith("gave no credentials within 0.5 s: its plugin hangs")
    assert not [p for p in psutil.process_iter(["cmdline"]) if path in (p.info["cmdline"] or [])]


def _broken(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Returns name → (content of the file, message after its path)."""
    failing = plugin(tmp_path / "failing-plugin", f"echo {SECRET}; echo {SECRET} >&2; exit 7")
    whole = json.loads((tmp_path / "whole").read_text())

    def user(fields: dict[str, Any]) -> str:
        return json.dumps({**whole, "users": [{"name": "u", "user": fields}]})

    hint = "try `kubectl get nodes` with the same kubeconfig to see why"
    return {
        "empty": ("", "is not a usable kubeconfig"),
        "yaml": (f"a: [{SECRET}\nb: }}", "is not valid YAML, line 2"),
        "list": ("[1]", "is not a kubeconfig: required fields are missing"),
        "nothing": ("{}", "has no current context: choose one with --context (none)"),
        "context": (json.dumps({**whole, "current-context": "three"}), 'has no context "three"; it has: one, two'),
        "cluster": (json.dumps({**whole, "clusters": []}), 'is not a usable kubeconfig: clusters has no "c"'),
        "failing": (user(_exec(failing)), f"the exec plugin of %s ended with status 7: {hint}"),
        "absent": (user(_exec("no-such-plugin")), f"the exec plugin of %s is not installed (no-such-plugin): {hint}"),
        "file": (user({"tokenFile": "/nowhere"}), "%s: /nowhere cannot be read: No such file or directory"),
    }


def test_a_broken_kubeconfig_is_reported_in_one_sentence_without_secrets(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "whole")
    for name, (content, expected) in _broken(tmp_path).items():
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(AccessError) as raised:
            loaded(str(path))
        message = str(raised.value)
        assert message == (expected % path if "%s" in expected else f"{path} {expected}"), name
        assert SECRET not in message


async def test_the_message_comes_from_the_api_process(fake: FakeCluster, tmp_path: Path) -> None:
    place = Kubeconfig(kubeconfig(tmp_path / "config"), "three")
    async with running_layer(fake, tmp_path, place=place) as running:
        assert running.source.detail.endswith('config has no context "three"; it has: one, two')


async def test_a_module_in_the_working_directory_is_not_imported(
    fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kubernetes.py").write_text("raise SystemExit('run')\n")
    monkeypatch.chdir(tmp_path)
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        assert running.layer.pid is not None
        assert TOKEN not in _visible(running.layer.pid)


def _visible(pid: int) -> str:
    """Returns what other processes of the same user can read of a process."""
    return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ"))
