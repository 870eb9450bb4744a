"""`kvtui cluster` on real nodes, over a real sshd in each node's namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.core.journal import Entry, Journal
from tests.lab.by_hand import fail_over_by_hand
from tests.lab.follow import Follow
from tests.lab.network import command
from tests.lab.poll import poll
from tests.lab.spec import ClusterSpec
from tests.lab.sshd import LAUNCHER, Sshd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    Document = dict[str, Any]


CLIENT = """
import http.client, socket, sys, threading, time
print(flush=True)
over = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
while not over.is_set():
    connection = http.client.HTTPConnection(sys.argv[1], timeout=0.5)
    try:
        connection.request("GET", "/")
        ok = connection.getresponse().status == 200
    except OSError:
        ok = False
    connection.close()
    print(time.monotonic(), int(ok), flush=True)
    time.sleep(0.05)
"""
"""A client that requests a VIP until its stdin ends. It prints a line per request: the time, and 1 or 0."""


@pytest.fixture
def sshd(cluster: Cluster, tmp_path: Path) -> Iterator[Sshd]:
    """Makes all nodes reachable by ssh."""
    with Sshd(cluster, tmp_path) as running:
        yield running


class Watch:
    """`kvtui cluster --watch` on a node that is also one of the hosts."""

    def __init__(self, node: Node, sshd: Sshd) -> None:
        self._follow = Follow(node, sshd.argv("cluster", "--watch", "-o", "json"))
        self._seen = 0

    def stop(self) -> None:
        """Kills the command."""
        self._follow.stop()

    def wait(self, condition: Callable[[Document], bool], what: str) -> Document:
        """Returns the first matching document from now on."""
        first = len(self._follow.lines())

        def found() -> Document | None:
            return next((d for _at, text in self._follow.lines()[first:] if condition(d := json.loads(text))), None)

        return poll(found, 240, lambda: f"{what}; last: {[text for _at, text in self._follow.lines()[-1:]]}")


@contextmanager
def watching(node: Node, sshd: Sshd) -> Iterator[Watch]:
    """Runs a Watch during the block."""
    watch = Watch(node, sshd)
    try:
        yield watch
    finally:
        watch.stop()


def states(document: Document) -> dict[str, str]:
    """Returns node → state."""
    return {n["name"]: n["state"] for n in document["nodes"]}


def heard(document: Document) -> dict[tuple[str, str], str]:
    """Returns (listener, speaker) → whether it hears the speaker."""
    return {(h["listener"], h["speaker"]): h["heard"] for h in document["hearing"]}


def found(document: Document) -> set[tuple[str, str]]:
    """Returns ids and objects of the findings."""
    return {(f["id"], f["object"]) for f in document["findings"]}


def test_owner_next_master_and_hearing_are_those_of_the_real_cluster(cluster: Cluster, sshd: Sshd) -> None:
    """Each node reports the master from its own capture; a node that refuses connections is a row with the reason."""
    refusing = cluster.node("node-a")
    sshd.stop(refusing)
    with watching(cluster.node("node-b"), sshd) as watch:
        expected = {"node-a": "failed", "node-b": "live", "node-c": "live"}
        known = {("node-b", "node-c"): "heard", ("node-c", "node-b"): "silent"}
        document = watch.wait(
            lambda d: states(d) == expected and heard(d) == known, "two nodes live, one refuses, the master heard"
        )
    rows = {n["name"]: n for n in document["nodes"]}
    assert "Connection refused" in rows["node-a"]["detail"]
    (router,) = document["routers"]
    assert router["masters"] == [cluster.master().name] == ["node-c"]
    assert (router["next"]["node"], router["next"]["certain"]) == ("node-b", False)  # node-a may be up
    assert rows["node-b"]["config_hash"] == rows["node-c"]["config_hash"] is not None
    assert {i["address"] for n in ("node-b", "node-c") for i in rows[n]["instances"]} == {"10.4.0.4", "10.4.0.5"}
    assert not [d for d in document["differences"] if d["kind"] in {"config", "sysctl", "vips"}]


@contextmanager
def blocked() -> Iterator[Callable[[Node, Node], None]]:
    """Yields a function that drops the adverts from one node to another on the bridge."""
    command(["nft", "add", "table", "bridge", "loss"])
    command(["nft", "add", "chain", "bridge", "loss", "way", "{ type filter hook forward priority 0; }"])

    def block(source: Node, target: Node) -> None:
        ports = ["iifname", f"{source.netns}-l", "oifname", f"{target.netns}-l"]
        command(["nft", "add", "rule", "bridge", "loss", "way", *ports, "ip", "protocol", "112", "drop"])

    try:
        yield block
    finally:
        command(["nft", "delete", "table", "bridge", "loss"])


def watched_kvtui(node: Node) -> int:
    """Returns the PID of the kvtui that ssh started there."""
    pids = command(["ip", "netns", "pids", node.netns]).split()
    lines = {int(pid): command(["ps", "-o", "args=", "-p", pid]) for pid in pids}
    return next(pid for pid, args in lines.items() if args.rstrip().endswith("kvtui status --watch -o json"))


@pytest.mark.long
def test_loss_in_each_direction_a_stopped_node_and_an_unreachable_one(cluster: Cluster, sshd: Sshd) -> None:
    """Each fault is reported, and the other nodes stay live."""
    a, b, c = cluster.nodes
    with watching(a, sshd) as watch:
        all_live = dict.fromkeys(("node-a", "node-b", "node-c"), "live")
        document = watch.wait(lambda d: states(d) == all_live and not d["findings"], "all nodes live")
        assert document["routers"][0]["next"] | {"why": ""} == {
            "node": "node-b", "within_seconds": pytest.approx(0.9, abs=0.1), "certain": True, "why": "",
        }  # fmt: skip
        with blocked() as block:
            block(c, b)
            one_way = ("cluster-one-way-hearing", "vips node-c -> node-b")
            document = watch.wait(
                lambda d: {one_way, ("cluster-two-owners", "vips")} <= found(d), "the loss from node-c to node-b"
            )
            assert heard(document)["node-b", "node-c"] == "lost"
            assert heard(document)["node-c", "node-b"] == "heard"
            assert "lost on the way" in next(h["cause"] for h in document["hearing"] if h["heard"] == "lost")
            block(b, c)
            watch.wait(
                lambda d: {one_way, ("cluster-one-way-hearing", "vips node-b -> node-c")} <= found(d),
                "the loss in both directions",
            )
        watch.wait(lambda d: not d["findings"] and d["routers"][0]["masters"] == ["node-c"], "one master again")
        stopped = watched_kvtui(c)
        os.kill(stopped, signal.SIGSTOP)
        try:
            watch.wait(lambda d: states(d) == all_live | {"node-c": "late"}, "node-c is late, the others live")
        finally:
            os.kill(stopped, signal.SIGCONT)
        command(["ip", "link", "set", f"{b.netns}-l", "down"])
        try:
            watch.wait(
                lambda d: states(d)["node-b"] in {"late", "failed"} and states(d)["node-a"] == "live",
                "node-b cannot be reached, node-a is live",
            )
        finally:
            command(["ip", "link", "set", f"{b.netns}-l", "up"])


@pytest.mark.long
def test_a_pod_without_kvtui_is_read_by_a_shell_in_the_pod(cluster: Cluster) -> None:
    """A shell in the pod reads the same as kvtui on the node."""
    for node in (cluster.master(), cluster.node("node-a")):
        pod = ["nsenter", "-t", str(node.keepalived_pid), "-m", "-p", "-n", "-r", "-w"]
        follow = Follow(node, [sys.executable, "-m", "kvtui.cli.pod_status", "vip-a", *pod])
        try:
            poll(follow.lines, 240, "the first report")
        finally:
            follow.stop()
        shell, own = follow.documents()[0], json.loads(node.exec([*LAUNCHER, "status", "-o", "json"]).stdout)
        for name in ("config_hash", "config", "ipvs_digest", "drained"):
            assert shell["comparison"][name] == own["comparison"][name] is not None, name
        for name in ("name", "state", "vrid", "priority", "vips", "address", "interface"):
            assert shell["vrrp_instances"][0][name] == own["vrrp_instances"][0][name], name
        assert [v["present"] for v in shell["vips"]] == [v["present"] for v in own["vips"]]
        assert shell["keepalived"][0]["version"] == own["keepalived"][0]["version"]
        assert shell["comparison"]["kvtui"] == "none"


def weights(cluster: Cluster) -> dict[str, set[str]]:
    """Returns node → the weights of rs-1 on it."""
    lines = {n.name: [line.split() for line in n.ipvs().splitlines() if "10.4.0.11:" in line] for n in cluster.nodes}
    return {name: {words[words.index("-w") + 1] for words in found} for name, found in lines.items()}


def journaled(sshd: Sshd, node: Node) -> list[tuple[str, str]]:
    """Returns (reason, result) of each action in that node's journal."""
    done = node.exec(["env", f"KVTUI_STATE_DIR={sshd.state(node)}", *LAUNCHER, "journal", "-o", "json"])
    return [(e["reason"], e["result"]) for e in json.loads(done.stdout)["journal"]]


