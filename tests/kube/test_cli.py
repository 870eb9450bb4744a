"""The command and the API: options, their variables, and what a person reads when something is wrong with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.kube import objects

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster

ENV = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "KUBE"))}


def kvtui(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kvtui", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**ENV, **env},
    )


def document(*arguments: str, **env: str) -> dict[str, Any]:
    done = kvtui("--read-only", "-o", "json", *arguments, **env)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_single_call_waits_for_the_first_lists(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    path = str(fake.kubeconfig(tmp_path / "config"))
    options = ("--kubeconfig", path, "--context", "fake", "--configmap", "default/vip-configmap")
    found = document(*options, "mappings", "--listen", "30")
    (mapping,) = found["mappings"]
    assert (mapping["vip"], mapping["service"], mapping["source"]) == ("10.4.0.50", "nginx", "configmap")
    assert found["sources"][-1]["state"] == "ok"
    by_variable = document(
        "status", "--listen", "30", KVTUI_KUBECONFIG=path, KVTUI_CONTEXT="fake", KVTUI_CONFIGMAP="default/vip-configmap"
    )
    assert [m["vip"] for m in by_variable["mappings"]] == ["10.4.0.50"]


def test_without_an_api_it_says_so_calmly(tmp_path: Path) -> None:
    calm = document("status", "--listen", "0.1", HOME=str(tmp_path))["sources"][-1]
    assert (calm["state"], calm["detail"].partition(",")[0]) == (
        "unavailable",
        "no Kubernetes API is configured here",
    )
    asked_not_to = document("--no-kube", "status", "--listen", "0.1", KUBECONFIG="/nowhere")["sources"][-1]
    assert asked_not_to["detail"] == "not asked (--no-kube): mappings are read from keepalived.conf"


def test_a_name_that_is_none_is_a_usage_error() -> None:
    done = kvtui("--configmap", "vip-configmap", "status")
    assert done.returncode == 2
    assert "write NAMESPACE/NAME, such as default/vip-configmap" in done.stderr
