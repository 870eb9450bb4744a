"""Each finding is reported on its real condition, on a cluster of keepalived-vip with a Kubernetes API.

Each step breaks several independent things, waits until triage has reported each, and repairs them.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.lab.conditions import (
    BAD_ADVERTS,
    EXTRA,
    child_pids,
    connect,
    ipvsadm,
    ns_pid,
    restore_ipvs,
    second_keepalived,
    sysctl,
)
from tests.lab.network import command
from tests.lab.node import children
from tests.lab.poll import poll
from tests.lab.remedies import HEALS
from tests.lab.rogue import advert_v2, sending
from tests.lab.spec import NGINX, NGINX6, ClusterSpec
from tests.lab.watching import FINDINGS_SEEN, REMEDIES_RUN, Watch, expect_no_findings_anywhere, watching

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.node import Node as LabNode

VIP, PODS = NGINX.vip, NGINX.real_servers
SPEC = ClusterSpec(preempt=False, advert_int=1, method="NAT", persistence=1800, services=(NGINX,))
"""As in keepalived-vip's template: NAT, nopreempt, persistence 1800. VRRP version 2 needs whole seconds."""


def nginx(*pods: str, unready: tuple[str, ...] = ()) -> objects.Object:
    """Returns the EndpointSlice with these addresses."""
    ends = (objects.endpoint(ip, f"nginx-{ip[-1]}", ready=ip not in unready, node="node-a") for ip in pods)
    return objects.endpointslice("nginx", *ends, port=80)


@pytest.mark.parametrize(
    "spec",
    [ClusterSpec(ipv6=True, requests_per_second=0), ClusterSpec(unicast=True, method="TUN", requests_per_second=0)],
    ids=["IPv6, direct, preempt", "unicast, tunnel"],
)
async def test_a_healthy_cluster_has_no_findings(
    make_cluster: Callable[[ClusterSpec], Cluster], spec: ClusterSpec
) -> None:
    cluster = make_cluster(spec)
    await expect_no_findings_anywhere(cluster)
    if spec.ipv6:
        await check_duplicate_address(next(n for n in cluster.nodes if n is not cluster.master(NGINX6.vip)))


async def check_duplicate_address(node: LabNode) -> None:
    """Adds the IPv6 VIP to a backup, so that the kernel detects the master's."""
    async with watching(node) as watch:
        node.exec(["ip", "addr", "add", f"{NGINX6.vip}/128", "dev", "eth0"], check=True)
        await watch.until("vip-duplicate-detected")
        node.exec(["ip", "addr", "del", f"{NGINX6.vip}/128", "dev", "eth0"], check=True)


