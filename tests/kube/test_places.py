"""Where the API is looked for, and what a kubeconfig gives or lacks; no secret is ever told."""

from __future__ import annotations

import base64
import json
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kvtui.backend.kube import kubeconfig_child
from kvtui.backend.kube.errors import BadAccess, NotConfigured, NotWanted
from kvtui.backend.kube.kubeconfig import load
from kvtui.backend.kube.places import Kubeconfig, ServiceAccount, find
from kvtui.backend.kube.timing import Backoff, Timing
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState, UnavailableReason
from tests.kube.cluster import FakeCluster
from tests.kube.seen import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
SECRET = "never-to-be-told"  # noqa: S105 - of nobody


@pytest.fixture
def account(tmp_path: Path) -> str:
    """A pod's service account."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "ca.crt").write_text("PEM")
    return str(folder)


def kubeconfig(path: Path, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    config = {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user or {"token": SECRET}}],
        "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")],
    }
    path.write_text(json.dumps(config))
    return str(path)


def test_the_order_is_option_pod_variable_home(tmp_path: Path, account: str) -> None:
    option, variable = kubeconfig(tmp_path / "option"), kubeconfig(tmp_path / "variable")
    (tmp_path / ".kube").mkdir()
    home = kubeconfig(tmp_path / ".kube" / "config")
    environ = {**IN_A_POD, "KUBECONFIG": f"{tmp_path}/missing:{variable}", "HOME": str(tmp_path)}
    assert find(KubeSettings(kubeconfig=option, context="two"), environ, account) == Kubeconfig(option, "two")
    assert find(KubeSettings(), environ, account) == ServiceAccount("https://10.96.0.1:443", account)
    assert find(KubeSettings(), environ, str(tmp_path)) == Kubeconfig(variable, None)  # not in a pod
    assert find(KubeSettings(context="two"), environ, account) == Kubeconfig(
        variable, "two"
    )  # only a file has contexts
    assert find(KubeSettings(), {"HOME": str(tmp_path)}, account) == Kubeconfig(home, None)


def test_an_ipv6_service_is_a_url(account: str) -> None:
    environ = {**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert find(KubeSettings(), environ, account) == ServiceAccount("https://[fd00::1]:443", account)


def test_no_api_is_a_calm_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match=r"^no Kubernetes API is configured here, so mappings are read from"):
        find(KubeSettings(), {"HOME": str(tmp_path)}, str(tmp_path))
    with pytest.raises(NotWanted, match=r"^not asked"):
        find(KubeSettings(wanted=False), IN_A_POD, str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "environ", "lack"),
    [
        (KubeSettings(), {"HOME": "/nowhere"}, UnavailableReason.ABSENT),
        (KubeSettings(wanted=False), IN_A_POD, UnavailableReason.UNWANTED),
        (KubeSettings(kubeconfig="/nowhere"), {}, None),
    ],
)
async def test_an_api_that_nobody_expects_is_told_from_one_that_cannot_be_used(
    settings: KubeSettings, environ: dict[str, str], lack: UnavailableReason | None
) -> None:
    layer = KubeLayer(settings, lambda: None, environ=environ)
    layer.start()
    await layer.settle(20)
    source = layer.source(None)
    await layer.close()
    assert (source.state, source.reason) == (SourceState.UNAVAILABLE, lack)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    for settings, environ, expected in (
        (KubeSettings(kubeconfig="/nowhere"), {}, "--kubeconfig /nowhere cannot be read: No such file or directory"),
        (KubeSettings(), {"KUBECONFIG": "/nowhere"}, r"\$KUBECONFIG names /nowhere, which is not there: "),
        (KubeSettings(context="x"), {"HOME": str(tmp_path)}, "--context x needs a kubeconfig, and none is here"),
    ):
        with pytest.raises(BadAccess, match=expected):
            find(settings, environ, str(tmp_path))


async def test_the_librarys_reading_of_a_kubeconfig_with_files_and_data(tmp_path: Path) -> None:
    with FakeCluster(tls=True) as fake:
        assert fake.certificate is not None
        pem, key = fake.certificate.read_text(), fake.certificate.with_suffix(".key").read_text()
    (tmp_path / "ca.pem").write_text(pem)
    user = {
        "client-certificate-data": base64.b64encode(pem.encode()).decode(),
        "client-key-data": base64.b64encode(key.encode()).decode(),
    }
    extra = {"certificate-authority": "ca.pem", "tls-server-name": "kubernetes", "proxy-url": "http://10.0.0.9:3128"}
    path = kubeconfig(tmp_path / "config", user, **extra)
    found = await load(Kubeconfig(path, "two"))
    assert (found.server, found.ca, found.certificate, found.key) == ("https://10.0.0.1:6443", pem, pem, key)
    assert (found.server_name, found.proxy, found.verify) == ("kubernetes", "http://10.0.0.9:3128", True)
    assert found.authorization is None
    assert found.tls() is not None
    assert key not in repr(found)
    assert found.origin == f"kubeconfig {path} (context two)"


async def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    status = {"token": SECRET}
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(plugin.stat().st_mode | stat.S_IXUSR)
    found = await load(Kubeconfig(kubeconfig(tmp_path / "config", _exec(str(plugin))), None))
    assert found.authorization == f"Bearer {SECRET}"
    assert SECRET not in repr(found)


def _exec(command: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}}


async def test_a_plugin_that_hangs_is_ended(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\nsleep 1000\n")
    plugin.chmod(0o755)
    with pytest.raises(BadAccess, match="gave no credentials within 2 s: its plugin hangs"):
        await load(Kubeconfig(kubeconfig(tmp_path / "config", _exec(str(plugin))), None), timeout=2)
    assert str(plugin) not in "".join(" ".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"]))


def _broken(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Name → (content of the file, what is said after its path)."""
    talker = tmp_path / "talker"
    talker.write_text(f"#!/bin/sh\necho {SECRET}; echo {SECRET} >&2; exit 7\n")
    talker.chmod(0o755)
    whole = json.loads((tmp_path / "whole").read_text())

    def user(fields: dict[str, Any]) -> str:
        return json.dumps({**whole, "users": [{"name": "u", "user": fields}]})

    hint = "try `kubectl get nodes` with the same kubeconfig to see why"
    return {
        "empty": ("", "is no usable kubeconfig"),
        "yaml": (f"a: [{SECRET}\nb: }}", "is no YAML, line 2"),
        "list": ("[1]", "is no kubeconfig: it has not the fields of one"),
        "nothing": ("{}", "has no current context: choose one with --context (none)"),
        "context": (
            json.dumps({**whole, "current-context": "three"}),
            "has no context «three»; it has: one, two",
        ),
        "cluster": (json.dumps({**whole, "clusters": []}), "is no usable kubeconfig: clusters has no «c»"),
        "failing": (user(_exec(str(talker))), f"the exec plugin of %s ended with status 7: {hint}"),
        "absent": (user(_exec("no-such-plugin")), f"the exec plugin of %s is not installed (no-such-plugin): {hint}"),
        "file": (user({"tokenFile": "/nowhere"}), "%s: /nowhere cannot be read: No such file or directory"),
    }


