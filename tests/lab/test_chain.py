"""The tutorial's VIP 10.87.2.50 → default/nginx: all layers are ok, then each one is broken and named, one by one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.connect import connect
from kvtui.backend.node import Node
from kvtui.model.settings import KubeSettings
from kvtui.observer import Observer
from kvtui.rules.chain import LAYERS, ChainIndex, Layer, Mark, chain_of, connect_link, first_break, port_chain
from kvtui.rules.chain.index import Port
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.lab.network import command
from tests.lab.node import setns
from tests.lab.spec import ClusterSpec, Service, real4

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from kvtui.model.connect import Connect
    from kvtui.rules.chain import Links
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node as LabNode

VIP = "10.87.2.50"
PODS = tuple(real4(n) for n in (1, 2, 3))
MARKED, GROUPED = "10.87.2.51", "10.87.2.52"
NGINX = Service("default-nginx", VIP, PODS)
SPEC = ClusterSpec(preempt=False, advert_int=1, method="NAT", persistence=1800, services=(NGINX,))
"""As in keepalived-vip's template: NAT, nopreempt, persistence 1800."""
CONFIGMAP = "/".join(objects.CONFIGMAP)
TIMEOUT = 120.0


def write(node: LabNode, *pods: str) -> None:
    """Writes the node's config for these endpoints, as the controller does."""
    node.write_conf(replace(SPEC, services=(replace(NGINX, real_servers=pods),)).conf(node.index))


def nginx(*pods: str, unready: tuple[str, ...] = ()) -> objects.Object:
    """Returns the EndpointSlice with these addresses."""
    return objects.endpointslice(
        "nginx",
        *(objects.endpoint(ip, f"nginx-{ip[-1]}", ready=ip not in unready, node="node-a") for ip in pods),
        port=80,
    )


class Watcher:
    """Observes one node with one observer until its chain is as expected."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.index: ChainIndex | None = None

    async def read_chain(self) -> Links:
        self.index = ChainIndex(await self.observer.observe())
        return chain_of(self.index, VIP)

    async def until(self, layer: Layer | None) -> Links:
        """Waits until exactly this layer is broken; with None, until all layers are ok."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            links = await self.read_chain()
            broken = [link.layer for link in links if link.mark is Mark.BROKEN]
            if broken == [layer] or (layer is None and {link.mark for link in links} == {Mark.OK}):
                return links
            marks = "\n".join(f"{link.layer.value}: {link.mark.value}: {link.detail}" for link in links)
            assert time.monotonic() < deadline, f"not {layer or 'all ok'}:\n{marks}"
            await asyncio.sleep(0.05)

    async def ipvs(self, address: str, port: Port | None, mark: Mark, detail: str) -> None:
        """Waits until the IPVS layer of another VIP has this mark and a detail that begins with this text."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            self.index = ChainIndex(await self.observer.observe())
            found = next(k for k in port_chain(self.index, address, port) if k.layer is Layer.IPVS)
            if found.mark is mark and found.detail.startswith(detail):
                return
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.05)

    async def expect_break(self, layer: Layer, *words: str) -> None:
        """Waits until the chain's first break is this layer, with these words in its detail, and with a remedy."""
        found = first_break(await self.until(layer))
        assert found is not None
        assert found.layer is layer
        assert found.remedy
        for word in words:
            assert word in found.detail


@asynccontextmanager
async def watching(node: LabNode, kubeconfig: Path) -> AsyncIterator[Watcher]:
    kube = KubeSettings(kubeconfig=str(kubeconfig), configmap=CONFIGMAP)
    observer = Observer(Node(pid=node.keepalived_pid, kube=kube))
    try:
        yield Watcher(observer)
    finally:
        await observer.close()


def cli(node: LabNode, kubeconfig: Path | None, *form: str) -> subprocess.CompletedProcess[str]:
    """Runs ``kvtui trace``, with ``--no-kube`` if there is no kubeconfig."""
    api = ["--no-kube"] if kubeconfig is None else ["--kubeconfig", str(kubeconfig), "--configmap", CONFIGMAP]
    argv = [sys.executable, "-m", "kvtui", *api, "--pid", str(node.keepalived_pid), "trace", VIP, *form]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)


def connect_from(netns: str, address: str, port: int) -> Connect:
    """Connects from another network namespace; call it in a thread."""
    with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{netns}").open() as there:
        setns(there.fileno())
        try:
            return asyncio.run(connect(address, port, 3.0))
        finally:
            setns(home.fileno())


