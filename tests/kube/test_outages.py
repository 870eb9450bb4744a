"""What goes wrong with an API: told in one sentence, believed no longer than it is true, and over by itself."""

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
from tests.kube.seen import QUICK, seen

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kube.real import RealCluster

VIP = "10.4.0.50"
NGINX = ("default", "nginx")


async def test_the_api_goes_away_and_comes_back(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        with fake.outage():
            gone = time.time()
            refused = f"127.0.0.1:{fake.port} refuses connections: the API server does not run there"
            kinds = "configmaps, services, endpointslices, pods, nodes"
            await here.until(lambda: here.source.detail == f"{kinds}: {refused}")
            assert here.source.state is SourceState.DEGRADED
            read_at = here.source.read_at
            assert read_at is not None
            await here.until(lambda: time.time() > gone + 0.3)
            assert here.source.read_at == read_at <= gone + 0.3  # the age grows
            assert [r.state for r in here.kube.resources] == [SourceState.DEGRADED] * 5
            assert [e.address for e in here.endpoints(*NGINX)] == ["10.2.68.5", "10.2.68.6"]  # still known
        fake.put(objects.endpointslice("nginx", objects.endpoint("10.2.68.9")))
        await here.until(lambda: [e.address for e in here.endpoints(*NGINX)] == ["10.2.68.9"])
        await here.until(lambda: here.source.state is SourceState.OK)
        assert here.source.detail == ""


async def test_an_api_that_goes_and_comes_again_and_again(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        for number in range(5):
            with fake.outage():
                await here.until(lambda: here.source.state is SourceState.DEGRADED)
            address = f"10.2.68.{20 + number}"
            fake.put(objects.endpointslice("nginx", objects.endpoint(address)))
            await here.until(lambda a=address: [e.address for e in here.endpoints(*NGINX)] == [a])  # type: ignore[misc]
        await here.until(lambda: here.source.state is SourceState.OK)
        assert here.source.detail == ""


async def test_what_happened_during_a_cut_is_not_missed(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        asked = len(fake.requests)
        fake.cut()
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        fake.delete("endpointslices", "default", "nginx-x1")
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000 and not here.endpoints(*NGINX))
        again = [r for r in fake.requests[asked:] if r.path != "/version"]
        assert all(
            "watch" in r.params and int(r.params["resourceVersion"]) >= 111 for r in again
        )  # resumed, not listed


async def test_a_line_that_is_cut_in_the_middle_is_no_event(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        fake.cut(halfway=True)
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await asyncio.sleep(0.1)  # the half of it is out
        assert here.services[NGINX].ports[0].port == 80
        fake.finish_halfway()
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000)


@pytest.mark.parametrize("running", [True, False], ids=["in the stream", "at the resume"])
async def test_after_410_it_is_listed_again(fake: FakeCluster, tmp_path: Path, running: bool) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path) as here:
        before = [r.path for r in fake.requests if "limit" in r.params]
        with fake.outage():  # unseen changes that no watch will tell
            fake.delete("endpointslices", "default", "nginx-x1")
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
            if not running:
                fake.compact()
        if running:
            await here.until(lambda: here.source.state is SourceState.OK)
            fake.expire()
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000 and not here.endpoints(*NGINX))
        await here.until(lambda: here.source.state is SourceState.OK)
        lists = [r.path for r in fake.requests if "limit" in r.params]
        await here.until(lambda: len([r for r in fake.requests if "limit" in r.params]) >= 2 * len(before))
        assert set(lists) == set(before)


async def test_old_clusters_have_endpoints_instead_of_slices(fake: FakeCluster, tmp_path: Path) -> None:
    fake.without("endpointslices")
    fake.put(*objects.tutorial(), objects.endpoints("nginx", ["10.2.68.5"], ["10.2.68.6"], port=8080))
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        assert [(e.address, e.ready, e.pod) for e in here.endpoints(*NGINX)] == [
            ("10.2.68.5", True, ("default", "nginx-5")),
            ("10.2.68.6", False, ("default", "nginx-6")),
        ]
        fake.put(objects.endpoints("nginx", ["10.2.68.5", "10.2.68.6"], port=8080))
        await here.until(lambda: all(e.ready for e in here.endpoints(*NGINX)))


