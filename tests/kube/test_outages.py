"""API failures: kvtui names the cause in one sentence, drops it when it ends, and recovers by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from kvtui.model.source import SourceState
from tests.kube import objects
from tests.kube.cluster import FakeCluster
from tests.kube.running_layer import QUICK_TIMING, running_layer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.real import RealCluster

VIP = "10.4.0.50"
NGINX = ("default", "nginx")


async def test_the_api_becomes_unreachable_and_returns(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        with fake.outage():
            began = time.time()
            refused = f"127.0.0.1:{fake.port} refuses connections: the API server does not run there"
            kinds = "configmaps, services, endpointslices, pods, nodes"
            await running.until(lambda: running.source.detail == f"{kinds}: {refused}")
            assert running.source.state is SourceState.DEGRADED
            read_at = running.source.read_at
            assert read_at is not None
            await running.until(lambda: time.time() > began + 0.3)
            assert running.source.read_at == read_at <= began + 0.3  # the age grows
            assert [r.state for r in running.kube.resources] == [SourceState.DEGRADED] * 5
            assert [e.address for e in running.endpoints(*NGINX)] == ["10.2.68.5", "10.2.68.6"]  # still known
        fake.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.9")))
        await running.until(lambda: [e.address for e in running.endpoints(*NGINX)] == ["10.2.68.9"])
        await running.until(lambda: running.source.state is SourceState.OK)
        assert running.source.detail == ""


async def test_repeated_outages(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        for number in range(5):
            with fake.outage():
                await running.until(lambda: running.source.state is SourceState.DEGRADED)
            address = f"10.2.68.{20 + number}"
            fake.put(objects.endpointslice("nginx", objects.endpoint(address)))
            await running.until(lambda a=address: [e.address for e in running.endpoints(*NGINX)] == [a])  # type: ignore[misc]
        await running.until(lambda: running.source.state is SourceState.OK)
        assert running.source.detail == ""


async def test_a_change_while_the_connection_is_down_is_not_missed(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        before = len(fake.requests)
        fake.cut()
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        fake.delete("endpointslices", "default", "nginx-x1")
        await running.until(lambda: running.services[NGINX].ports[0].port == 8000 and not running.endpoints(*NGINX))
        again = [r for r in fake.requests[before:] if r.path != "/version"]
        assert all(
            "watch" in r.params and int(r.params["resourceVersion"]) >= 111 for r in again
        )  # resumed, not listed


async def test_half_a_line_is_not_an_event(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        fake.cut(halfway=True)
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await asyncio.sleep(0.1)  # half of the line was sent
        assert running.services[NGINX].ports[0].port == 80
        fake.finish_halfway()
        await running.until(lambda: running.services[NGINX].ports[0].port == 8000)


@pytest.mark.parametrize("in_stream", [True, False], ids=["in the stream", "at the resume"])
async def test_after_410_objects_are_listed_again(fake: FakeCluster, tmp_path: Path, in_stream: bool) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path) as running:
        before = [r.path for r in fake.requests if "limit" in r.params]
        with fake.outage():  # changes that no watch will send
            fake.delete("endpointslices", "default", "nginx-x1")
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
            if not in_stream:
                fake.compact()
        if in_stream:
            await running.until(lambda: running.source.state is SourceState.OK)
            fake.expire()
        await running.until(lambda: running.services[NGINX].ports[0].port == 8000 and not running.endpoints(*NGINX))
        await running.until(lambda: running.source.state is SourceState.OK)
        lists = [r.path for r in fake.requests if "limit" in r.params]
        await running.until(lambda: len([r for r in fake.requests if "limit" in r.params]) >= 2 * len(before))
        assert set(lists) == set(before)


async def test_old_clusters_have_endpoints_instead_of_endpointslices(fake: FakeCluster, tmp_path: Path) -> None:
    fake.without("endpointslices")
    fake.put(*objects.tutorial(), objects.endpoints("nginx", ["10.2.68.5"], ["10.2.68.6"], port=8080))
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        assert [(e.address, e.ready, e.pod) for e in running.endpoints(*NGINX)] == [
            ("10.2.68.5", True, ("default", "nginx-5")),
            ("10.2.68.6", False, ("default", "nginx-6")),
        ]
        fake.put(objects.endpoints("nginx", ["10.2.68.5", "10.2.68.6"], port=8080))
        await running.until(lambda: all(e.ready for e in running.endpoints(*NGINX)))


async def test_a_connection_on_which_nothing_arrives_is_noticed(fake: FakeCluster, tmp_path: Path) -> None:
    """The connection stays open and nothing arrives, as in a cluster without changes."""
    fake.put(*objects.tutorial())
    started = time.time()
    async with running_layer(fake, tmp_path, timing=structs.replace(QUICK_TIMING, probe_timeout=0.3)) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        with fake.frozen():
            await running.until(lambda: running.source.state is SourceState.DEGRADED)
            assert "does not answer within 0.3 s" in running.source.detail
            assert started <= (running.source.read_at or 0) <= time.time() - 0.3  # valid until the last answer
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await running.until(lambda: running.services[NGINX].ports[0].port == 8000)
        await running.until(lambda: running.source.state is SourceState.OK)


async def test_a_watch_that_the_server_closes_is_reopened(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, timing=structs.replace(QUICK_TIMING, watch=1)) as running:

        def opened() -> int:
            return sum("watch" in r.params for r in fake.requests)

        await running.until(lambda: opened() >= 10)  # five kinds, twice
        assert running.source.state is SourceState.OK
        assert {r.params["timeoutSeconds"] for r in fake.requests if "watch" in r.params} == {"1"}


async def test_a_megabyte_of_odd_text_in_the_configmap_is_only_text(
    cluster: FakeCluster | RealCluster, tmp_path: Path
) -> None:
    ns, evil = cluster.namespace, "[red]\x1b]0;owned\x07\u202e\n" + "/:" * 500_000
    cluster.put(*objects.unmanaged(ns))
    async with running_layer(cluster, tmp_path, configmap=f"{ns}/vip-configmap") as running:
        cluster.put(objects.configmap({VIP: f"{ns}/nginx", "a": evil}, ns))
        await running.until(lambda: running.kube.configmap and "a" in running.kube.configmap.data)
        assert running.kube.configmap is not None
        assert running.kube.configmap.data["a"] == evil
        assert running.services.keys() == {(ns, "nginx")}


async def test_a_watch_on_which_nothing_arrives_is_reopened(tmp_path: Path) -> None:
    """A proxy lost the connection: it stays open without bookmarks, while the API answers on others."""
    with FakeCluster() as quiet:  # a bookmark a minute
        quiet.put(*objects.tutorial())
        async with running_layer(quiet, tmp_path, timing=structs.replace(QUICK_TIMING, silence_timeout=0.5)) as running:
            before = len(quiet.requests)
            await running.until(lambda: sum("watch" in r.params for r in quiet.requests[before:]) >= 10)
            assert running.source.state is SourceState.OK
            quiet.put(objects.service("nginx", ports=((8000, 8080),)))
            await running.until(lambda: running.services[NGINX].ports[0].port == 8000)


async def test_a_process_that_dies_is_restarted_and_no_data_is_lost(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    started = time.time()
    async with running_layer(fake, tmp_path) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        killed = running.layer.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await running.until(lambda: "was ended by signal 9; it is started again" in running.source.detail)
        assert running.source.state is SourceState.DEGRADED
        assert started <= (running.source.read_at or 0) < time.time()
        assert len(running.endpoints(*NGINX)) == 2  # still known
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await running.until(
            lambda: running.source.state is SourceState.OK and running.services[NGINX].ports[0].port == 8000
        )
        assert running.layer.pid not in {None, killed}


async def test_a_process_that_hangs_is_restarted(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with running_layer(fake, tmp_path, timing=structs.replace(QUICK_TIMING, alive=3.0)) as running:
        await running.until(lambda: running.source.state is SourceState.OK)
        stopped = running.layer.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        await running.until(lambda: "hangs; it is started again" in running.source.detail)
        await running.until(lambda: running.source.state is SourceState.OK)


async def test_the_process_ends_with_kvtui(fake: FakeCluster, tmp_path: Path) -> None:
    async with running_layer(fake, tmp_path) as running:
        pid = running.layer.pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
