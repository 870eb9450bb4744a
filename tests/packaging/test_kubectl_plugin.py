"""`kubectl kvtui`; a program that replaces kubectl runs here what kubectl would run in a pod."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[2] / "packaging" / "kubectl" / "kubectl-kvtui"
KUBECTL = """#!/bin/sh
echo "$*" >> {folder}/calls
[ "$1" = --context ] && shift 2
if [ "$1" = get ]; then cat {folder}/pods; exit; fi
if [ "$1" = debug ]; then
  for word in "$@"; do case $word in --custom=*) cat "${{word#*=}}" > {folder}/profile;; esac; done; exit 7
fi
pod=$5
while [ "$1" != -- ]; do shift; done
shift 2
[ "$1" = -j ] && {{ echo '[{{"addr_info": [{{"local": "10.4.0.60"}}]}}]'; exit; }}
[ "$2 $1" = "vips --read-only" ] && {{ cat {folder}/$pod; exit; }}
[ "$1" = --read-only ] && [ "$2" != status ] && {{ echo "$pod: kvtui $*"; exit; }}
exec {python} -m kvtui --demo "$@"
"""


def pod(name: str, node: str, container: str = "kvtui") -> dict[str, Any]:
    """Returns the pod as the API returns it."""
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
    """Runs the plugin."""
    argv = [sys.executable, str(PLUGIN), *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("name", "pod"), [("node-a", "pod-a"), ("pod-a", "pod-a"), ("10.4.0.50", "pod-b")], ids=["node", "pod", "VIP"]
)
def test_it_finds_the_pod_and_is_read_only(cluster: dict[str, str], name: str, pod: str) -> None:
    assert plugin(cluster, name, "triage").stdout == f"{pod}: kvtui --read-only triage\n"


def test_an_unknown_node_is_reported_with_the_known_ones(cluster: dict[str, str]) -> None:
    assert "name a node (node-a, node-b), a pod or a VIP; node-z is none of these" in plugin(cluster, "node-z").stderr
    assert "no node holds 10.9.9.9" in plugin(cluster, "10.9.9.9").stderr


def calls(env: dict[str, str]) -> list[str]:
    """Returns the arguments of kubectl's calls, without its own temporary files."""
    text = (Path(env["PATH"].split(":")[0]) / "calls").read_text()
    return [re.sub(r"--custom=\S+", "--custom=FILE", line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("name", "asked", "profile"),
    [
        (
            "node-b",
            "debug -n lb pod-b --target=keepalived {how} --profile general -- kvtui --read-only triage",
            "container",
        ),
        (
            "10.4.0.60",
            "debug -n lb pod-a --target=keepalived {how} --profile general -- kvtui --read-only triage",
            "container",
        ),
        ("node-z", "debug -n lb node/node-z {how} --profile sysadmin -- kvtui --read-only triage", "node"),
    ],
    ids=["node", "VIP", "node without a pod"],
)
def test_a_debug_container_has_the_profile_that_it_needs(
    cluster: dict[str, str], name: str, asked: str, profile: str
) -> None:
    done = plugin(cluster, "--context", "prod", "-n", "lb", "--debug-image", "reg/kvtui:1", name, "triage")
    assert done.returncode == 7, done.stderr  # kubectl's exit code
    first, *_, last = calls(cluster)
    assert first == "--context prod get pods -n lb -o json"
    assert last == "--context prod " + asked.format(how="-i --image=reg/kvtui:1 --custom=FILE")
    made = json.loads((Path(cluster["PATH"].split(":")[0]) / "profile").read_text())
    assert made == json.loads((PLUGIN.parents[1] / f"kubernetes/debug/{profile}.json").read_text())


def test_a_terminals_variables_are_passed_on(cluster: dict[str, str]) -> None:
    argv = [sys.executable, str(PLUGIN), "-n", "lb", "node-a", "--version"]
    ours, theirs = pty.openpty()
    env = {**cluster, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    subprocess.run(argv, env=env, stdin=theirs, stdout=theirs, timeout=300, check=True)
    os.close(ours)
    os.close(theirs)
    assert calls(cluster)[-1] == (
        "exec -i -n lb pod-a -c kvtui -t -- kvtui --terminal xterm-256color,truecolor --read-only --version"
    )


@pytest.mark.long
def test_the_cluster_from_a_laptop(cluster: dict[str, str]) -> None:
    done = plugin(cluster, "cluster", "-o", "json")
    assert done.returncode == 0, done.stderr
    nodes = json.loads(done.stdout)["nodes"]
    assert [(n["name"], n["state"], n["host_name"]) for n in nodes if n["state"] == "live"] == [
        ("node-a", "live", "node-c"),
        ("node-b", "live", "node-c"),
    ]
