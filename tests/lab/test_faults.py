"""Faults of the machine: kvtui continues and reports the true state."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs
from pyroute2 import IPRoute

from kvtui.actions.core import recovery
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.live import LIVE
from kvtui.actions.priority.plan import plan_priority
from kvtui.backend.node import Node as NodeSource
from kvtui.observer import Observer
from tests.lab.killing import node_state, plan_on, run
from tests.lab.operate import graded, kvtui, operate
from tests.lab.owners import NOPREEMPT
from tests.lab.poll import poll
from tests.lab.screen import terminal_on
from tests.lab.spec import NGINX, ClusterSpec
from tests.signals import DEFAULT_SIGNALS
from tests.small_disk import fill, make_read_only, small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.actions.core.step import Step
    from kvtui.model.observation import Observation
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

UNPRIVILEGED = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
FAULTS = ClusterSpec(requests_per_second=0)
HOUR = 3600
STOP = 60.0
"""Seconds for which kvtui is stopped: longer than its timeouts and pauses (5 s for a source, 6 s for adverts, 30 s
between scans of processes), except those of actions and lost terminals."""
MANY_VIPS = [f"10.5.{high}.{low}" for high in (1, 2) for low in range(1, 251)]
ATTEMPTS = 10
"""On a busy machine keepalived may need more than a second to add the VIPs."""
MODULES = "ip_vs_rr ip_vs_wrr ip_vs_wlc ip_vs_lc ip_vs_sh ip_vs_mh ip_vs"


@pytest.mark.long
@pytest.mark.lab(spec=NOPREEMPT)
def test_hidepid(make_cluster: MakeCluster) -> None:
    """If /proc hides other users' processes, an unprivileged kvtui reports that, and shows the other sources."""
    node = make_cluster(NOPREEMPT).wait_for_master()
    script = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", *UNPRIVILEGED]
    ran = node.exec([*argv, sys.executable, "-m", "kvtui", "--no-kube", "-o", "json", "status"])
    assert "Traceback" not in ran.stderr
    status = json.loads(ran.stdout)
    source = next(s for s in status["sources"] if s["name"] == "keepalived")
    assert source["state"] == "unavailable"
    assert "kvtui cannot see it" in source["detail"]


# --- the state folder


def plan_lower_priority(node: Node) -> Action:
    return plan_on(node, lambda o, p, w, b: plan_priority(o, p, "vips", 50, w, b))


class Hooked:
    """A step that calls a function before and after it."""

    def __init__(self, step: Step, before: Callable[[], object], after: Callable[[], object] = lambda: None) -> None:
        self._step, self._before, self._after = step, before, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def do(self) -> None:
        self._before()
        self._step.do()
        self._after()


def run_with_hook(action: Action, folder: Path, index: int, before: Callable[[], object]) -> Outcome:
    steps: list[Any] = list(action.steps)
    steps[index] = Hooked(steps[index], before)
    return asyncio.run(Runner(Journal(folder)).run(structs.replace(action, steps=tuple(steps)), force=True))


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
@pytest.mark.parametrize("how", ["full", "read-only"])
def test_a_state_folder_that_is_full_or_read_only_before_an_action(
    make_cluster: MakeCluster, tmp_path: Path, how: str
) -> None:
    """The action does not start: without a journal entry it could not be undone."""
    node = make_cluster(FAULTS).wait_for_master()
    before, state = node_state(node), tmp_path / "state"
    with small_disk(state):
        if how == "full":
            fill(state)
        else:
            make_read_only(state)
        done = kvtui(node, state, "--yes", "priority", "vips", "50")
        assert done.returncode == ExitCode.REFUSED, done.stderr
        assert ("No space left" if how == "full" else "Read-only file system") in done.stderr
        assert str(state) in done.stderr
        assert "Traceback" not in done.stderr
        status = json.loads(kvtui(node, state, "-o", "json", "status").stdout)
        assert status["vrrp_instances"][0]["state"] == "MASTER"
    assert node_state(node) == before


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
@pytest.mark.parametrize("index", range(3))
def test_a_state_folder_that_becomes_full_during_an_action(
    make_cluster: MakeCluster, tmp_path: Path, index: int
) -> None:
    """The action is put back. Its end is not in the journal, so the next start finds it, and its undo closes it."""
    node = make_cluster(FAULTS).wait_for_master()
    before, state = node_state(node), tmp_path / "state"
    with small_disk(state):
        outcome = run_with_hook(plan_lower_priority(node), state, index, lambda: fill(state))
        assert outcome.code is ExitCode.FAILED
        assert "No space left" in outcome.detail
        assert "put back" in outcome.detail
        assert "NOT" not in outcome.detail
        assert "this result is not in the journal" in outcome.detail
        assert node_state(node) == before
        (state / "full").unlink()
        (left,) = Journal(state).unfinished()
        run(state, recovery.put_back(left, LIVE))
        assert node_state(node) == before


