"""Finds real keepalived in its pods, and reads their namespaces from the node."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from kvtui.backend.linux import namespaces, processes, procfs
from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.model.keepalived import Children, PidFile
from tests.lab.node import children
from tests.lab.poll import poll

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

PID_FILES = ("keepalived", "vrrp", "checkers")


def keepalived_of(node: Node) -> Keepalived:
    found = processes.choose(processes.find(), node.keepalived_pid)
    assert found is not None
    return found


def children_by_pid_files(node: Node) -> Children:
    """Returns keepalived's children from the pid files, mapped to the node's PIDs by NSpid."""
    by_ns_pid = {procfs.ns_pids(pid)[-1]: pid for pid in children(node.keepalived_pid)}
    numbers = {name: int((node.folder / "run" / f"{name}.pid").read_text()) for name in ("vrrp", "checkers")}
    return Children(vrrp=by_ns_pid[numbers["vrrp"]], checker=by_ns_pid[numbers["checkers"]])


def test_every_pods_keepalived_is_found(cluster: Cluster) -> None:
    assert {k.pid for k in processes.find()} >= {node.keepalived_pid for node in cluster.nodes}


def test_keepalived_is_described_from_outside_its_pod(cluster: Cluster) -> None:
    node = cluster.master()
    k = keepalived_of(node)
    assert (k.ns_pid, k.version, k.uid, k.dumps_json) == (1, node.version.text, 0, True)
    assert k.argv[1:] == ("--dont-fork", "--log-console", "--log-detail", "--release-vips")
    assert (k.conf, k.root, k.tmpdir) == ("/etc/keepalived/keepalived.conf", f"/proc/{k.pid}/root", "/tmp")
    assert Path(k.outside(k.conf)).read_text() == node.conf_path.read_text()
    assert k.children == children_by_pid_files(node)
    assert k.pid_files == tuple(
        PidFile(f"/run/{name}.pid", int((node.folder / "run" / f"{name}.pid").read_text()), stale=False)
        for name in PID_FILES
    )
    assert k.own_netns is False
    assert k.netns == Path(f"/run/netns/{node.netns}").stat().st_ino
    assert abs(k.started - Path(f"/proc/{k.pid}").stat().st_ctime) < 30


def test_children_are_known_without_pid_files_and_with_stale_ones(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    expected = children_by_pid_files(node)
    for name in PID_FILES:
        (node.folder / "run" / f"{name}.pid").unlink()
    without = keepalived_of(node)
    assert (without.children, without.pid_files) == (expected, ())
    for name in PID_FILES:
        (node.folder / "run" / f"{name}.pid").write_text("31999\n")
    stale = keepalived_of(node)
    assert stale.children == expected
    assert [file.stale for file in stale.pid_files] == [True, True, True]
    node.kill()
    node.start()


def test_a_respawned_child_is_found(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    old = keepalived_of(node).children
    assert old.checker is not None
    os.kill(old.checker, 9)

    def respawned() -> bool:
        new = keepalived_of(node).children
        return new.vrrp == old.vrrp and new.checker not in {None, old.checker}

    poll(respawned, 20, "a new checker")
    assert keepalived_of(node).children == children_by_pid_files(node)


def test_in_a_nodes_own_network_its_keepalived_is_the_default(cluster: Cluster) -> None:
    node = cluster.node("node-b")
    script = "from kvtui.backend.linux.processes import *; k = choose(find()); print(k.pid, k.own_netns)"
    done = node.exec([sys.executable, "-c", script], check=True)
    assert done.stdout.split() == [str(node.keepalived_pid), "True"]


def test_a_socket_is_opened_in_another_namespace_while_the_process_stays(cluster: Cluster) -> None:
    node = cluster.master()
    before = namespaces.netns_inode()

    def bind() -> socket.socket:
        assert namespaces.netns_inode("self") == before, "the process stays in its namespace"
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.bind((node.address, 0))  # only that namespace has this address
        return opened

    with namespaces.open_in_network(node.keepalived_pid, bind) as opened:
        assert opened.getsockname()[0] == node.address
    assert Path("/proc/thread-self/ns/net").stat().st_ino == before


def test_without_root_the_error_names_the_capability(cluster: Cluster) -> None:
    node = cluster.master()
    script = (
        "import os; from kvtui.backend.linux import namespaces, processes\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "k = processes.choose(processes.find(), PID)\n"
        "print(k.ns_pid, k.netns, k.version, k.children.vrrp)\n"
        "try: namespaces.open_in_network(PID, int)\n"
        "except PermissionError as error: print(error)\n"
    )
    done = node.exec([sys.executable, "-c", script.replace("PID", str(node.keepalived_pid))], check=True)
    first, second = done.stdout.splitlines()
    assert first == f"1 None None {children_by_pid_files(node).vrrp}"
    assert "CAP_SYS_PTRACE" in second


def test_the_last_config_stays_while_the_pod_ends(cluster: Cluster) -> None:
    """PID 1 of a pod stays, without files and not as a zombie, until all other processes of the pod are reaped."""
    master = cluster.master()
    pid = master.keepalived_pid
    layer = ConfLayer(keepalived_of(master))
    layer.read(1.0)
    conf = layer.file
    assert conf is not None
    with subprocess.Popen(["nsenter", "-t", str(pid), "-p", "sleep", "600"]) as held:
        poll(lambda: children(held.pid), 60, "the process in the pod")
        held.send_signal(signal.SIGSTOP)  # so it reaps no process
        try:
            poll(lambda: psutil.Process(held.pid).status() == psutil.STATUS_STOPPED, 60, "it is stopped")
            os.kill(pid, signal.SIGKILL)
            poll(lambda: procfs.program(pid) == "", 60, "keepalived ends")
            assert psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
            layer.read(2.0)
            assert layer.file is conf
            assert layer.source().detail == "as last read: keepalived has ended"
        finally:
            held.send_signal(signal.SIGCONT)
            poll(lambda: not master.running(), 60, "the pod ends")
            master.kill()  # updates the lab's state
