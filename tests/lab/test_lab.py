"""The lab works as the other tests expect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.poll import poll
from tests.lab.spec import ECHO, NGINX, ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster


def test_exactly_one_node_holds_every_vip(cluster: Cluster) -> None:
    assert [node.name for node in cluster.holders(NGINX.vip)] == ["node-c"]
    assert [node.name for node in cluster.holders(ECHO.vip)] == ["node-c"]


def test_a_client_is_answered_by_a_real_server_of_that_vip(cluster: Cluster) -> None:
    assert cluster.wait_for_answer(NGINX.vip) in {"rs-1", "rs-2", "rs-3"}
    assert cluster.wait_for_answer(ECHO.vip) in {"rs-4", "rs-5"}


def test_requests_pass_ipvs(cluster: Cluster) -> None:
    cluster.client(["curl", "-s", "--local-port", "29001", f"http://{NGINX.vip}/"])
    assert "10.4.0.100:29001" in cluster.master().exec(["ipvsadm", "-Lcn"]).stdout


def test_ipvsadm_shows_the_real_servers_on_every_node(cluster: Cluster) -> None:
    for node in cluster.nodes:
        table = node.exec(["ipvsadm", "-Ln"]).stdout
        assert all(f"{real}:80" in table for real in (*NGINX.real_servers, *ECHO.real_servers))
        assert "Route" in table


def test_traffic_flows_to_every_vip(cluster: Cluster) -> None:
    def answered(*names: str) -> int:
        return sum(cluster.traffic().get(name, 0) for name in names)

    nginx, echo = answered("rs-1", "rs-2", "rs-3"), answered("rs-4", "rs-5")
    poll(lambda: answered("rs-1", "rs-2", "rs-3") > nginx, 20, "more answers from nginx")
    poll(lambda: answered("rs-4", "rs-5") > echo, 20, "more answers from echo")


def test_when_the_master_is_killed_another_node_takes_the_vip(cluster: Cluster) -> None:
    old = cluster.master()
    old.kill()
    others = [node for node in cluster.nodes if node is not old]
    poll(lambda: [n for n in others if NGINX.vip in n.addresses()], 20, "another holder")
    # a crash leaves the address: so two nodes may have a VIP (keepalived-vip issue 65)
    assert NGINX.vip in old.addresses()


def test_when_the_master_is_stopped_it_hands_the_vip_over(cluster: Cluster) -> None:
    old = cluster.master()
    old.stop()
    new = cluster.wait_for_master(among=[node for node in cluster.nodes if node is not old])
    assert new.name == "node-b"
    assert cluster.wait_for_answer(NGINX.vip).startswith("rs-")


def test_heal_restores_a_cluster(cluster: Cluster) -> None:
    cluster.node("node-a").kill()
    cluster.node("node-b").exec(
        ["ipvsadm", "-e", "-t", "10.4.0.50:80", "-r", "10.4.0.11:80", "-g", "-w", "0"], check=True
    )
    cluster.heal()
    assert cluster.master().name == "node-c"
    assert cluster.is_pristine()


def test_keepalived_looks_like_a_pod_from_its_node(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    proc = Path(f"/proc/{node.keepalived_pid}")
    ids = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("NSpid:"))
    assert ids.split() == ["NSpid:", str(node.keepalived_pid), "1"]
    assert (proc / "root/run/keepalived.pid").read_text().strip() == "1"
    assert (proc / "root/etc/keepalived/keepalived.conf").read_text() == node.conf_path.read_text()
    assert not Path("/run/keepalived.pid").exists()
    assert node.exec_in_pod(["cat", "/proc/1/comm"]).stdout.strip() == "keepalived"


def test_a_thread_can_enter_a_node_s_namespace(cluster: Cluster) -> None:
    def addresses() -> str:
        return Path("/proc/thread-self/net/fib_trie").read_text()

    assert "10.4.0.3\n" not in addresses()
    with cluster.node("node-a").inside():
        assert "10.4.0.3\n" in addresses()
    assert "10.4.0.3\n" not in addresses()


def test_addresses_are_those_that_ip_prints(cluster: Cluster) -> None:
    """The lab reads them without a process."""
    for node in cluster.nodes:
        [link] = json.loads(node.exec(["ip", "-j", "addr", "show", "dev", "eth0"], check=True).stdout)
        assert node.addresses() == {address["local"] for address in link["addr_info"]}
        assert len(node.addresses()) > 2  # IPv4, IPv6 and link-local


def test_a_reload_takes_the_new_config(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    node.reload(node.conf_path.read_text().replace("priority 100", "priority 150"))
    assert cluster.wait_for_master(among=[node]) is node


VARIANTS = {
    "unicast, nopreempt": ClusterSpec(unicast=True, preempt=False),
    "NAT": ClusterSpec(method="NAT", requests_per_second=0),
    "TUN": ClusterSpec(method="TUN", requests_per_second=0),
    "IPv6": ClusterSpec(ipv6=True, requests_per_second=0),
    "VRRP 2, persistence, two nodes": ClusterSpec(nodes=2, vrrp_version=2, advert_int=1, persistence=1800),
}


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_has_one_master_and_answers(
    make_cluster: Callable[[ClusterSpec], Cluster], spec: ClusterSpec
) -> None:
    cluster = make_cluster(spec)
    for service in spec.all_services:
        assert len(cluster.holders(service.vip)) == 1
        assert cluster.wait_for_answer(service.vip).startswith("rs-")
    assert cluster.is_pristine()


@pytest.mark.lab(spec=VARIANTS["unicast, nopreempt"])
def test_with_nopreempt_a_restarted_node_stays_backup(make_cluster: Callable[[ClusterSpec], Cluster]) -> None:
    cluster = make_cluster(VARIANTS["unicast, nopreempt"])
    old = cluster.master()
    old.stop()
    new = cluster.wait_for_master(among=[node for node in cluster.nodes if node is not old])
    before = len(old.log())
    old.start()
    poll(lambda: "Entering BACKUP STATE" in old.log()[before:], 20, lambda: f"the old master is BACKUP\n{old.log()}")
    assert cluster.master() is new