# --- others act at the same time


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
def test_two_kvtui_on_one_node(make_cluster: MakeCluster, tmp_path: Path) -> None:
    node = make_cluster(FAULTS).wait_for_master()
    real = NGINX.real_servers[0]
    weight = ["ipvsadm", "-e", "-t", f"{NGINX.vip}:80", "-r", f"{real}:80", "-g", "-w"]
    node.exec([*weight, "20"], check=True)
    state, weights = tmp_path / "state", node.ipvs()
    argv = [*DEFAULT_SIGNALS, "ip", "netns", "exec", node.netns, sys.executable, "-m", "kvtui", "--yes", "drain", real]
    env = {**os.environ, "KVTUI_STATE_DIR": str(state)}
    with subprocess.Popen([*argv, "--over", "600s"], env=env, stderr=subprocess.PIPE, text=True) as first:
        poll(lambda: node.ipvs() != weights or state.exists(), 120, "the first kvtui")
        poll(lambda: Journal(state).entries(), 120, "the first action")
        second = kvtui(node, state, "--yes", "priority", "vips", "50")
        assert second.returncode == ExitCode.REFUSED, second.stderr
        assert f"drain {real}" in second.stderr  # the other one's action
        first.send_signal(signal.SIGINT)
        _, printed = first.communicate(timeout=120)
        assert first.returncode == ExitCode.INTERRUPTED
        assert "everything was put back" in printed
    assert node.ipvs() == weights
    node.exec([*weight, "1"], check=True)
    assert "priority 102" in node.conf_path.read_text()


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
@pytest.mark.parametrize("index", range(3))
def test_the_controller_writes_the_config_during_an_action(
    make_cluster: MakeCluster, tmp_path: Path, index: int
) -> None:
    """The controller's text stays unchanged, keepalived runs the old or the new config, and the message is true."""
    node = make_cluster(FAULTS).wait_for_master()
    text = node.conf_path.read_text().replace("priority 102", "priority 101", 1) + "# written by the controller\n"
    outcome = run_with_hook(plan_lower_priority(node), tmp_path / "state", index, lambda: node.write_conf(text))
    reasons = ("node changed since the plan", "was changed by something else", "was overwritten before keepalived read")
    assert reasons[index] in outcome.detail
    assert outcome.code is not ExitCode.DONE
    assert node.conf_path.read_text() == text
    assert node_state(node).running_priority in {102, 101}
    assert ("everything was put back" in outcome.detail) <= (node_state(node).running_priority == 102)


# --- kvtui is stopped, the clock is set, many VIPs come


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
def test_kvtui_is_stopped_while_the_vip_moves(make_cluster: MakeCluster) -> None:
    """Afterwards it shows the new owner and that the old one stepped down, and reports no silence."""
    cluster = make_cluster(FAULTS)
    best = cluster.wait_for_master()
    with terminal_on(cluster.node("node-a"), "--no-kube") as terminal:
        terminal.until(lambda: re.search(rf"10\.4\.0\.50 +{re.escape(best.address)}", terminal.text), "the owner")
        terminal.process.send_signal(signal.SIGSTOP)
        best.stop()
        second = cluster.wait_for_master()
        time.sleep(STOP)
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda: re.search(rf"10\.4\.0\.50 +{re.escape(second.address)}", terminal.text), "the new owner")
        terminal.press_until("2", "INSTANCE / PEER")
        terminal.shows(f"{best.address} stepped down", f"{second.address} is master")
        assert "fell silent" not in terminal.text
        terminal.press("q")
        assert terminal.ended() == 0


@contextmanager
def clock_set(seconds: int) -> Iterator[None]:
    time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
    try:
        yield
    finally:
        time.clock_settime(time.CLOCK_REALTIME, time.time() - seconds)


def ages(seen: Observation) -> dict[str, float]:
    """Returns all durations that kvtui shows as "since" or "ago"."""
    snapshot = seen.snapshot
    chosen = snapshot.chosen_keepalived
    found = {"uptime": snapshot.time - chosen.started} if chosen is not None else {}
    found |= {f"source {s.name.value}": snapshot.time - s.read_at for s in snapshot.sources if s.read_at}
    found |= {f"peer {a.last.source}": snapshot.time - a.last.received for a in snapshot.advertisers or ()}
    return found


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
async def test_the_clock_is_set_by_an_hour(make_cluster: MakeCluster, seconds: int) -> None:
    """At the next reading uptime and the ages of sources, adverts and dumps are right, and the state is unchanged."""
    cluster = make_cluster(FAULTS)
    peer = f"peer {cluster.wait_for_master().address}"
    backup = next(n for n in cluster.nodes if f"peer {n.address}" != peer)
    observer = Observer(NodeSource(pid=backup.keepalived_pid))
    try:
        deadline = time.monotonic() + 120
        while not ages(before := await observer.observe(timeout=5)).keys() >= {"uptime", "source vrrp", peer}:
            assert time.monotonic() < deadline, ages(before)
        began = time.monotonic()
        with clock_set(seconds):
            after = await observer.observe(timeout=5)
            passed = time.monotonic() - began
            old, new = ages(before), ages(after)
            assert new.keys() >= {"uptime", "source vrrp", peer}
            assert abs(new["uptime"] - old["uptime"] - passed) < 10, (old, new)
            assert all(-1 < age < 60 for name, age in new.items() if name != "uptime"), new
            assert [i.state for i in after.vrrp_instances or ()] == [i.state for i in before.vrrp_instances or ()]
            assert after.snapshot.instances is not None
            lasting = {f.id for f in after.findings or ()} - {f.id for f in before.findings or ()}
            assert not lasting, lasting
    finally:
        await observer.close()


