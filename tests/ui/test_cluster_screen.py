"""Screen 6: all nodes, reached by a script in place of ssh."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.cli.output import Format, encode
from kvtui.model.settings import ClusterSettings
from kvtui.presenters.documents import status
from tests.kit.views import demo
from tests.ui.pseudo_terminal import PseudoTerminal
from tests.ui.seen import running

if TYPE_CHECKING:
    from pathlib import Path

SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
case $2 in
dead) echo "No route to host" >&2; exit 255 ;;
esac
exec {command}
"""


def fake_ssh(folder: Path, command: str) -> ClusterSettings:
    """Writes a script that runs the command on every host except ``dead``."""
    script = folder / "ssh"
    script.write_text(SSH.format(command=command))
    script.chmod(0o755)
    return ClusterSettings(("node-b", "dead"), ssh=str(script))


async def test_nodes_owners_and_unknown_values(tmp_path: Path) -> None:
    here = demo()
    report = json.loads(encode(status(here), Format.JSON))
    report["node"]["name"] = "node-b"
    for instance in report["vrrp_instances"]:
        instance |= {"state": "BACKUP", "priority": 101, "effective_priority": 101, "address": "10.4.0.4"}
    (tmp_path / "report").write_text(json.dumps(report) + "\n")
    cluster = fake_ssh(tmp_path, f'sh -c "cat {tmp_path}/report; exec sleep 600"')
    async with running(here, size=(120, 32), cluster=cluster) as ui:
        await ui.press("6")
        async with asyncio.timeout(120):
            while "No route to host" not in ui.text or "BACKUP 101" not in ui.text:
                await ui.see(replace(here, notes=(str(time.monotonic()),)))
                await asyncio.sleep(0.05)
        rows = {line[1:].split()[0]: line for line in ui.lines[3:6]}
        assert "vips MASTER 102" in rows["★node-c"]
        assert "live" in rows["node-b"]
        assert "vips BACKUP 101" in rows["node-b"]
        assert "failed" in rows["dead"]
        assert "next: node-b within 3.6 s" in ui.text
        assert "10.4.0.50 ─┬──▶ node-c  10.4.0.5  MASTER 102" in ui.text
        assert "10.4.0.51 ─┼╌╌▷ node-b  10.4.0.4  BACKUP 101" in ui.text
        await ui.press("enter")
        assert "node-c is the node of the other screens" in "".join(map(str, ui.toasts))
        await ui.press("down", "r")  # it would reload this node's keepalived
        assert "node-b is another node" in "".join(map(str, ui.toasts))


async def test_without_hosts_there_is_no_screen_6() -> None:
    async with running(demo()) as ui:
        await ui.press("6")
        assert ui.lines[2].split()[:2] == ["VIP", "OWNER"]
        assert "Cluster" not in ui.text


@pytest.mark.long
def test_enter_opens_the_terminal_ui_of_that_node_and_quitting_it_returns(tmp_path: Path) -> None:
    settings = fake_ssh(tmp_path, f"{sys.executable} -m kvtui --demo ${{3#kvtui}}")
    config = tmp_path / "kvtui.toml"
    config.write_text(f'[cluster]\nhosts = ["node-a", "node-b"]\nssh = "{settings.ssh}"\n')
    with PseudoTerminal("--demo", env={"KVTUI_CONFIG": str(config)}) as terminal:
        terminal.shows("10.4.0.50", "6 Cluster")
        terminal.press("6")
        terminal.until(lambda: terminal.text.count(" live ") == 2, "both nodes are live")
        terminal.press("down", "enter")
        terminal.until(lambda: terminal.lines[2].split()[:2] == ["VIP", "OWNER"], "the first screen of the other kvtui")
        terminal.press("q")
        terminal.until(lambda: terminal.text.count(" live ") == 2, "the cluster again")
        terminal.press("q")
        assert terminal.ended() == 0
    assert b"Traceback" not in terminal.raw
