"""Connections to other nodes, with real processes in place of ssh: working, silent, refused, of other versions."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from msgspec.json import encode
from msgspec.structs import replace

from kvtui.backend.remote import reach
from kvtui.backend.remote.links import Links
from kvtui.cluster_observer import ClusterObserver
from kvtui.model.cluster import ClusterNode, NodeState, ReportedNode
from kvtui.model.settings import ClusterSettings
from tests.kit.cluster import node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.model.cluster import ClusterView

REPORT = '{"schema": %d, "node": {"name": "n", "colour": "new"}, "comparison": {"kvtui": "9"}, "more": [1]}'


def prints(text: str) -> list[str]:
    """Returns a command that prints, then runs without output."""
    return [sys.executable, "-ISc", f"import time; print({text!r}, flush=True); time.sleep(600)"]


async def _nodes_when(
    commands: dict[str, list[str]], done: Callable[[dict[str, ClusterNode]], bool]
) -> dict[str, ClusterNode]:
    links, changed = Links(ClusterSettings(), ()), asyncio.Event()
    links.start(changed.set)
    for name, argv in commands.items():
        links.run(name, argv)
    try:
        async with asyncio.timeout(120):
            while not done(nodes := {n.name: n for n in links.nodes()}):
                changed.clear()
                await changed.wait()
            return nodes
    finally:
        await links.close()


def nodes_when(
    commands: dict[str, list[str]], done: Callable[[dict[str, ClusterNode]], bool]
) -> dict[str, ClusterNode]:
    """Returns the nodes as soon as ``done`` is true of them, after all processes have ended."""
    return asyncio.run(_nodes_when(commands, done))


def test_each_node_has_its_own_state_and_delays_no_other() -> None:
    commands = {
        "good": prints("Welcome!\n" + REPORT % 1),
        "older": prints(REPORT % 0),
        "newer": prints(REPORT % 2),
        "too-new": prints(REPORT % 3),
        "odd": prints('{"schema": "\x1b[31m"}'),
        "hangs": [sys.executable, "-ISc", "import time; time.sleep(600)"],
        "refuses": [sys.executable, "-ISc", "import sys; sys.exit('ssh: Permission denied (publickey).')"],
        "no-kvtui": [
            sys.executable,
            "-ISc",
            "import sys; print('sh: kvtui: not found', file=sys.stderr); sys.exit(127)",
        ],
        "no-ssh": ["/nonexistent/ssh"],
    }
    nodes = nodes_when(
        commands, lambda found: all(n.state is not NodeState.CONNECTING for n in found.values() if n.name != "hangs")
    )
    assert {n.name for n in nodes.values() if n.state is NodeState.LIVE} == {"good", "older", "newer"}
    assert nodes["hangs"].state is NodeState.CONNECTING
    details = {name: node.detail for name, node in nodes.items()}
    assert details["refuses"] == "ssh: Permission denied (publickey)."
    assert details["no-kvtui"].startswith("kvtui was not found there (sh: kvtui: not found)")
    assert "schema 3, this kvtui understands 0 to 2: update the own kvtui" in details["too-new"]
    assert "\x1b" not in details["odd"]
    assert details["no-ssh"] == "cannot start /nonexistent/ssh: No such file or directory"


def test_an_invalid_address_is_unknown() -> None:
    instances = '[{"name": "v", "address": "x\\u001b[31m"}, {"name": "w", "address": "10.4.0.3"}]'
    report = f'{{"schema": 1, "comparison": {{"kvtui": "9"}}, "vrrp_instances": {instances}}}'
    (node,) = nodes_when({"n": prints(report)}, lambda found: found["n"].state is NodeState.LIVE).values()
    assert node.report is not None
    assert [i.address for i in node.report.vrrp_instances or ()] == [None, "10.4.0.3"]


def test_a_connection_that_ends_is_restarted() -> None:
    once = [sys.executable, "-ISc", f"print({REPORT % 1!r})"]
    states: list[NodeState] = []

    def came_back(found: dict[str, ClusterNode]) -> bool:
        if not states or states[-1] is not found["n"].state:
            states.append(found["n"].state)
        return states[-2:] == [NodeState.FAILED, NodeState.LIVE]

    nodes_when({"n": once}, came_back)


def test_this_node_is_listed_once_under_either_name(tmp_path: Path) -> None:
    """In its pod it has its Kubernetes name. Listed twice, it would tie with itself."""
    report = node(3, "MASTER").report
    assert report is not None
    own = ClusterNode("a", NodeState.LIVE, age=0.0, report=report, is_self=True)
    (tmp_path / "report").write_bytes(encode(replace(report, node=ReportedNode("worker-17"))))
    settings = ClusterSettings(("a",), ssh=f'sh -c "cat {tmp_path}/report; echo; exec sleep 600"')

    async def views() -> list[ClusterView]:
        observer = ClusterObserver(settings)
        observer.start()
        try:
            before = observer.view(own)
            async with asyncio.timeout(120):
                while observer.view().nodes[0].state is not NodeState.LIVE:
                    observer.changed.clear()
                    await observer.changed.wait()
            return [before, observer.view(own), observer.view(replace(own, name="node-a"))]
        finally:
            await observer.close()

    for view in asyncio.run(views()):
        assert [(n.name, n.state, n.is_self) for n in view.nodes] == [("a", NodeState.LIVE, True)]


def test_a_host_is_never_an_option_and_ssh_runs_in_batch_mode() -> None:
    argv = reach.argv(ClusterSettings(command="sudo kvtui", ssh="ssh -F f"), "-oProxyCommand=x", ["trace", "a b"])
    assert argv[:3] == ["ssh", "-F", "f"]
    assert argv[-4:] == ["-T", "--", "-oProxyCommand=x", "sudo kvtui trace 'a b'"]
    assert "BatchMode=yes" in argv