@pytest.mark.lab(timeout=1200, seconds=300, spec=SPEC)
async def test_each_condition_is_reported(
    make_cluster: Callable[[ClusterSpec], Cluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as in a sidecar, so that kvtui finds the DaemonSet and the other controller pods
    monkeypatch.setenv("POD_NAMESPACE", "default")
    monkeypatch.setenv("POD_NAME", "kube-keepalived-vip-node-a")
    cluster = make_cluster(SPEC)
    nodes = {node.name: node.address for node in cluster.nodes}
    with FakeCluster() as api:
        api.put(*objects.tutorial(VIP, nodes, PODS, target_port=80), nginx(*PODS))
        config = api.kubeconfig(tmp_path / "kubeconfig")
        await expect_no_findings_anywhere(cluster, config)
        node = cluster.master(VIP)
        async with watching(node, config) as watch:
            await check_kernel(watch, node)
            await check_controller(node, config, api)
            await check_api(watch, node, api)
            await check_config(watch, node)
        node = cluster.wait_for_master(VIP)  # a FAULT moved the VIP, and no node preempts
        await check_exit_code(cluster, node)
        await check_backup(next(n for n in cluster.nodes if n is not node), SPEC.priority(node.index))
        await check_adverts(cluster, config, api)
        await check_crashes(cluster)
    assert len(FINDINGS_SEEN) >= 64, sorted(FINDINGS_SEEN)
    wrong = [text for texts in REMEDIES_RUN.values() for text in texts]
    assert wrong == [], "\n\n".join(wrong)
    assert set(HEALS) <= REMEDIES_RUN.keys(), sorted(set(HEALS) - REMEDIES_RUN.keys())


async def check_kernel(watch: Watch, node: LabNode) -> None:
    """Changes the IPVS table, sysctls, interfaces and a pid file, and starts a second keepalived."""
    saved = node.ipvs()
    one, two, three = (f"-t {VIP}:80 -r {pod}:80" for pod in PODS)
    pid_file = node.folder / "run" / "vrrp.pid"
    pid = pid_file.read_text()
    other = second_keepalived(node)
    try:
        pid_file.write_text("4242\n")
        node.exec(["ip", "link", "add", "kube-ipvs0", "type", "dummy"], check=True)
        node.exec(["ip", "link", "add", "wrong0", "type", "dummy"], check=True)
        node.exec(["ip", "addr", "add", f"{VIP}/32", "dev", "wrong0"], check=True)
        connect(node)  # creates persistence templates for the server drained below
        sysctl(node, ip_forward=0)
        ipvsadm(node, f"-e {one} -m -w 7 -x 1", f"-d {two}", f"-a -t {VIP}:80 -r 10.4.0.14:80 -m -w 1")
        ipvsadm(node, f"-A -t {VIP}:8443 -s wlc", f"-E -t {VIP}:80 -s rr -p 1800")
        ipvsadm(node, f"-e {three} -m -w 0")
        await watch.until(
            "weight-differs", "real-server-not-in-kernel", "persistence-pins-removed", "real-server-not-in-config",
            "endpoint-gone-in-ipvs", "virtual-server-not-in-config", "virtual-server-differs", "drained",
            "ip-forward-off", "kube-proxy-ipvs", "stale-pid-file", "two-keepalived", "real-server-full",
            "persistence-pins-drained", "vip-on-wrong-interface",
        )  # fmt: skip
        await watch.heal(node, "two-keepalived")
        other.kill()
        other.wait()
        await watch.heal(
            node,
            *("vip-on-wrong-interface", "endpoint-gone-in-ipvs", "real-server-not-in-config", "weight-differs"),
            *("virtual-server-differs", "virtual-server-not-in-config", "persistence-pins-drained"),
            *("persistence-pins-removed", "drained", "ip-forward-off", "stale-pid-file"),
        )
        ipvsadm(node, f"-e {one} -m -w 0", f"-e {three} -m -w 0")
        await watch.until("no-live-real-server")
        await watch.heal(node, "no-live-real-server")
        ipvsadm(node, "-C")
        await watch.until("virtual-server-not-in-kernel")
    finally:
        other.kill()
        other.wait()
        pid_file.write_text(pid)
        sysctl(node, ip_forward=1, **{"vs/expire_quiescent_template": 0, "vs/expire_nodest_conn": 0})
        for link in ("kube-ipvs0", "wrong0"):
            node.exec(["ip", "link", "del", link], check=True)
        restore_ipvs(node, saved)
    await watch.until_no_findings()


async def check_controller(node: LabNode, config: Path, api: FakeCluster) -> None:
    """Breaks what the controller reads and sets on its node; observes through the controller's own keepalived."""
    before = api.get("configmaps", *objects.CONFIGMAP)
    nodes = {n["metadata"]["name"]: n for n in api.all("nodes")}
    pod = second_keepalived(node)
    try:
        api.put(objects.configmap({VIP: "default/nginx:PROXY"}))
        api.put(*(objects.node(name, "10.4.9.9") for name in {*nodes, platform.node()}))
        sysctl(node, **{"vs/conntrack": 0, "ip_nonlocal_bind": 0})
        pid = poll(lambda: [k for c in children(pod.pid) for k in children(c)], 20, "a keepalived of the controller")[0]
        async with watching(node, config, pid) as watch:
            await watch.until(
                "proxy-without-mode", "ip-nonlocal-bind-off", "vs-conntrack-off", "node-address-missing"
            )  # fmt: skip
            await watch.heal(node, "ip-nonlocal-bind-off", "vs-conntrack-off")
    finally:
        pod.kill()
        pod.wait()
        sysctl(node, **{"vs/conntrack": 1, "ip_nonlocal_bind": 1})  # the lab's initial values
        api.put(before, *nodes.values())
        if platform.node() not in nodes:
            api.delete("nodes", "", platform.node())


async def check_api(watch: Watch, node: LabNode, api: FakeCluster) -> None:
    """Breaks ConfigMap, Services, endpoints, pods and rights."""
    before = [api.get("configmaps", *objects.CONFIGMAP), api.get("pods", "default", "kube-keepalived-vip-node-b")]
    entries = {
        VIP: "default/nginx\nother/line",
        "10.4.0.98": "default/nginx:nat",
        "10.4.0.97": "shop/none",
        "10.4.0.96": "shop/waiting",
        "10.4.0.95": "shop/good",
    }
    wanted = objects.configmap(entries)
    wanted["metadata"]["annotations"] = {"k8s.co/cloud-provider-config": "x"}
    crashing = objects.controller_pod("node-b", "10.4.0.4", ready=False)
    crashing["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    api.put(
        objects.service("waiting", "shop", clusterIP="10.96.0.11"),
        objects.endpointslice("waiting", objects.endpoint("10.4.0.15", ready=False), namespace="shop"),
        objects.service("good", "shop", clusterIP="10.96.0.12"),
        objects.endpointslice("good", objects.endpoint("10.4.0.15"), namespace="shop"),
        nginx(*PODS, "10.4.0.14", unready=(PODS[0],)),
        crashing,
        wanted,
    )
    api.forbid("nodes")
    api.cut()
    await watch.until(
        "mapping-odd", "mapping-error", "service-missing", "no-ready-endpoints", "mapping-not-served",
        "running-not-expected", "endpoint-not-ready-in-ipvs", "endpoint-not-in-ipvs", "configmap-owned",
        "controller-not-ready", "rbac-missing",
    )  # fmt: skip
    await watch.heal(node, "endpoint-not-ready-in-ipvs")
    ipvsadm(node, f"-e -t {VIP}:80 -r {PODS[0]}:80 -m -w 1")
    api.allow("nodes")
    api.delete("configmaps", *objects.CONFIGMAP)
    await watch.until("configmap-missing")
    api.put(*before, nginx(*PODS))
    api.cut()


async def check_config(watch: Watch, node: LabNode) -> None:
    """Breaks the file and the running config."""
    text = node.conf_path.read_text()
    lowered = text.replace(f"priority {SPEC.priority(node.index)}", "priority 90")
    assert lowered != text
    node.write_conf(lowered)
    await watch.until("config-not-reloaded")
    await watch.heal(node, "config-not-reloaded")
    node.reload(text.replace("lvs_sched wlc", "lvs_sched rr"))
    node.write_conf(text)
    await watch.until("config-overwritten")
    node.write_conf(f"{text}\ninclude /nowhere.conf\n}}\n")
    await watch.until("config-syntax", "config-include")
    await watch.heal(node, "config-syntax")
    node.write_conf("")
    await watch.until("config-empty")
    node.conf_path.unlink()
    await watch.until("config-missing")
    node.reload(text + EXTRA)
    await watch.until(
        "port-changed-by-direct-routing", "virtual-server-without-vip", "udp-with-tcp-check", "real-server-down"
    )
    script = 'vrrp_script chk_lab {\n  script "/usr/bin/false"\n  interval 1\n  fall 1\n  user root\n}\n'
    tracked = "nopreempt\n  track_script {\n    chk_lab weight -2\n  }"
    node.reload(script + text.replace("nopreempt", tracked))
    await watch.until("nopreempt-keeps-lowered-master", "weight-with-nopreempt")
    assert "Script chk_lab fails" in watch.reported["nopreempt-keeps-lowered-master"].title
    node.reload(script + text.replace("nopreempt", tracked.replace("nopreempt\n", "").replace(" weight -2", "")))
    await watch.until("instance-fault")
    assert "script chk_lab fails" in watch.reported["instance-fault"].title
    node.reload(text)


def has_all_real_servers(node: LabNode) -> bool:
    """Whether the table has all real servers: then no passing health check changes it any more."""
    table = node.exec(["ipvsadm", "-Ln"], check=True).stdout
    return all(f"{pod}:80" in table for pod in PODS)


async def check_exit_code(cluster: Cluster, node: LabNode) -> None:
    """Runs the command on a node with a warning, and on one without the right to capture."""
    argv = [sys.executable, "-m", "kvtui", "--no-kube", "-o", "json", "triage"]
    ipvsadm(node, f"-e -t {VIP}:80 -r {PODS[0]}:80 -m -w 7")
    backup = next(other for other in cluster.nodes if other is not node)
    warned, blind = await asyncio.gather(
        asyncio.to_thread(node.exec, argv),
        asyncio.to_thread(backup.exec, ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", *argv]),
    )
    ipvsadm(node, f"-e -t {VIP}:80 -r {PODS[0]}:80 -m -w 1")

    assert [f["id"] for f in json.loads(warned.stdout)["findings"]] == ["weight-differs"], warned.stderr
    assert warned.returncode == 1
    assert json.loads(blind.stdout)["findings"] == [], blind.stdout
    assert blind.returncode == 3
    assert "triage is incomplete: adverts:" in blind.stderr


async def check_backup(node: LabNode, highest: int) -> None:
    """Adds wrong addresses, and sets priority and interval unlike the master's."""
    text = node.conf_path.read_text()
    async with watching(node) as watch:
        await watch.until_no_findings()
        node.exec(["ip", "link", "set", "tunl0", "up"], check=True)
        for link in ("eth0", "lo", "tunl0"):
            node.exec(["ip", "addr", "add", f"{VIP}/32", "dev", link], check=True)
        node.exec(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter"], check=True)
        await watch.until("vip-on-backup", "arp-ignore-off", "rp-filter-strict")
        await watch.heal(node, "vip-on-backup", "arp-ignore-off", "rp-filter-strict")
        for link in ("lo", "tunl0"):
            node.exec(["ip", "addr", "del", f"{VIP}/32", "dev", link], check=True)
        sysctl(node, **{"conf/all/arp_ignore": 0, "conf/all/arp_announce": 0})
        tie = text.replace(f"priority {SPEC.priority(node.index)}", f"priority {highest}")
        node.reload(tie.replace("advert_int 1", "advert_int 2"))
        await watch.until("priority-tie", "advert-interval-differs")
        await watch.heal(node, "priority-tie")
        node.reload(text)
        await watch.until_no_findings()


def set_isolated(cluster: Cluster, *, on: bool) -> None:
    """Isolates the nodes from each other, or ends that. Clients and real servers stay reachable."""
    for netns in cluster.network.nodes:
        command(["bridge", "link", "set", "dev", f"{netns}-l", "isolated", "on" if on else "off"])


async def check_adverts(cluster: Cluster, kubeconfig: Path, api: FakeCluster) -> None:
    """Blocks other nodes' adverts, and sends invalid and competing ones."""
    b, c = cluster.nodes[1:]
    text, own = b.conf_path.read_text(), c.conf_path.read_text()
    for pod in api.all("pods"):
        pod["status"]["startTime"] = "2001-01-01T00:00:00Z"
        api.put(pod)
    set_isolated(cluster, on=True)
    b.stop()
    b.start()  # it receives no adverts and becomes master
    async with watching(b, kubeconfig) as watch:
        await watch.until("multicast-blocked")
    first = text.replace("priority 101", "priority 110")
    async with watching(c) as watch:
        b.reload(first.replace(VIP, f"{VIP}\n    10.4.0.77", 1))
        set_isolated(cluster, on=False)
        await watch.until("vip-lists-differ")
        if c.version.rejects_other_vips:
            await watch.until("two-masters")
        else:
            assert cluster.wait_for_master(VIP, among=[b]) is b
            assert "two-masters" not in await watch.observe()
        b.reload(text.replace(VIP, "10.4.0.77", 1))
        await watch.until("vrid-collision")
        second = text.replace("vrrp_version 3", "vrrp_version 2")
        b.stop()
        # a forged sender with another interval: a master restarts its timer with each advert, even a rejected one, so
        # two masters with the same interval silence each other in turn
        with sending(b.netns, advert_v2(SPEC.vrid, 101), interval=1.4):
            b.exec([sys.executable, "-c", BAD_ADVERTS], check=True)
            await watch.until("vrrp-version-differs", "bad-adverts", "two-masters")
        b.write_conf(
            second.replace("advert_int", "authentication {\n auth_type PASS\n auth_pass lab\n }\n  advert_int")
        )
        b.start()
        c.reload(own.replace("vrrp_version 3", "vrrp_version 2"))
        await watch.until("vrrp-auth-differs")
        peers = "unicast_src_ip 10.4.0.4\n  unicast_peer {\n    10.4.0.5\n  }\n"
        b.reload(first.replace("advert_int", f"{peers}\n  advert_int"))
        await watch.until("unicast-peers-wrong")
    b.reload(text)


def vrrp_child(node: LabNode) -> int:
    known = [int(p) for p in (node.folder / "run" / "vrrp.pid").read_text().split()]
    return next(p for p in child_pids(node) if ns_pid(p) in known)


async def check_crashes(cluster: Cluster) -> None:
    """Stops a child, kills keepalived, and sets a link down, until no node is master."""
    a, b, c = cluster.nodes
    for node in (a, b):
        node.stop()
    cluster.wait_for_master(VIP, among=[c])
    vrrp = vrrp_child(c)
    async with watching(c) as watch:
        await watch.observe()
        os.kill(vrrp, signal.SIGSTOP)
        await watch.until("vip-held-no-advert")
        await watch.heal(c, "vip-held-no-advert")
        os.kill(c.keepalived_pid, signal.SIGSTOP)  # else keepalived restarts the child at once
        os.kill(vrrp, signal.SIGKILL)
        await watch.until("keepalived-child-missing")
        await watch.heal(c, "keepalived-child-missing")
        c.kill()
        a.start()
        command(["ip", "link", "set", f"{a.netns}-l", "down"])
        await watch.until("keepalived-not-running", "vip-left-behind")
        await watch.heal(c, "vip-left-behind")
    async with watching(a) as watch:
        await watch.until("instance-fault")  # without carrier kvtui cannot report that no node is master
        await watch.heal(a, "instance-fault")
        vrrp = vrrp_child(a)
        os.kill(vrrp, signal.SIGSTOP)
        try:
            command(["ip", "link", "set", f"{a.netns}-l", "up"])
            await watch.until("no-master")
            await asyncio.to_thread(poll, lambda: has_all_real_servers(a), 120, "its health checks have passed")
            await watch.heal(a, "no-master")  # before it becomes master by itself
        finally:
            os.kill(vrrp, signal.SIGCONT)
