"""Drains and undrains by the command line, on real IPVS under a client's traffic."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.network import Network
from kvtui.actions.core.runner import ExitCode
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.drain.active_drains import active_drains, lost_drains
from kvtui.actions.steps.weight import SetWeight
from kvtui.backend.linux.namespaces import netns_inode
from kvtui.backend.linux.sysctls import read_sysctls
from kvtui.model.ipvs import Protocol, endpoint
from tests.lab.draining import WEB, held_connection, kvtui, network, observe, succeed
from tests.lab.poll import poll
from tests.lab.spec import CLIENTS, NGINX, NGINX6, ClusterSpec
from tests.signals import DEFAULT_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node
    from tests.lab.spec import Service

    MakeCluster = Callable[[ClusterSpec], Cluster]

PROJECT = Path(__file__).parents[2]
QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


def connections(node: Node, service: Service) -> dict[str, int]:
    """Returns the connections that each real server got so far; '' is the whole virtual server."""
    vip = endpoint(service.vip, service.port)
    text = node.exec(["ipvsadm", "-Ln", "--stats", "--exact", "-t", vip], check=True).stdout
    found = {}
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["TCP"]:
            found[""] = int(words[2])
        elif words[:1] == ["->"] and words[1][-1].isdigit():
            found[words[1]] = int(words[2])
    return found


def updated_connections(node: Node, service: Service) -> dict[str, int]:
    """Waits for the kernel's next update of the counters (every two seconds), and returns them."""
    before = connections(node, service)[""]
    poll(lambda: connections(node, service)[""] > before, 20, "a newer reading of the counters")
    return connections(node, service)


METHODS = {
    "DR": (ClusterSpec(), NGINX, "Route"),
    "NAT": (ClusterSpec(method="NAT", ipv6=True), NGINX, "Masq"),
    "TUN": (ClusterSpec(method="TUN", ipv6=True), NGINX, "Tunnel"),
    "IPv6 DR": (ClusterSpec(ipv6=True), NGINX6, "Route"),
    "IPv6 NAT": (ClusterSpec(method="NAT", ipv6=True), NGINX6, "Masq"),
    "IPv6 TUN": (ClusterSpec(method="TUN", ipv6=True), NGINX6, "Tunnel"),
}

SHORT = ("DR", "NAT", "IPv6 TUN")
"""Each method once, and IPv6 once; `make test-full` also runs the others."""


@pytest.mark.lab(timeout=600)
@pytest.mark.parametrize(
    ("spec", "service", "method"),
    [pytest.param(*v, id=name, marks=() if name in SHORT else pytest.mark.long) for name, v in METHODS.items()],
)
def test_a_drain_under_traffic_gets_no_new_connections_and_no_request_fails(
    make_cluster: MakeCluster, state: Path, spec: ClusterSpec, service: Service, method: str
) -> None:
    cluster = make_cluster(spec)
    node = cluster.master()
    before = node.ipvs()
    real = endpoint(service.real_servers[0], 80)
    failed = cluster.traffic()["failed"]

    succeed(node, state, "--reason", "kernel update", "drain", real, "--service", endpoint(service.vip, 80))
    line = next(text for text in before.splitlines() if f"-r {real} " in text)
    assert node.ipvs() == before.replace(line, line.replace("-w 1", "-w 0"))
    listing = node.exec(["ipvsadm", "-Ln"]).stdout
    assert re.search(rf"-> {re.escape(real)} +{method} +0 ", listing)
    start = updated_connections(node, service)
    poll(lambda: connections(node, service)[""] >= start[""] + 12, 60, "a dozen new connections")
    end = connections(node, service)
    assert end[real] == start[real]
    assert cluster.traffic()["failed"] == failed, cluster.describe()

    succeed(node, state, "undrain", real)
    assert node.ipvs() == before
    poll(lambda: connections(node, service)[real] > end[real], 60, "a new connection to the undrained server")
    assert cluster.traffic()["failed"] == failed, cluster.describe()
    first, second = Journal(state).entries()
    assert (first.verb, first.result, first.reason, first.who["user"]) == ("drain", "done", "kernel update", "anna")
    assert (second.verb, second.result) == ("undrain", "done")


def answer(client: subprocess.Popen[str], *, ask: bool = False) -> str:
    assert client.stdin
    assert client.stdout
    if ask:
        client.stdin.write("\n")
        client.stdin.flush()
    return client.stdout.readline().strip()


