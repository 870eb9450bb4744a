"""kvtui in pods, reached by the official client over the real WebSocket protocol."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.backend.remote import reach
from kvtui.backend.remote.command import run_command
from kvtui.cluster_observer import ClusterObserver
from kvtui.model.cluster import NodeState
from kvtui.model.settings import ClusterSettings

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.cluster import ClusterView
    from tests.kube.cluster import FakeCluster

REPORT = '{"schema": 1, "node": {"name": "n"}, "comparison": {"kvtui": "9"}}'


def pods(fake: FakeCluster, tmp_path: Path, script: str, *hosts: str) -> ClusterSettings:
    """Settings for these hosts; kvtui in each pod is that shell script."""
    for name in ("vip-a", "vip-b"):
        fake.put(
            {"kind": "Pod", "metadata": {"name": name, "namespace": "lb"}, "spec": {"containers": [{"name": "kvtui"}]}}
        )
    program = tmp_path / "kvtui"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    kubeconfig = str(fake.kubeconfig(tmp_path / "config", token=f"token of {tmp_path.name}"))
    return ClusterSettings(hosts, command=str(program), kubeconfig=kubeconfig)


async def _view(settings: ClusterSettings) -> ClusterView:
    observer = ClusterObserver(settings)
    observer.start()
    try:
        async with asyncio.timeout(120):
            view = observer.view()
            while any(n.state is NodeState.CONNECTING for n in view.nodes):
                await observer.changed.wait()
                observer.changed.clear()
                view = observer.view()
            return view
    finally:
        await observer.close()


def test_pods_are_nodes_and_one_that_is_gone_says_so(fake: FakeCluster, tmp_path: Path) -> None:
    settings = pods(fake, tmp_path, f"echo '{REPORT}'; exec sleep 600", "pod/lb/vip-a", "pod/lb/gone")
    good, gone = asyncio.run(_view(settings)).nodes
    assert (good.name, good.state) == ("pod/lb/vip-a", NodeState.LIVE)
    assert gone.state is NodeState.FAILED
    assert "exec into pod lb/gone (container kvtui): Handshake status 404" in gone.detail


def test_a_command_has_its_words_its_output_and_its_exit_code(fake: FakeCluster, tmp_path: Path) -> None:
    settings = pods(fake, tmp_path, 'printf \'{"words": "%s"}\' "$2"; exit 3', "pod/lb/vip-a")
    answer = asyncio.run(run_command(settings, "pod/lb/vip-a", ("drain", "a b")))
    assert (answer.code, answer.document) == (3, {"words": "a b"})


def test_a_persons_terminal_goes_through_kubectl() -> None:
    settings = ClusterSettings(kubeconfig="/k", context="c")
    argv = reach.argv(settings, "pod/lb/vip-a/side", (), terminal=True)
    assert argv == [
        "kubectl", "--kubeconfig=/k", "--context=c", "exec", "-it", "-n", "lb", "vip-a", "-c", "side", "--", "kvtui",
    ]  # fmt: skip