async def test_a_half_dead_connection_is_noticed(fake: FakeCluster, tmp_path: Path) -> None:
    """Nothing is closed, nothing comes: as quiet as a cluster in which nothing happens."""
    fake.put(*objects.tutorial())
    started = time.time()
    async with seen(fake, tmp_path, timing=structs.replace(QUICK, probe_timeout=0.3)) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        with fake.frozen():
            await here.until(lambda: here.source.state is SourceState.DEGRADED)
            assert "does not answer within 0.3 s" in here.source.detail
            assert started <= (here.source.read_at or 0) <= time.time() - 0.3  # believed until it answered last
            fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await here.until(lambda: here.services[NGINX].ports[0].port == 8000)
        await here.until(lambda: here.source.state is SourceState.OK)


async def test_a_watch_that_the_server_ends_is_opened_again(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path, timing=structs.replace(QUICK, watch=1)) as here:

        def opened() -> int:
            return sum("watch" in r.params for r in fake.requests)

        await here.until(lambda: opened() >= 10)  # five kinds, twice
        assert here.source.state is SourceState.OK
        assert {r.params["timeoutSeconds"] for r in fake.requests if "watch" in r.params} == {"1"}


async def test_a_megabyte_of_anything_in_the_configmap_is_only_text(
    cluster: FakeCluster | RealCluster, tmp_path: Path
) -> None:
    ns, evil = cluster.namespace, "[red]\x1b]0;owned\x07\u202e\n" + "/:" * 500_000
    cluster.put(*objects.unmanaged(ns))
    async with seen(cluster, tmp_path, configmap=f"{ns}/vip-configmap") as here:
        cluster.put(objects.configmap({VIP: f"{ns}/nginx", "a": evil}, ns))
        await here.until(lambda: here.kube.configmap and "a" in here.kube.configmap.data)
        assert here.kube.configmap is not None
        assert here.kube.configmap.data["a"] == evil
        assert here.services.keys() == {(ns, "nginx")}


async def test_a_watch_on_which_nothing_comes_is_opened_again(tmp_path: Path) -> None:
    """A proxy forgot the connection: it stays open, and no bookmark comes, while the API answers on others."""
    with FakeCluster() as quiet:  # a bookmark a minute
        quiet.put(*objects.tutorial())
        async with seen(quiet, tmp_path, timing=structs.replace(QUICK, quiet=0.5)) as here:
            before = len(quiet.requests)
            await here.until(lambda: sum("watch" in r.params for r in quiet.requests[before:]) >= 10)
            assert here.source.state is SourceState.OK
            quiet.put(objects.service("nginx", ports=((8000, 8080),)))
            await here.until(lambda: here.services[NGINX].ports[0].port == 8000)


async def test_a_process_that_dies_is_started_again_and_nothing_is_lost(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    started = time.time()
    async with seen(fake, tmp_path) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        killed = here.layer.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await here.until(lambda: "was ended by signal 9; it is started again" in here.source.detail)
        assert here.source.state is SourceState.DEGRADED
        assert started <= (here.source.read_at or 0) < time.time()
        assert len(here.endpoints(*NGINX)) == 2  # still known
        fake.put(objects.service("nginx", ports=((8000, 8080),)))
        await here.until(lambda: here.source.state is SourceState.OK and here.services[NGINX].ports[0].port == 8000)
        assert here.layer.pid not in {None, killed}


async def test_a_process_that_hangs_is_started_again(fake: FakeCluster, tmp_path: Path) -> None:
    fake.put(*objects.tutorial())
    async with seen(fake, tmp_path, timing=structs.replace(QUICK, alive=3.0)) as here:
        await here.until(lambda: here.source.state is SourceState.OK)
        stopped = here.layer.pid
        assert stopped is not None
        os.kill(stopped, signal.SIGSTOP)
        await here.until(lambda: "hangs; it is started again" in here.source.detail)
        await here.until(lambda: here.source.state is SourceState.OK)


async def test_the_process_ends_with_kvtui(fake: FakeCluster, tmp_path: Path) -> None:
    async with seen(fake, tmp_path) as here:
        pid = here.layer.pid
        assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