@pytest.mark.lab(timeout=400, seconds=60, spec=SPEC)
async def test_all_layers_are_ok_then_each_broken_one_is_named_alone(
    make_cluster: Callable[[ClusterSpec], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(SPEC)
    master = cluster.master(VIP)  # with nopreempt any node may be master
    nodes = {node.name: node.address for node in cluster.nodes}
    with FakeCluster() as api:
        api.put(*objects.tutorial(VIP, nodes, PODS, target_port=80))
        api.put(nginx(*PODS))
        config = api.kubeconfig(tmp_path / "kubeconfig")
        async with watching(master, config) as watcher:
            whole = await watcher.until(None)
            assert [link.layer for link in whole] == list(LAYERS)
            assert all(link.age is not None and link.age < TIMEOUT for link in whole)
            assert "nginx-1 on node-a (10.4.0.11:80)" in whole[2].detail
            await check_cluster_layers(watcher, api)
            await check_node_layers(watcher, api, cluster, master, config)
            await check_fwmarks_and_groups(watcher, master)


async def check_cluster_layers(watcher: Watcher, api: FakeCluster) -> None:
    """Breaks ConfigMap, Service and endpoints."""
    api.put(objects.configmap({}))
    await watcher.expect_break(Layer.CONFIGMAP, "has no entry for 10.87.2.50")
    api.put(objects.configmap({VIP: "default/nginx"}))
    await watcher.until(None)

    api.delete("services", "default", "nginx")
    await watcher.expect_break(Layer.SERVICE, "the API has no Service default/nginx")
    api.put(objects.service("nginx", ports=((80, 80),)))
    await watcher.until(None)

    api.put(nginx(*PODS, unready=PODS))
    await watcher.expect_break(Layer.ENDPOINTS, "none of its 3 endpoints is ready", "nginx-2")
    api.put(nginx(*PODS))
    await watcher.until(None)


async def check_node_layers(
    watcher: Watcher, api: FakeCluster, cluster: Cluster, master: LabNode, config: Path
) -> None:
    """Breaks config file, running config, IPVS, VRRP owner and address."""
    write(master, *PODS[:2])
    await watcher.expect_break(Layer.CONF, "lacks ready endpoint 10.4.0.13:80 (pod default/nginx-3)")
    write(master, *PODS)
    await watcher.until(None)

    api.put(nginx(*PODS, unready=PODS[2:]))  # one endpoint of three is not ready; the file still has it
    await watcher.expect_break(Layer.CONF, "has 10.4.0.13:80 (pod default/nginx-3), not a ready endpoint")
    api.put(nginx(*PODS))
    await watcher.until(None)

    api.put(nginx(*PODS, real4(4)))
    write(master, *PODS, real4(4))
    await watcher.expect_break(Layer.RUNNING, "lacks 10.4.0.14:80 (pod default/nginx-4) of the file")
    api.put(nginx(*PODS))
    write(master, *PODS)
    await watcher.until(None)

    master.exec(["ipvsadm", "-d", "-t", f"{VIP}:80", "-r", f"{PODS[0]}:80"], check=True)
    await watcher.expect_break(
        Layer.IPVS, "2/3 real servers up", "10.4.0.11:80 (pod default/nginx-1) is not in the kernel"
    )
    done = await asyncio.to_thread(cli, master, config, "-o", "json")
    assert done.returncode == 1, done.stderr
    assert [c["first_break"] for c in json.loads(done.stdout)["chains"]] == ["ipvs"]
    master.exec(["ipvsadm", "-a", "-t", f"{VIP}:80", "-r", f"{PODS[0]}:80", "-m", "-w", "1"], check=True)
    await watcher.until(None)

    alone = await asyncio.to_thread(cli, master, None)
    assert alone.returncode == 0, alone.stdout
    assert "Every layer of this node is ok" in alone.stdout

    accepted = await asyncio.to_thread(connect_from, cluster.network.client, VIP, 80)
    assert watcher.index is not None
    assert connect_link(watcher.index, VIP, Port(80), accepted).mark is Mark.OK, accepted

    other = next(node for node in cluster.nodes if node is not master)
    other.stop()
    other.write_conf(
        SPEC.conf(other.index).replace("vrrp_version 3", "vrrp_version 2")
    )  # so it ignores the master's adverts
    other.start()
    await watcher.expect_break(Layer.VRRP, master.address, other.address, "split brain")
    other.restart_afresh((VIP,))
    await watcher.until(None)

    await check_address_layer(watcher, master)


async def check_fwmarks_and_groups(watcher: Watcher, master: LabNode) -> None:
    """Checks VIPs behind a firewall mark and in a group, whose members are separate virtual servers in the kernel."""
    text = master.conf_path.read_text()
    pods = "".join(f"real_server {pod} 80 {{\n weight 1\n }}\n" for pod in PODS)
    master.reload(
        text.replace(VIP, f"{VIP}\n{MARKED}\n{GROUPED}", 1)
        + f"virtual_server_group web {{\n {GROUPED} 80\n {GROUPED} 81\n}}\n"
        + f"virtual_server group web {{\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n {pods} }}\n"
        + f"virtual_server fwmark 51 {{\n lvs_sched rr\n lvs_method NAT\n {pods} }}\n"
    )
    await watcher.ipvs(MARKED, None, Mark.OK, "by firewall mark: fwmark 51 3/3 real servers up")
    for port in (80, 81):
        await watcher.ipvs(GROUPED, Port(port), Mark.OK, f"{GROUPED}:{port} 3/3 real servers up")
    master.exec(["ipvsadm", "-D", "-f", "51"], check=True)
    master.exec(["ipvsadm", "-d", "-t", f"{GROUPED}:81", "-r", f"{PODS[0]}:80"], check=True)
    gone = "by firewall mark: fwmark 51 is in the config but not in the kernel"
    await watcher.ipvs(MARKED, None, Mark.BROKEN, gone)
    lacks = f"{GROUPED}:81 2/3 real servers up: {PODS[0]}:80 is not in the kernel"
    await watcher.ipvs(GROUPED, Port(81), Mark.BROKEN, lacks)
    await watcher.ipvs(GROUPED, Port(80), Mark.OK, f"{GROUPED}:80 3/3 real servers up")
    master.reload(text)


async def check_address_layer(watcher: Watcher, master: LabNode) -> None:
    """Deletes the address while keepalived is stopped; otherwise it restores or hands over the VIP within 0.5 s."""
    assert watcher.index is not None
    daemon = watcher.index.seen.snapshot.chosen_keepalived
    assert daemon is not None
    assert daemon.children.vrrp is not None
    os.kill(daemon.children.vrrp, signal.SIGSTOP)
    try:
        command(["ip", "-n", master.netns, "addr", "del", f"{VIP}/32", "dev", "eth0"])
        await watcher.expect_break(Layer.ADDRESS, "this node is MASTER but does not have the address")
    finally:
        os.kill(daemon.children.vrrp, signal.SIGCONT)
    await watcher.until(None)