def seconds_of_creation(node: Node) -> float:
    """Returns the seconds between the first and the last of the many addresses, by the kernel's timestamps."""
    with IPRoute(netns=node.netns) as route:
        created = {
            message.get("address"): message.get("cacheinfo")["cstamp"]
            for message in route.get_addr(family=socket.AF_INET)
        }
    times: list[int] = [created[vip] for vip in MANY_VIPS]
    return (max(times) - min(times)) / 100


@pytest.mark.long
async def test_500_vips_come_at_once(make_cluster: MakeCluster) -> None:
    node = make_cluster(replace(FAULTS, nodes=1)).wait_for_master()
    text = node.conf_path.read_text()
    extra = (
        "virtual_ipaddress_excluded {\n" + "".join(f"    {vip}\n" for vip in MANY_VIPS) + "  }\n  virtual_ipaddress {"
    )
    observer = Observer(NodeSource(pid=node.keepalived_pid))

    async def until_held(vips: int) -> None:
        deadline = time.monotonic() + 120
        while len({v.address for v in (await observer.observe()).vips or () if v.present}) != vips:
            assert time.monotonic() < deadline, f"not {vips} VIPs"

    try:
        await until_held(2)
        spans: list[float] = []
        while not spans or (spans[-1] > 1 and len(spans) < ATTEMPTS):
            await asyncio.to_thread(node.reload, text.replace("virtual_ipaddress {", extra, 1))
            await until_held(len(MANY_VIPS) + 2)
            spans.append(await asyncio.to_thread(seconds_of_creation, node))
            await asyncio.to_thread(node.reload, text)
            await until_held(2)
        print(f"{len(MANY_VIPS)} VIPs were added within {spans} s")
        assert spans[-1] <= 1  # else this was not the fault under test
    finally:
        await observer.close()


@pytest.mark.long
def test_the_log_of_an_earlier_keepalived_is_ignored(make_cluster: MakeCluster) -> None:
    """As after the clock was set back, the earlier line has a time after this keepalived's start."""
    node = make_cluster(replace(FAULTS, nodes=1)).wait_for_master()
    node.kill()
    later = time.asctime(time.localtime(time.time() + HOUR))
    with node.log_path.open("a") as log:
        log.write(f"{later}: (vips) received lower priority (101) advert from 10.4.0.4 - discarding\n")
    node.start()
    poll(lambda: set(node.spec.vips) <= node.addresses(), 60, "MASTER")
    report = operate(node, "failover", "vips", dry_run=True)
    assert any("Nothing is lost: the VIP stays here" in t for t in graded(report, "NOTE")), report


# --- ip_vs is loaded later


@pytest.mark.long
@pytest.mark.lab(spec=FAULTS)
def test_ip_vs_is_loaded_later(make_cluster: MakeCluster) -> None:
    """The module is missing when kvtui starts. Once it is loaded, kvtui shows the table without a restart."""
    node = make_cluster(FAULTS).wait_for_master()
    for netns in Path("/run/netns").iterdir():  # virtual servers keep the module loaded; the clusters are healed later
        subprocess.run(["ip", "netns", "exec", netns.name, "ipvsadm", "-C"], check=False)
    gone = subprocess.run(["modprobe", "-r", *MODULES.split()], capture_output=True, text=True, check=False)
    assert gone.returncode == 0, gone.stderr

    async def work() -> None:
        observer = Observer(NodeSource(pid=node.keepalived_pid))
        try:
            first = await observer.observe()
            assert first.virtual_servers is None
            detail = next(s.detail for s in first.snapshot.sources if s.name.value == "ipvs")
            assert "ip_vs is not loaded" in detail
            assert "modprobe ip_vs" in detail
            await asyncio.to_thread(subprocess.run, ["modprobe", "-a", *MODULES.split()], check=True)
            await asyncio.to_thread(node.exec, ["ipvsadm", "-A", "-t", "10.77.0.1:80", "-s", "rr"], check=True)
            deadline = time.monotonic() + 120
            while "10.77.0.1" not in {v.address for v in (await observer.observe()).virtual_servers or ()}:
                assert time.monotonic() < deadline, "kvtui shows no table"
        finally:
            await observer.close()

    try:
        asyncio.run(work())
    finally:
        subprocess.run(["modprobe", "-a", *MODULES.split()], check=True)
        node.exec(["ipvsadm", "-C"], check=True)
