"""Runs the sidecar of packaging/kubernetes with exactly its namespaces, capabilities, mounts and seccomp profile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.lab.poll import poll
from tests.lab.sidecar import Sidecar
from tests.lab.spec import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

    MakeCluster = Callable[[ClusterSpec], Cluster]

SPEC = ClusterSpec(persistence=60)
BITS = {"KILL": 5, "NET_ADMIN": 12, "NET_RAW": 13, "SYS_CHROOT": 18, "SYS_PTRACE": 19, "SYS_ADMIN": 21}  # capability.h
RIGHTS = """
cat /proc/self/status
for kind in net pid mnt; do
  [ "$(readlink /proc/self/ns/$kind)" = "$(readlink /proc/1/ns/$kind)" ] && echo "same: $kind"
done
touch /probe 2>&1; echo 1 2>&1 >/proc/sys/net/ipv4/vs/expire_nodest_conn; unshare -m true 2>&1
exit 0
"""
QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


def succeed(sidecar: Sidecar, *arguments: str) -> str:
    """Runs an action, which must succeed, and returns what it printed."""
    ran = sidecar.kvtui("--yes", *arguments)
    assert ran.returncode == 0, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout + ran.stderr


def expect_failure(sidecar: Sidecar, code: int, *arguments: str) -> str:
    """Runs an action, which must fail with this code, and returns what it printed."""
    ran = sidecar.kvtui("--yes", *arguments)
    assert ran.returncode == code, f"{arguments}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    assert "Traceback" not in ran.stderr
    return ran.stdout + ran.stderr


def not_ok(document: dict[str, Any]) -> dict[str, str]:
    """Returns the sources that are not ok, with their details; the test has no Kubernetes."""
    return {s["name"]: s["detail"] for s in document["sources"] if s["state"] != "ok" and s["name"] != "kubernetes"}


def weights(document: dict[str, Any]) -> list[int]:
    """Returns the weights of the first virtual server's real servers."""
    return [r["weight"] for r in document["virtual_servers"][0]["real_servers"]]


@pytest.mark.lab(spec=SPEC)
def test_the_container_has_exactly_the_rights_in_the_manifest(make_cluster: MakeCluster) -> None:
    sidecar = Sidecar(make_cluster(SPEC).master())
    printed = sidecar.run("sh", "-c", RIGHTS).stdout
    status = dict(re.findall(r"^(\w+):\s*(.*)$", printed, re.MULTILINE))
    exactly = sum(1 << BITS[name] for name in sidecar.capabilities)
    assert {int(status[f"Cap{name}"], 16) for name in ("Prm", "Eff", "Bnd")} == {exactly}
    assert {int(status[f"Cap{name}"], 16) for name in ("Inh", "Amb")} == {0}
    assert (status["Uid"].split()[0], status["NoNewPrivs"], status["Seccomp"]) == ("0", "1", "2")
    assert re.findall(r"^same: (\w+)$", printed, re.MULTILINE) == ["net", "pid"]
    assert printed.count("Read-only file system") == 2
    assert "unshare failed: Operation not permitted" in printed


