"""Faults of the world around kvtui: it goes on, says what is, and ends nothing that it should not."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from tests.lab.operate import kvtui
from tests.lab.owners import NOPREEMPT
from tests.lab.rogue import advert_v2
from tests.lab.screen import terminal_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node
    from tests.lab.spec import ClusterSpec

    MakeCluster = Callable[[ClusterSpec], Cluster]

STOPPED_SECONDS = 60.0
STORM_SECONDS = 20.0
STORM = """
import socket, struct, sys, time
through = struct.pack("=4x4xi", socket.if_nametoindex("eth0"))  # ip_mreqn
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, through)
messages = [bytes.fromhex(m) for m in sys.argv[2:]]
began, sent = time.monotonic(), 0
while (past := time.monotonic() - began) < float(sys.argv[1]):
    while sent < past * 10_000:
        s.sendto(messages[sent % len(messages)], ("224.0.0.18", 0))
        sent += 1
    time.sleep(0.005)
print(sent)
"""
UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
BREAKING = """
import os, sys
from kvtui.actions.steps.file import ReplaceFile
fault, folder = sys.argv[1:]
journal, do = folder + "/journal.jsonl", ReplaceFile.do

def fill(path, data):
    try:
        with open(path, "ab", buffering=0) as file:
            while True:
                file.write(data)
    except OSError:
        pass

def do_and_break(step):
    do(step)
    if fault == "full":
        fill(folder + "/filler", b"x" * 512)
        fill(journal, b"\\n")  # the rest of its page
    else:
        os.system(f"mount --bind {journal} {journal} && mount -o remount,bind,ro {journal}")

ReplaceFile.do = do_and_break
from kvtui.__main__ import main
sys.argv = ["kvtui", "--yes", "priority", "vips", "90"]
main()
"""
"""kvtui whose state folder breaks once the config is written."""


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.long
@pytest.mark.lab(timeout=400, seconds=100)
def test_stopped_for_a_minute(cluster: Cluster) -> None:
    """After SIGCONT it shows what is now: the VIP moved meanwhile."""
    best, second = cluster.node("node-c"), cluster.node("node-b")
    with terminal_on(cluster.node("node-a")) as terminal:
        terminal.shows("10.4.0.50", best.address)
        terminal.process.send_signal(signal.SIGSTOP)
        best.stop()
        cluster.wait_for_master(among=[second])
        time.sleep(STOPPED_SECONDS)  # the fault itself
        terminal.process.send_signal(signal.SIGCONT)
        terminal.shows("10.4.0.50", second.address)
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.long
@pytest.mark.lab(timeout=400, seconds=100)
def test_a_storm_of_adverts(cluster: Cluster) -> None:
    """10,000 a second, of every VRID: the screen answers keys, memory is bounded, the owner stays known."""
    node = cluster.node("node-a")
    messages = [advert_v2(vrid, 100) for vrid in range(1, 256) if vrid != cluster.spec.vrid]
    with terminal_on(node) as terminal:
        terminal.shows("10.4.0.50", cluster.master().address)
        before = resident(terminal.process.pid)
        argv = [sys.executable, "-c", STORM, str(STORM_SECONDS), *(m.hex() for m in messages)]
        sender = ["ip", "netns", "exec", cluster.node("node-b").netns, *argv]
        with subprocess.Popen(sender, stdout=subprocess.PIPE, text=True) as storm:
            terminal.press("2")
            terminal.shows("INSTANCE / PEER")
            terminal.press("1")
            terminal.shows("OWNER", "10.4.0.50")
            sent = int(storm.communicate(timeout=300)[0])
        assert sent > 1000 * STORM_SECONDS
        terminal.shows("10.4.0.50", cluster.master().address)
        assert resident(terminal.process.pid) < before + 20_000
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.long
@pytest.mark.lab(spec=NOPREEMPT)
def test_hidepid(make_cluster: MakeCluster) -> None:
    """Where /proc hides other users' processes, an unprivileged kvtui says that it sees none, and shows the rest."""
    node = make_cluster(NOPREEMPT).wait_for_master()
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", *UNPRIVILEGED]
    ran = node.exec([*argv, sys.executable, "-m", "kvtui", "--no-kube", "-o", "json", "status"])
    assert "Traceback" not in ran.stderr
    status = json.loads(ran.stdout)
    source = next(s for s in status["sources"] if s["name"] == "keepalived")
    assert source["state"] != "ok"
    assert "hidepid" in source["detail"], source


@pytest.fixture
def small_folder(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for little."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-R", str(tmp_path)], check=True)


def conf_of(node: Node) -> bytes:
    return node.conf_path.read_bytes()


@pytest.mark.long
@pytest.mark.lab(spec=NOPREEMPT)
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_the_state_folder_is_unusable_before_an_action(
    make_cluster: MakeCluster, small_folder: Path, fault: str
) -> None:
    node = make_cluster(NOPREEMPT).wait_for_master()
    before = conf_of(node)
    if fault == "full":
        subprocess.run(["sh", "-c", f"cat /dev/zero > {small_folder}/filler"], check=False, stderr=subprocess.DEVNULL)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(small_folder)], check=True)
    ran = kvtui(node, small_folder, "--yes", "priority", "vips", "90")
    assert ran.returncode == 3, ran.stderr
    assert "cannot be written" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert conf_of(node) == before


@pytest.mark.lab(spec=NOPREEMPT)
@pytest.mark.parametrize("fault", ["full", pytest.param("read-only", marks=pytest.mark.long)])
def test_the_state_folder_becomes_unusable_during_an_action(
    make_cluster: MakeCluster, small_folder: Path, fault: str
) -> None:
    """What was done is put back, and the next start asks about it: its end is not in the journal."""
    node = make_cluster(NOPREEMPT).wait_for_master()
    before, held = conf_of(node), node.addresses()
    env = f"KVTUI_STATE_DIR={small_folder}"
    ran = node.exec(["env", env, sys.executable, "-c", BREAKING, fault, str(small_folder)])
    assert "Traceback" not in ran.stderr
    assert ran.returncode == 1, ran.stderr
    assert (conf_of(node), node.addresses()) == (before, held), ran.stderr
    assert "cannot be written" in ran.stderr
    assert "everything was put back (this end is not in the journal" in ran.stderr
    assert [e.result for e in Journal(small_folder).entries()] == [None]
