"""kvtui runs in pods; the official client reaches it over the real WebSocket protocol."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.backend.remote import reach
from kvtui.backend.remote.command import HeldCommands, run_command
from kvtui.backend.remote.hold import HELD, PLANNED
from kvtui.cluster_observer import ClusterObserver
from kvtui.model.cluster import NodeState
from kvtui.model.settings import ClusterSettings
from tests.lab.poll import poll

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.backend.remote.command import Answer
    from kvtui.model.cluster import ClusterView
    from tests.kube.cluster import FakeCluster

REPORT = '{"schema": 1, "node": {"name": "n"}, "comparison": {"kvtui": "9"}}'


def pods(fake: FakeCluster, tmp_path: Path, script: str, *hosts: str) -> ClusterSettings:
    """Returns settings for these hosts. The shell script stands in for kvtui in each pod."""
    for name in ("vip-a", "vip-b"):
        fake.put(
            {"kind": "Pod", "metadata": {"name": name, "namespace": "lb"}, "spec": {"containers": [{"name": "kvtui"}]}}
        )
    program = tmp_path / "kvtui"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    kubeconfig = str(fake.kubeconfig(tmp_path / "config", token=f"token of {tmp_path.name}"))
    return ClusterSettings(hosts, command=str(program), kubeconfig=kubeconfig)


async def _view(settings: ClusterSettings, count: int = 1) -> ClusterView:
    observer = ClusterObserver(settings)
    observer.start()
    try:
        async with asyncio.timeout(120):
            view = observer.view()
            while len(view.nodes) < count or any(n.state is NodeState.CONNECTING for n in view.nodes):
                await observer.changed.wait()
                observer.changed.clear()
                view = observer.view()
            return view
    finally:
        await observer.close()


def test_pods_are_nodes_and_a_missing_pod_has_failed(fake: FakeCluster, tmp_path: Path) -> None:
    settings = pods(fake, tmp_path, f"echo '{REPORT}'; exec sleep 600", "pod/lb/vip-a", "pod/lb/gone")
    live, missing = asyncio.run(_view(settings)).nodes
    assert (live.name, live.state) == ("pod/lb/vip-a", NodeState.LIVE)
    assert missing.state is NodeState.FAILED
    assert "exec into pod lb/gone (container kvtui): Handshake status 404" in missing.detail


def test_a_command_keeps_its_arguments_output_and_exit_code(fake: FakeCluster, tmp_path: Path) -> None:
    settings = pods(fake, tmp_path, 'printf \'{"words": "%s"}\' "$2"; exit 3', "pod/lb/vip-a")
    answer = asyncio.run(run_command(settings, "pod/lb/vip-a", ("drain", "a b")))
    assert (answer.code, answer.document) == (3, {"words": "a b"})


def test_a_held_action_in_a_pod_gets_the_commit_or_is_undone_when_the_connection_ends(
    fake: FakeCluster, tmp_path: Path
) -> None:
    script = (
        f"echo '{PLANNED}{{}}'; while read -r word; do [ \"$word\" = go ] && break; done; echo '{HELD}'\n"
        f'while read -r word; do [ -n "$word" ] && break; done\necho "$word" >> {tmp_path}/words; echo \'{{}}\''
    )
    settings = pods(fake, tmp_path, script, "pod/lb/vip-a", "pod/lb/vip-b")

    async def held(*, commit: bool) -> list[Answer]:
        commands = HeldCommands(settings, settings.hosts)
        try:
            planned = await asyncio.gather(*(commands.plan(h, ("--yes",), 60.0) for h in settings.hosts))
            assert [(a.code, a.document) for a in planned] == [(0, {}), (0, {})]
            assert await asyncio.gather(*map(commands.start, settings.hosts)) == [None, None]
            return await commands.commit(60) if commit else []
        finally:
            await commands.close()

    answers = asyncio.run(held(commit=True))
    assert [(a.code, a.document) for a in answers] == [(0, {}), (0, {})]
    asyncio.run(held(commit=False))
    poll(lambda: (tmp_path / "words").read_text() == "commit\ncommit\n\n\n", 60, "the end of the input in both pods")


def test_the_pods_of_a_daemonset_are_its_nodes(
    fake: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pod has kvtui, a shell reads one without kvtui, and one node lacks its pod."""
    spec = {"selector": {"matchLabels": {"app": "vip"}}, "template": {"spec": {"nodeSelector": {"vip": "yes"}}}}
    meta = {"name": "vip", "namespace": "lb"}
    fake.put({"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": meta, "spec": spec})
    uid = fake.get("daemonsets", "lb", "vip")["metadata"]["uid"]
    settings = pods(fake, tmp_path, f"echo '{REPORT}'; exec sleep 600", "daemonset/lb/vip")
    for name, container in (("a", "kvtui"), ("b", "keepalived")):
        owned = {"labels": {"app": "vip"}, "ownerReferences": [{"uid": uid}]}
        pod = {"nodeName": f"node-{name}", "containers": [{"name": container}]}
        fake.put({"kind": "Pod", "metadata": {"name": f"vip-{name}", "namespace": "lb", **owned}, "spec": pod})
    for name, labels, taint in (
        ("a", {"vip": "yes"}, None), ("b", {"vip": "yes"}, None), ("c", {"vip": "yes"}, "unschedulable"),
        ("d", {}, None),
        ("e", {"vip": "yes"}, "control-plane"),
    ):  # fmt: skip
        taints = [{"key": f"node.kubernetes.io/{taint}", "effect": "NoSchedule"}] if taint else []
        fake.put({"kind": "Node", "metadata": {"name": f"node-{name}", "labels": labels}, "spec": {"taints": taints}})
    for name, text in (("ip", "[]"), ("ipvsadm", "Prot InPkts")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    view = asyncio.run(_view(settings, 3))
    nodes = {n.name: n for n in view.nodes}
    assert {name: n.state.value for name, n in nodes.items()} == {
        "node-a": "live", "node-b": "live", "node-c": "missing",
    }  # fmt: skip
    assert nodes["node-b"].detail.startswith("no kvtui there: read by exec")
    assert nodes["node-b"].report is not None
    assert nodes["node-b"].report.source_error("ipvs") is None
    assert [f.title for f in view.findings] == ["node-c should have a keepalived pod and has none"]


@pytest.mark.long
def test_a_named_pod_without_kvtui_is_read_by_a_shell(fake: FakeCluster, tmp_path: Path) -> None:
    settings = pods(fake, tmp_path, "", "pod/lb/vip-a")
    (node,) = asyncio.run(_view(replace(settings, command="/nonexistent/kvtui"))).nodes
    assert (node.state, node.detail[:14]) == (NodeState.LIVE, "no kvtui there")


def test_an_interactive_terminal_uses_kubectl() -> None:
    settings = ClusterSettings(kubeconfig="/k", context="c")
    argv = reach.argv(settings, "pod/lb/vip-a/side", (), terminal=True)
    assert argv == [
        "kubectl", "--kubeconfig=/k", "--context=c", "exec", "-it", "-n", "lb", "vip-a", "-c", "side", "--", "kvtui",
    ]  # fmt: skip
