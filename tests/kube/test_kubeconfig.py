"""What a kubeconfig gives or lacks, as kubectl reads it; no secret is ever told."""

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
from tests.kube.seen import QUICK, TOKEN, seen

if TYPE_CHECKING:
    from kvtui.backend.kube.access import Access

SECRET = "never-to-be-told"  # noqa: S105 - of nobody


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


def test_of_several_files_the_first_current_context_counts(tmp_path: Path) -> None:
    """As with kubectl; what the first file does not have is taken from the others."""
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


def test_impersonation_is_part_of_every_request(tmp_path: Path) -> None:
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


async def test_the_api_sees_who_is_impersonated(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    user = {"token": TOKEN, "as": "jane", "as-groups": ["dev", "ops"]}
    place = Kubeconfig(kubeconfig(tmp_path / "config", user, server=fake.url), None)
    async with seen(fake, tmp_path, place=place) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
    assert fake.headers
    for headers in fake.headers:
        asked = [(k, v) for k, v in headers if k.startswith("Impersonate")]
        assert asked == [("Impersonate-User", "jane"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops")]


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


async def test_a_plugin_that_hangs_is_ended(fake: FakeCluster, tmp_path: Path) -> None:
    path = plugin(tmp_path / "plugin", "sleep 1000")
    place = Kubeconfig(kubeconfig(tmp_path / "config", _exec(path)), None)
    timing = QUICK.__class__(first=5, longest=5, plugin=0.5)
    async with seen(fake, tmp_path, place=place, timing=timing) as here:
        detail = here.layer.source(here.layer.kube(time.time())).detail
        assert detail.endswith("gave no credentials within 0.5 s: its plugin hangs")
    assert not [p for p in psutil.process_iter(["cmdline"]) if path in (p.info["cmdline"] or [])]


def _broken(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Name → (content of the file, what is said after its path)."""
    talker = plugin(tmp_path / "talker", f"echo {SECRET}; echo {SECRET} >&2; exit 7")
    whole = json.loads((tmp_path / "whole").read_text())

    def user(fields: dict[str, Any]) -> str:
        return json.dumps({**whole, "users": [{"name": "u", "user": fields}]})

    hint = "try `kubectl get nodes` with the same kubeconfig to see why"
    return {
        "empty": ("", "is no usable kubeconfig"),
        "yaml": (f"a: [{SECRET}\nb: }}", "is no YAML, line 2"),
        "list": ("[1]", "is no kubeconfig: it has not the fields of one"),
        "nothing": ("{}", "has no current context: choose one with --context (none)"),
        "context": (json.dumps({**whole, "current-context": "three"}), 'has no context "three"; it has: one, two'),
        "cluster": (json.dumps({**whole, "clusters": []}), 'is no usable kubeconfig: clusters has no "c"'),
        "failing": (user(_exec(talker)), f"the exec plugin of %s ended with status 7: {hint}"),
        "absent": (user(_exec("no-such-plugin")), f"the exec plugin of %s is not installed (no-such-plugin): {hint}"),
        "file": (user({"tokenFile": "/nowhere"}), "%s: /nowhere cannot be read: No such file or directory"),
    }


def test_what_is_wrong_with_a_kubeconfig_is_one_sentence_without_secrets(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "whole")
    for name, (content, expected) in _broken(tmp_path).items():
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(AccessError) as told:
            loaded(str(path))
        sentence = str(told.value)
        assert sentence == (expected % path if "%s" in expected else f"{path} {expected}"), name
        assert SECRET not in sentence


async def test_the_sentence_comes_from_the_process(fake: FakeCluster, tmp_path: Path) -> None:
    place = Kubeconfig(kubeconfig(tmp_path / "config"), "three")
    async with seen(fake, tmp_path, place=place) as here:
        assert here.source.detail.endswith('config has no context "three"; it has: one, two')


async def test_a_module_in_the_operators_folder_is_not_run(
    fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kubernetes.py").write_text("raise SystemExit('run')\n")
    monkeypatch.chdir(tmp_path)
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        assert here.layer.pid is not None
        assert TOKEN not in _visible(here.layer.pid)


def _visible(pid: int) -> str:
    """What other processes of the same user see."""
    return "".join(Path(f"/proc/{pid}/{name}").read_text() for name in ("cmdline", "environ"))