@pytest.mark.lab(timeout=400, seconds=100, spec=SPEC)
def test_it_sees_keepalived_of_the_other_container_and_every_action_works(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(SPEC)
    node = cluster.master()
    sidecar = Sidecar(node)
    before = (node.conf_path.read_text(), node.keepalived_pid)

    document = sidecar.status()
    assert not_ok(document) == {}
    assert document["node"]["name"] == node.name
    [keepalived] = document["keepalived"]
    assert (keepalived["pid"], keepalived["version"]) == (1, node.version.text)
    assert {v["owner"] for v in document["vips"]} == {node.address}
    assert document["vrrp_instances"][0]["priority"] == 102
    assert weights(document) == [1, 1, 1]
    assert document["virtual_servers"][0]["stats"]["connections"] is not None

    seen = len(node.log())
    printed = succeed(sidecar, "reload")
    assert "could not be tested" not in printed
    assert poll(lambda: "Reload complete" in node.log()[seen:], 10, "the reload in keepalived's log")

    assert "seen in the kernel" in succeed(sidecar, "drain", "10.4.0.11", "--fix-persistence")
    assert "-r 10.4.0.11:80 -g -w 0" in node.ipvs()
    assert node.exec(["sysctl", "-n", QUIESCENT]).stdout == "1\n"  # /proc/sys is read-only in the container only
    succeed(sidecar, "undo")
    assert node.exec(["sysctl", "-n", QUIESCENT]).stdout == "0\n"
    succeed(sidecar, "drain", "10.4.0.12")
    assert "-r 10.4.0.12:80 -g -w 0" in node.ipvs()
    succeed(sidecar, "undrain", "10.4.0.12")  # a new container undrains
    assert node.is_pristine()

    assert "so have its adverts on the wire" in succeed(sidecar, "priority", "vips", "110")
    assert "priority 110\n" in node.conf_path.read_text()
    succeed(sidecar, "undo")
    assert node.conf_path.read_text() == before[0]

    succeed(sidecar, "failover", "vips", "--force")  # backups send no adverts, so this new kvtui knows no other node
    owner = cluster.wait_for_master(among=[n for n in cluster.nodes if n is not node])
    assert cluster.holders() == [owner]
    succeed(sidecar, "undo")
    assert cluster.wait_for_master(among=[node]) is node
    assert (node.conf_path.read_text(), node.keepalived_pid) == before

    journal = sidecar.kvtui("journal").stdout
    assert [verb for verb in ("reload", "drain", "undrain", "priority", "make 10.4.0.50") if verb not in journal] == []
    assert "vip-x7k2p" in journal  # the pod, from the downward API
    assert (sidecar.folder_of("kvtui-state") / "journal.jsonl").exists()


def without_net_admin(node: Node) -> None:
    sidecar = Sidecar(node, without=("NET_ADMIN",))
    document = sidecar.status()
    lost = not_ok(document)
    assert set(lost) == {"ipvs"}
    assert "NET_ADMIN" in lost["ipvs"]
    assert weights(document) == [1, 1, 1]
    assert "NET_ADMIN" in expect_failure(sidecar, 1, "drain", "10.4.0.11")
    assert node.is_pristine()
    assert "could not be tested" not in succeed(sidecar, "reload")


def without_net_raw(node: Node) -> None:
    sidecar = Sidecar(node, without=("NET_RAW",))
    document = sidecar.status()
    lost = not_ok(document)
    assert set(lost) == {"adverts"}
    assert "NET_RAW" in lost["adverts"]
    assert document["vips"][0]["owner"] == node.address  # from keepalived's dump
    assert "WARNING: adverts cannot be captured" in sidecar.kvtui("--dry-run", "failover", "vips").stdout
    succeed(sidecar, "drain", "10.4.0.11")
    succeed(sidecar, "undo")


def without_sys_ptrace(node: Node) -> None:
    sidecar = Sidecar(node, without=("SYS_PTRACE",))
    document = sidecar.status()
    lost = not_ok(document)
    assert set(lost) == {"keepalived", "conf", "vrrp"}
    assert all("SYS_PTRACE" in detail for detail in lost.values())
    assert weights(document) == [1, 1, 1]
    assert document["virtual_servers"][0]["stats"]["connections"] is not None
    assert "SYS_PTRACE" in expect_failure(sidecar, 3, "reload")
    assert "SYS_PTRACE" in expect_failure(sidecar, 1, "drain", "10.4.0.11")


def without_sys_chroot(node: Node) -> None:
    sidecar = Sidecar(node, without=("SYS_CHROOT",))
    assert not_ok(sidecar.status()) == {}
    warned = succeed(sidecar, "reload")  # the config is the running one
    assert "could not be tested" in warned
    assert "SYS_CHROOT" in warned
    text = node.conf_path.read_text()
    node.write_conf(text.replace("priority 102", "priority 104"))
    assert "SYS_CHROOT" in expect_failure(sidecar, 3, "reload")
    node.write_conf(text)
    succeed(sidecar, "drain", "10.4.0.11")
    succeed(sidecar, "undo")


CHECKS = {
    "NET_ADMIN": without_net_admin,
    "NET_RAW": without_net_raw,
    "SYS_PTRACE": without_sys_ptrace,
    "SYS_CHROOT": without_sys_chroot,
}


@pytest.mark.long
@pytest.mark.lab(timeout=400, seconds=100, spec=SPEC)
def test_without_one_capability_it_is_named_and_the_rest_works(make_cluster: MakeCluster) -> None:
    """KILL, DAC_OVERRIDE and SYS_ADMIN have no check: the test above works without them."""
    cluster = make_cluster(SPEC)
    node = cluster.master()
    assert set(Sidecar(node).capabilities) == set(CHECKS)
    for check in CHECKS.values():
        check(node)
    assert node.is_pristine()
    assert cluster.master() is node