@pytest.mark.long
def test_a_drain_on_all_nodes_is_on_all_or_on_none_and_failover_reaches_the_chosen_node(
    cluster: Cluster, sshd: Sshd
) -> None:
    """Each node's own kvtui drains, and all journals have the same id."""
    a, b, c = cluster.nodes
    on = {n.name: {"1"} for n in cluster.nodes}
    off = {n.name: {"0"} for n in cluster.nodes}
    done = a.exec(sshd.argv("--yes", "--reason", "update", "drain", "10.4.0.11", "--all-nodes"))
    assert (done.returncode, weights(cluster)) == (0, off), done.stderr
    reasons = {reason for node in cluster.nodes for reason, _result in journaled(sshd, node)}
    (reason,) = reasons
    assert reason.startswith("[cluster-")
    assert reason.endswith("] update")
    done = a.exec(sshd.argv("--yes", "undrain", "10.4.0.11", "--all-nodes"))
    assert (done.returncode, weights(cluster)) == (0, on), done.stderr

    lock = sshd.state(b) / "lock"
    lock.unlink()
    lock.mkdir()  # from now on node-b cannot lock its journal, so it does nothing
    done = a.exec(sshd.argv("--yes", "drain", "10.4.0.11", "--all-nodes"))
    assert (done.returncode, weights(cluster)) == (1, on), done.stderr
    assert "node-b: " in done.stderr
    assert "all that was done is put back" in done.stderr
    (last,) = {journaled(sshd, n)[-1] for n in (a, c)}
    assert last[0].startswith("[cluster-")
    assert last[1] == "put back"
    lock.rmdir()

    sshd.stop(b)
    done = a.exec(sshd.argv("--yes", "drain", "10.4.0.11", "--all-nodes"))
    assert (done.returncode, weights(cluster)) == (3, on), done.stderr
    assert "node-b does not answer" in done.stderr
    sshd.start(b)

    done = a.exec(sshd.argv("--yes", "failover", "vips", "--to", "node-a"))
    assert (done.returncode, cluster.master().name) == (0, "node-a"), done.stderr


