"""``kvtui render`` reads an API over HTTP and prints the golden config byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.kube import objects
from tests.shared import shared_path

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.cluster import FakeCluster

ENV = {k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")}


def test_the_config_is_rendered_from_the_api(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(
        objects.configmap({"10.4.0.50": "default/echoheaders"}),
        objects.service("echoheaders", ports=((80, 8080),)),
        objects.endpointslice(
            "echoheaders",
            objects.endpoint("10.2.68.6", "echo-2"),
            objects.endpoint("10.2.68.7", "echo-3", ready=False),
            objects.endpoint("10.2.68.5", "echo-1"),
            port=8080,
        ),
        objects.node("node-a", "10.4.0.3"),
        objects.node("node-b", "10.4.0.4"),
    )
    path = str(fake.kubeconfig(tmp_path / "config"))
    options = ("--kubeconfig", path, "--configmap", "default/vip-configmap", "render", "--node", "node-a")

    def kvtui(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kvtui", *options, *more],
            capture_output=True, text=True, check=False, timeout=300, env=ENV,
        )  # fmt: skip

    done = kvtui("--iface", "eth0", "--dialect", "aledbf")
    assert (done.returncode, done.stdout) == (0, shared_path("confs", "golden-aledbf-nat.conf").read_text()), (
        done.stderr
    )
    fake.forbid("endpointslices")
    done = kvtui("--iface", "eth0", "--wait", "1")
    assert (done.returncode, done.stdout) == (3, "")
    assert "unknown: the endpoints were not read" in done.stderr