def test_what_is_wrong_with_a_kubeconfig_is_one_sentence_without_secrets(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "whole")
    for name, (content, expected) in _broken(tmp_path).items():
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(kubeconfig_child.Trouble) as told:  # here: a process each would take seconds
            kubeconfig_child.read(str(path), None, str(tmp_path))
        sentence = str(told.value)
        assert sentence == (expected % path if "%s" in expected else f"{path} {expected}"), name
        assert SECRET not in sentence


async def test_the_reader_process_passes_the_sentence_on(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    with pytest.raises(BadAccess, match=r"config has no context «three»; it has: one, two$"):
        await load(Kubeconfig(path, "three"))


async def test_a_module_in_the_operators_folder_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubernetes.py").write_text("raise SystemExit('run')\n")
    monkeypatch.chdir(tmp_path)
    assert (await load(Kubeconfig(kubeconfig(tmp_path / "config"), None))).authorization == f"Bearer {SECRET}"


@pytest.mark.parametrize("configured", [False, True])
def test_nothing_heavy_is_imported(tmp_path: Path, configured: bool) -> None:
    """Without an API not even kvtui's own client; with one, still not the library, which runs beside."""
    options = ""
    if configured:
        path = kubeconfig(tmp_path / "config", server="http://127.0.0.1:1")
        options = f"kubeconfig={path!r}"
    program = (
        "import asyncio, sys, time\n"
        "from kvtui.backend.node.kube_layer import KubeLayer\n"
        "from kvtui.model.settings import KubeSettings\n"
        "async def main():\n"
        f"    layer = KubeLayer(KubeSettings({options}), lambda: None, environ={{'HOME': '/nowhere'}})\n"
        "    layer.start()\n"
        "    await layer.settle(30)\n"
        "    print(layer.source(layer.kube(time.time())).detail.partition(' ')[0])\n"
        "    await layer.close()\n"
        "asyncio.run(main())\n"
        "print(*(m for m in ('kubernetes', 'yaml', 'aiohttp', 'kvtui.backend.kube.watch') if m in sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.split() == (["127.0.0.1:1", "kvtui.backend.kube.watch"] if configured else ["no"])


def test_pauses_grow_to_their_bound_and_never_fall_in_step() -> None:
    for _ in range(50):
        backoff = Backoff(Timing(first=0.5, longest=8))
        for bound in (0.5, 1, 2, 4, 8, 8, 8):
            assert bound / 2 <= backoff.next() <= bound
        assert backoff.next(atleast=20) == 20
        backoff.reset()
        assert backoff.next() <= 0.5