@pytest.mark.long
@pytest.mark.parametrize("stopped", [False, True], ids=["while they act", "when all hold"])
def test_nothing_is_drained_anywhere_when_the_coordinator_is_killed(
    cluster: Cluster, sshd: Sshd, stopped: bool
) -> None:
    """After kill -9 each node restores its weights by itself, and its journal has the reason."""

    def journals() -> list[Entry]:
        return [entry for n in cluster.nodes for entry in Journal(sshd.state(n)).entries()]

    on = {n.name: {"1"} for n in cluster.nodes}
    argv = ["ip", "netns", "exec", cluster.nodes[0].netns, *sshd.argv("--yes", "drain", "10.4.0.11", "--all-nodes")]
    with subprocess.Popen(argv) as coordinator:
        try:
            poll(lambda: any(e.done for e in journals()) or coordinator.poll(), 240, "a drain", interval=0.1)
            if stopped:  # the nodes go on until they hold; a node restores its weights after 30 s without a message
                coordinator.send_signal(signal.SIGSTOP)
                poll(lambda: sum(bool(e.done or e.result) for e in journals()) == 3, 240, "all nodes have begun")
        finally:
            coordinator.kill()
    assert journals()
    poll(lambda: weights(cluster) == on, 240, "all nodes have put it back")

    poll(lambda: all(e.result for e in journals()), 240, "all journals say how it ended")
    for entry in journals():
        assert entry.result == "put back"
        assert entry.detail.startswith("the kvtui that coordinates all nodes ")


