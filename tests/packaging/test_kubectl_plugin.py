"""`kubectl kvtui`, with a program in place of kubectl that runs what it is to run in a pod."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[2] / "packaging" / "kubectl" / "kubectl-kvtui"
KUBECTL = """#!/bin/sh
if [ "$1" = get ]; then cat {folder}/pods; exit; fi
pod=$5
while [ "$1" != -- ]; do shift; done
shift 2
[ "$2 $1" = "vips --read-only" ] && {{ cat {folder}/$pod; exit; }}
[ "$1" = --read-only ] && [ "$2" != status ] && {{ echo "$pod: kvtui $*"; exit; }}
exec {python} -m kvtui --demo "$@"
"""


def pod(name: str, node: str, container: str = "kvtui") -> dict[str, Any]:
    """As the API has it."""
    return {
        "metadata": {"name": name, "namespace": "lb"},
        "spec": {"nodeName": node, "containers": [{"name": "keepalived"}, {"name": container}]},
    }


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """An environment with such a kubectl, and two pods with kvtui; pod-b holds the VIP."""
    pods = [pod("pod-a", "node-a"), pod("pod-b", "node-b"), pod("other", "node-c", "web")]
    (tmp_path / "pods").write_text(json.dumps({"items": pods}))
    for name, present in (("pod-a", False), ("pod-b", True)):
        (tmp_path / name).write_text(json.dumps({"vips": [{"address": "10.4.0.50", "present": present}]}))
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(KUBECTL.format(folder=tmp_path, python=sys.executable))
    kubectl.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


def plugin(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it."""
    argv = [sys.executable, str(PLUGIN), *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("name", "pod"), [("node-a", "pod-a"), ("pod-a", "pod-a"), ("10.4.0.50", "pod-b")], ids=["node", "pod", "VIP"]
)
def test_it_finds_the_pod_and_is_read_only(cluster: dict[str, str], name: str, pod: str) -> None:
    assert plugin(cluster, name, "triage").stdout == f"{pod}: kvtui --read-only triage\n"


def test_it_says_what_it_knows_when_there_is_no_such_node(cluster: dict[str, str]) -> None:
    assert "name a node (node-a, node-b), a pod or a VIP; node-z is none of these" in plugin(cluster, "node-z").stderr
    assert "no node holds 10.9.9.9" in plugin(cluster, "10.9.9.9").stderr


@pytest.mark.long
def test_the_cluster_from_a_laptop(cluster: dict[str, str]) -> None:
    done = plugin(cluster, "cluster", "-o", "json")
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["nodes"]
    assert [(n["name"], n["state"], n["host_name"]) for n in nodes if not n["is_self"]] == [
        ("node-a", "live", "node-c"),
        ("node-b", "live", "node-c"),
    ]
