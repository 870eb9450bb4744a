"""How kvtui finds the API."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from kvtui.backend.kube.discovery import ApiPlace, Kubeconfig, ServiceAccount, find
from kvtui.backend.kube.errors import AccessError, NotConfiguredError, NotWantedError
from kvtui.backend.kube.timing import Backoff
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.settings import KubeSettings
from kvtui.model.source import SourceState, UnavailableReason
from tests import kit
from tests.kit import kube as build_kube
from tests.kube.running_layer import TOKEN

if TYPE_CHECKING:
    from pathlib import Path

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> str:
    """Makes the folder of a pod's service account."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "ca.crt").write_text("PEM")
    return str(folder)


def kubeconfig(path: Path, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    config = {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "u", "user": user or {"token": TOKEN}}],
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
    assert find(KubeSettings(), environ, account) == ServiceAccount("10.96.0.1", "443", account)
    assert find(KubeSettings(), environ, str(tmp_path)) == Kubeconfig(variable, None)  # not in a pod
    assert find(KubeSettings(context="two"), environ, account) == Kubeconfig(
        variable, "two"
    )  # only a file has contexts
    assert find(KubeSettings(), {"HOME": str(tmp_path)}, account) == Kubeconfig(home, None)


def test_an_ipv6_service_address(account: str) -> None:
    environ = {**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}
    assert find(KubeSettings(), environ, account) == ServiceAccount("fd00::1", "443", account)


def test_a_place_survives_the_pipe_as_json(account: str) -> None:
    for place in (Kubeconfig("/a:/b", None), ServiceAccount("10.96.0.1", "443", account)):
        assert msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(place))), ApiPlace) == place


def test_a_missing_api_is_explained(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match=r"^no Kubernetes API is configured here, so mappings are read from"):
        find(KubeSettings(), {"HOME": str(tmp_path)}, str(tmp_path))
    with pytest.raises(NotWantedError, match=r"^not asked"):
        find(KubeSettings(wanted=False), IN_A_POD, str(tmp_path))


@pytest.mark.parametrize(
    ("settings", "environ", "reason"),
    [
        (KubeSettings(), {"HOME": "/nowhere"}, UnavailableReason.ABSENT),
        (KubeSettings(wanted=False), IN_A_POD, UnavailableReason.UNWANTED),
        (KubeSettings(kubeconfig="/nowhere"), {}, None),
    ],
)
async def test_a_missing_or_unwanted_api_has_a_reason_and_a_broken_one_has_none(
    settings: KubeSettings, environ: dict[str, str], reason: UnavailableReason | None
) -> None:
    layer = KubeLayer(settings, lambda: None, environ=environ)
    layer.start()
    await layer.settle(20)
    source = layer.source(None)
    await layer.close()
    assert (source.state, source.reason) == (SourceState.UNAVAILABLE, reason)


def test_a_named_kubeconfig_must_exist(tmp_path: Path) -> None:
    for settings, environ, expected in (
        (KubeSettings(kubeconfig="/nowhere"), {}, "--kubeconfig /nowhere cannot be read: No such file or directory"),
        (KubeSettings(), {"KUBECONFIG": "/nowhere"}, r"\$KUBECONFIG names /nowhere, which does not exist: "),
        (KubeSettings(context="x"), {"HOME": str(tmp_path)}, "--context x needs a kubeconfig, and none is here"),
    ):
        with pytest.raises(AccessError, match=expected):
            find(settings, environ, str(tmp_path))


def test_a_debug_container_uses_the_controllers_account(tmp_path: Path) -> None:
    """An ephemeral container has no token; with SYS_PTRACE it can read the controller's token."""
    folder = tmp_path / "proc" / "800" / "root" / "run" / "secrets" / "kubernetes.io" / "serviceaccount"
    folder.mkdir(parents=True)
    (folder / "token").write_text(TOKEN)
    (folder / "ca.crt").write_text("PEM")
    (tmp_path / "proc" / "800" / "environ").write_bytes(
        b"A=b\0KUBERNETES_SERVICE_HOST=fd00::1\0KUBERNETES_SERVICE_PORT=443\0"
    )
    home, proc = {"HOME": str(tmp_path)}, str(tmp_path / "proc")
    expected = ServiceAccount("fd00::1", "443", str(folder))
    assert find(KubeSettings(), home, str(tmp_path), (7, 800), proc) == expected
    named = ServiceAccount("10.96.0.1", "443", str(folder))
    assert find(KubeSettings(), {**home, **IN_A_POD}, str(tmp_path), (800,), proc) == named
    with pytest.raises(NotConfiguredError):
        find(KubeSettings(), home, str(tmp_path), (7,), proc)


def test_a_symlink_in_another_containers_root_is_not_followed(tmp_path: Path, account: str) -> None:
    """The link would lead to kvtui's own files."""
    (tmp_path / "proc" / "800" / "root" / "run" / "secrets" / "kubernetes.io").mkdir(parents=True)
    (tmp_path / "proc" / "800" / "environ").touch()
    (tmp_path / "proc" / "800" / "root" / "run" / "secrets" / "kubernetes.io" / "serviceaccount").symlink_to(account)
    with pytest.raises(NotConfiguredError):
        find(KubeSettings(), {**IN_A_POD, "HOME": str(tmp_path)}, str(tmp_path), (800,), str(tmp_path / "proc"))


async def test_a_controller_that_starts_later_is_noticed(tmp_path: Path) -> None:
    """No API is configured; then a controller starts on this node."""
    layer = KubeLayer(KubeSettings(), lambda: None, environ={"HOME": str(tmp_path)})
    layer.start()
    try:
        await layer.settle(20)
        assert layer.source(None).reason is UnavailableReason.ABSENT
        layer.notice([kit.keepalived(controller=build_kube.controller())], None)
        await layer.settle(20)
        assert layer.source(None).reason is UnavailableReason.ABSENT  # PID 800 has none
    finally:
        await layer.close()


@pytest.mark.parametrize("configured", [False, True])
def test_the_kubernetes_library_is_not_imported(tmp_path: Path, configured: bool) -> None:
    """Without an API kvtui imports nothing of it; with one, a separate process imports the library."""
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
        "heavy = ('kubernetes', 'urllib3', 'yaml', 'aiohttp', 'kvtui.backend.kube.process')\n"
        "print(*(m for m in heavy if m in sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert run.stdout.split() == (["127.0.0.1:1", "kvtui.backend.kube.process"] if configured else ["no"])


def test_backoff_grows_to_its_limit_with_jitter() -> None:
    for _ in range(50):
        backoff = Backoff(0.5, 8)
        for bound in (0.5, 1, 2, 4, 8, 8, 8):
            assert bound / 2 <= backoff.next() <= bound
        assert backoff.next(at_least=20) == 20
        backoff.reset()
        assert backoff.next() <= 0.5