@contextmanager
def measured(cluster: Cluster, what: str) -> Iterator[dict[str, float]]:
    """Measures for a client of the VIP the failed requests and the longest time without an answer."""
    seen: dict[str, float] = {}
    argv = ["ip", "netns", "exec", cluster.network.client, sys.executable, "-ISc", CLIENT, cluster.spec.vips[0]]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        client.stdout.readline()
        began = time.monotonic()
        yield seen
        seen["seconds"] = time.monotonic() - began
        out, _ = client.communicate()
    answers = [(float(at), ok == "1") for at, ok in (line.split() for line in out.splitlines())]
    good = [at for at, ok in answers if ok]
    seen["failed"] = sum(not ok for _at, ok in answers)
    seen["gap"] = max(later - at for at, later in pairwise(good))
    print(f"{what}: {seen['seconds']:.1f} s, {seen['failed']:.0f} of {len(answers)} failed, gap {seen['gap']:.2f} s")


@pytest.mark.long
@pytest.mark.lab(timeout=900)
def test_failover_reaches_the_chosen_node_also_with_nopreempt(
    make_cluster: Callable[[ClusterSpec], Cluster], tmp_path: Path
) -> None:
    """The VIP moves once: kvtui first raises the node's priority. `-s` prints a comparison with a failover by hand."""
    cluster = make_cluster(ClusterSpec(preempt=False, requests_per_second=0))

    def moves() -> int:
        return sum(n.log().count("(vips) Entering MASTER STATE") for n in cluster.nodes)

    with Sshd(cluster, tmp_path) as sshd:
        master, before = cluster.master(), moves()
        chosen = min((n for n in cluster.nodes if n is not master), key=lambda n: cluster.spec.priority(n.index))
        with measured(cluster, "kvtui failover --to"):
            done = cluster.nodes[0].exec(sshd.argv("--yes", "failover", "vips", "--to", chosen.name))
        assert (done.returncode, cluster.master().name) == (0, chosen.name), done.stderr
        assert moves() == before + 1
        for node in (master, chosen):  # with nopreempt the VIP stays
            undone = node.exec(["env", f"KVTUI_STATE_DIR={sshd.state(node)}", *LAUNCHER, "--yes", "undo"])
            assert undone.returncode == 0, undone.stderr
        assert cluster.master() is chosen

        target = min((n for n in cluster.nodes if n is not chosen), key=lambda n: cluster.spec.priority(n.index))
        with measured(cluster, "by hand"):
            typed = fail_over_by_hand(cluster, ["ssh", "-F", str(tmp_path / "ssh_config")], target)
        print(f"by hand {typed} characters were typed, which took no time here; 10 a second take {typed / 10:.0f} s")
        assert cluster.master() is target
