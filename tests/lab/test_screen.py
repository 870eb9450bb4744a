"""The terminal UI in a real pty on a lab node."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.lab.screen import terminal_on

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster

LONG_INTERVAL = "3600"
"""Seconds between readings: longer than any test."""


def test_the_landing_page_shows_vip_owner_state_and_real_servers(cluster: Cluster) -> None:
    master = cluster.master()
    with terminal_on(master) as terminal:
        terminal.shows("10.4.0.50", f"★{master.address}", "MASTER", "102", "default-nginx", "3/3", "2/2", "•••••")
        assert terminal.lines[0].startswith(f" LIVE   {master.name}  keepalived {master.version.text} · up")
        assert "VIPs 2/2 here" in terminal.lines[0]
        terminal.press("3")
        terminal.shows("TCP 10.4.0.50:80", "10.4.0.11:80", "direct", "3/3 up")
        terminal.press("j", "d")
        terminal.shows("─ drain 10.4.0.1", "s in: tcp 10.4.0.50:80", "w wait: no", "y apply")
        terminal.press("s", "w")
        terminal.shows("in: all that have it (1)", "wait: at most 1m00s", "waits until they are gone")
        terminal.press("\x1b")
        terminal.until(lambda: "w wait" not in terminal.text, "the dialog closed")  # Esc and 7 together are Alt-7
        terminal.press("7")
        terminal.shows("log: ", "keepalived.log", "EVENT")
        # the last lines depend on earlier tests on this cluster
        messages = {m for line in master.log().splitlines() if len(m := line.split(": ", 1)[-1][:30]) > 10}
        terminal.until(lambda: any(m in terminal.text for m in messages), "a line of keepalived's log")
        terminal.press("/", "Entering")
        terminal.until(lambda: any(line.strip() == "Entering" for line in terminal.lines), "the filter is typed")
        terminal.shows("(vips) Entering MASTER STATE")
        terminal.press("\r", "2")
        terminal.shows("vips", f"★{master.address}", "VRID")
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_backup_shows_who_owns_it(cluster: Cluster) -> None:
    master = cluster.master()
    with terminal_on(cluster.node("node-a")) as terminal:
        terminal.shows("10.4.0.50", master.address, "BACKUP", "3/3", "•••••")
        terminal.press("2")
        terminal.shows(f"└ {master.address}", "MASTER")


def test_events_show_a_moved_vip_before_the_next_reading(cluster: Cluster) -> None:
    """The next periodic reading is an hour away, so only events can show it. benchmarks/ measures the time."""
    successor = cluster.node("node-b")
    with terminal_on(successor, "--interval", LONG_INTERVAL) as terminal:
        terminal.shows("BACKUP", cluster.master().address)
        cluster.master().kill()
        terminal.shows(f"★{successor.address}", "MASTER")
    assert "10.4.0.50/32" in successor.exec(["ip", "-o", "address", "show", "dev", "eth0"], check=True).stdout


def test_an_address_that_a_crash_left_behind_is_named(cluster: Cluster) -> None:
    master = cluster.master()
    with terminal_on(master) as terminal:
        terminal.shows("★10.4.0.5", "•••••")
        master.kill()
        cluster.wait_for_answer()
        terminal.shows("no keepalived", "✗ running", "✗ Run─IPVS─✗ Addr")
        terminal.press("enter")
        terminal.shows("First break", "keepalived does not run")


def test_status_without_a_terminal(cluster: Cluster) -> None:
    done = cluster.node("node-a").exec([sys.executable, "-m", "kvtui"])
    assert done.returncode == 0
    assert "10.4.0.50/32" in done.stdout
    assert "not terminals" in done.stderr