@pytest.mark.lab(timeout=600)
def test_an_open_connection_goes_on_and_wait_waits_for_it(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    with held_connection(cluster) as client:
        server = answer(client)
        real = endpoint(NGINX.real_servers[int(server[-1]) - 1], 80)
        timed_out = kvtui(node, state, "drain", real, "--wait", "--timeout", "3")
        assert timed_out.returncode == ExitCode.UNVERIFIED, timed_out.stderr
        assert "not empty after 3.0s: active 1," in timed_out.stderr
        assert "active 1, inactive" in timed_out.stderr
        assert answer(client, ask=True) == server
        env = {**os.environ, "KVTUI_STATE_DIR": str(state)}
        argv = [sys.executable, "-m", "kvtui", "--yes", "drain", real, "--wait"]
        argv = ["ip", "netns", "exec", node.netns, *argv]
        with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as waiting:
            assert waiting.stderr
            poll(lambda: "active 1, inactive" in waiting.stderr.readline(), 60, "progress", interval=0)  # type: ignore[union-attr] # it is there
            assert client.stdin
            client.stdin.close()  # this also closes the connection
            assert "weight 0, and empty: active 0, inactive" in waiting.stderr.read()
        assert waiting.returncode == 0
    succeed(node, state, "undrain", real)


def thresholds(node: Node) -> list[str]:
    """Returns the upper and lower threshold of rs-1, which `ipvsadm -S` does not print."""
    text = node.exec(["ipvsadm", "-Ln", "--thresholds"], check=True).stdout
    return next(line.split()[2:4] for line in text.splitlines() if "-> 10.4.0.11:80" in line)


@pytest.mark.lab(timeout=600)
def test_a_slow_drain_and_ctrl_c_during_it(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    node.exec(["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r", "10.4.0.11:80", "-g", "-w", "50", "-x", "900"], check=True)
    before = node.ipvs()
    assert "-r 10.4.0.11:80 -g -w 50\n" in before
    assert thresholds(node) == ["900", "0"]
    env = {**os.environ, "KVTUI_STATE_DIR": str(state)}
    argv = [*DEFAULT_SIGNALS, "ip", "netns", "exec", node.netns, sys.executable, "-m", "kvtui", "--yes"]
    argv = [*argv, "drain", "10.4.0.11", "--over", "90s"]
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as slow:
        poll(lambda: "-r 10.4.0.11:80 -g -w 45\n" in node.ipvs(), 60, "the first step")
        slow.send_signal(signal.SIGINT)
        assert slow.stderr
        assert "interrupted; everything was put back" in slow.stderr.read()
    assert slow.returncode == ExitCode.INTERRUPTED
    assert node.ipvs() == before
    succeed(node, state, "drain", "10.4.0.11", "--over", "9s")
    assert "-r 10.4.0.11:80 -g -w 0\n" in node.ipvs()
    assert thresholds(node) == ["900", "0"]
    succeed(node, state, "undo")
    assert node.ipvs() == before
    assert [e.result for e in Journal(state).entries()] == ["put back", "undone", "done"]


@pytest.mark.long
@pytest.mark.lab(timeout=600, spec=ClusterSpec(persistence=1800, requests_per_second=0))
def test_persistent_clients_leave_only_with_the_sysctl(make_cluster: MakeCluster, state: Path) -> None:
    cluster = make_cluster(ClusterSpec(persistence=1800, requests_per_second=0))
    node = cluster.master()

    def visit() -> list[str]:
        url = f"http://{NGINX.vip}/"
        return [cluster.client(["curl", "-sS", "--interface", c, "-m", "3", url]).stdout.strip() for c in CLIENTS]

    homes = visit()
    server = homes[0]
    real = NGINX.real_servers[int(server[-1]) - 1]
    printed = succeed(node, state, "drain", real)
    assert "clients that connected in the last 1800 s stay on" in printed
    assert visit() == homes
    succeed(node, state, "undrain", real)
    printed = succeed(node, state, "drain", real, "--fix-persistence", "--wait", "--timeout", "150")
    assert f"sysctl -w {QUIESCENT}=1" in printed
    assert read_sysctls(node.keepalived_pid)[QUIESCENT] == 1
    moved = visit()
    assert server not in moved
    assert "" not in moved
    assert [new for new, old in zip(moved, homes, strict=True) if old != server] == [h for h in homes if h != server]
    succeed(node, state, "undrain", real)
    assert read_sysctls(node.keepalived_pid)[QUIESCENT] == 0
    assert node.is_pristine()


@pytest.mark.lab(timeout=600)
def test_refusals(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    unknown = kvtui(node, state, "drain", "10.4.0.99")
    assert unknown.returncode == ExitCode.USAGE
    assert "no real server 10.4.0.99 in the kernel's table; it has 10.4.0.1" in unknown.stderr
    for other in NGINX.real_servers[1:]:
        succeed(node, state, "drain", other)
    before = node.ipvs()
    last = kvtui(node, state, "drain", NGINX.real_servers[0])
    assert last.returncode == ExitCode.REFUSED
    assert "is the last real server of 10.4.0.50:80 that takes connections" in last.stderr
    assert kvtui(node, state, "--read-only", "undrain", NGINX.real_servers[1]).returncode == ExitCode.REFUSED
    assert kvtui(node, state, "--dry-run", "undrain", NGINX.real_servers[1]).returncode == ExitCode.DONE
    assert node.ipvs() == before
    assert len(Journal(state).entries()) == 2


@pytest.mark.long
@pytest.mark.debian13
def test_a_hashing_scheduler_refuses_the_clients_of_a_drained_server(cluster: Cluster, state: Path) -> None:
    """kvtui refuses such a drain for this reason."""
    node = cluster.master()
    node.exec(["ipvsadm", "-E", "-t", "10.4.0.50:80", "-s", "sh"], check=True)

    def visit() -> list[str]:
        url = f"http://{NGINX.vip}/"
        return [cluster.client(["curl", "-s", "--interface", c, "-m", "2", url]).stdout.strip() for c in CLIENTS]

    homes = visit()
    assert "" not in homes
    real = NGINX.real_servers[int(homes[0][-1]) - 1]
    assert "whose hash leads to a real server of weight 0" in kvtui(node, state, "drain", real).stderr
    node.exec(["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r", f"{real}:80", "-g", "-w", "0"], check=True)
    assert "" in visit()
    node.exec(["ipvsadm", "-E", "-t", "10.4.0.50:80", "-s", "sh", "-b", "sh-fallback"], check=True)
    assert "" not in visit()


# --- drains that keepalived undoes


@pytest.mark.long
@pytest.mark.debian13
@pytest.mark.lab(timeout=600)
def test_a_reload_keeps_a_drain_unless_the_configured_weight_changes(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    succeed(node, state, "drain", "10.4.0.11")
    known = active_drains(Journal(state).entries())
    assert [(d.real, d.weight, d.who["user"]) for d in known] == [(("10.4.0.11", 80), 1, "anna")]
    conf = node.conf_path.read_text()
    node.reload(conf)
    assert lost_drains(observe(node), known) == ()
    node.reload(conf.replace("weight 1", "weight 3", 1))
    poll(lambda: "-r 10.4.0.11:80 -g -w 3" in node.ipvs(), 20, "the new configured weight")
    (lost,) = lost_drains(observe(node), known)
    assert lost.weight == 3
    assert "10.4.0.11:80 of 10.4.0.50:80 was drained by anna" in lost.sentence
    assert "the config has weight 3, before the drain it had 1: a reload or a check set it" in kvtui(
        node, state, "triage"
    ).stdout.replace("\n", " ")
    assert "the drain is closed" in succeed(node, state, "undrain", "10.4.0.11").replace("\n", " ")
    assert "drain-undone" not in kvtui(node, state, "triage").stdout
    assert active_drains(Journal(state).entries()) == ()


@pytest.mark.lab(timeout=600)
def test_a_flapping_health_check_undoes_a_drain_and_triage_reports_it(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    succeed(node, state, "drain", "10.4.0.11")
    known = active_drains(Journal(state).entries())
    link = ["ip", "-n", cluster.network.servers[0], "link", "set", "eth0"]
    subprocess.run([*link, "down"], check=True)
    poll(lambda: "10.4.0.11:80" not in node.ipvs(), 60, "the failed check")
    assert lost_drains(observe(node), known) == ()
    gone = SetWeight(network(node), WEB, ("10.4.0.11", 80), 1, 0)
    with pytest.raises(
        StepError, match=r"10\.4\.0\.11:80 is no longer in 10\.4\.0\.50:80: its health check removed it"
    ):
        gone.state()
    subprocess.run([*link, "up"], check=True)
    poll(lambda: "-r 10.4.0.11:80 -g -w 1" in node.ipvs(), 60, "the check that passes again")
    (lost,) = lost_drains(observe(node), known)
    assert (lost.drain.real, lost.weight) == (("10.4.0.11", 80), 1)
    triage = kvtui(node, state, "triage")
    assert triage.returncode == 1, triage.stdout
    assert (
        "the drain of 10.4.0.11:80 in 10.4.0.50:80 of anna was undone: it has weight 1 in the kernel" in triage.stdout
    )
    assert "its health check passed again: keepalived logged at " in triage.stdout.replace("\n", " ")
    assert "drain-undone" in kvtui(node, state, "-o", "json", "status").stdout
    remedy = shlex.split(
        next(line for line in triage.stdout.splitlines() if "kvtui drain" in line).strip(" >"), comments=True
    )
    succeed(node, state, *remedy[1:])
    assert lost_drains(observe(node), active_drains(Journal(state).entries())) == ()
    assert len(active_drains(Journal(state).entries())) == 1
    assert "drain-undone" not in kvtui(node, state, "triage").stdout


@pytest.mark.lab(timeout=600)
def test_drain_keep_drains_again(cluster: Cluster, state: Path) -> None:
    node = cluster.master()
    env = {**os.environ, "KVTUI_STATE_DIR": str(state)}
    argv = ["ip", "netns", "exec", node.netns, *DEFAULT_SIGNALS]
    argv += [sys.executable, "-m", "kvtui", "--yes", "drain", "10.4.0.11", "--keep"]
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as keeping:
        assert keeping.stderr
        poll(lambda: "keeping it drained" in keeping.stderr.readline(), 60, "the drain", interval=0)  # type: ignore[union-attr] # it is there
        node.exec(["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r", "10.4.0.11:80", "-g", "-w", "1"], check=True)
        poll(lambda: "-r 10.4.0.11:80 -g -w 0" in node.ipvs(), 60, "the drain is done again")
        poll(lambda: "(journal: " in keeping.stderr.readline(), 60, "the end of the drain", interval=0)  # type: ignore[union-attr] # it is there
        keeping.send_signal(signal.SIGINT)
        assert keeping.wait(120) == 0
    first, second = Journal(state).entries()
    assert (second.verb, second.result, second.reason) == ("drain", "done", f"kept drained ({first.id})")
    assert "-r 10.4.0.11:80 -g -w 0" in node.ipvs()


# --- another process, another weight, no permission


def test_the_namespace_is_found_again_after_its_process_has_ended(cluster: Cluster) -> None:
    node = cluster.master()
    inode = netns_inode(node.keepalived_pid)
    with subprocess.Popen(["true"]) as ended:
        pass
    step = SetWeight(Network(ended.pid, inode), WEB, ("10.4.0.11", 80), 1, 0)
    step.do()
    assert "-r 10.4.0.11:80 -g -w 0" in node.ipvs()
    step.undo()
    assert node.is_pristine()
    nowhere = SetWeight(Network(ended.pid, 1), WEB, ("10.4.0.11", 80), 1, 0)
    with pytest.raises(StepError, match="no process is in network namespace 1 any more"):
        nowhere.state()


@pytest.mark.debian13
def test_somebody_elses_weight_is_not_overwritten(cluster: Cluster) -> None:
    node = cluster.master()
    node.exec(["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r", "10.4.0.11:80", "-g", "-w", "7"], check=True)
    step = SetWeight(network(node), WEB, ("10.4.0.11", 80), 1, 0)
    assert step.state() is StepState.CONFLICT
    with pytest.raises(StepError, match=r"the weight of 10\.4\.0\.11:80 was set to 7 by something else"):
        step.do()
    assert "-r 10.4.0.11:80 -g -w 7" in node.ipvs()


@pytest.mark.debian13
def test_a_missing_virtual_server_is_reported(cluster: Cluster) -> None:
    node = cluster.master()
    step = SetWeight(network(node), (Protocol.TCP, NGINX.vip, 81, 0), ("10.4.0.11", 80), 1, 0)
    with pytest.raises(StepError, match=r"virtual server 10\.4\.0\.50:81 is no longer in the kernel"):
        step.state()


SET = """
from kvtui.actions.core.step import StepError
from kvtui.actions.core.network import Network
from kvtui.actions.steps.sysctl import SetSysctl
step = SetSysctl(Network(None, None), "expire_quiescent_template", 0, 1)
print(step.state().value)
try:
    step.do()
    print(step.state().value)
except StepError as why:
    print(why)
step.undo()
"""
READ_ONLY = 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"'


def test_a_read_only_proc_sys_is_reported(cluster: Cluster) -> None:
    node = cluster.master()
    python = ["env", f"PYTHONPATH={PROJECT}", sys.executable, "-c", SET]
    assert node.exec(python, check=True).stdout == "pending\napplied\n"
    printed = node.exec(["unshare", "-m", "sh", "-c", READ_ONLY, "sh", *python]).stdout
    assert printed.startswith("pending\nnet.ipv4.vs.expire_quiescent_template: /proc/sys is mounted read-only here")
