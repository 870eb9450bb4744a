"""The demo as a source: it lists as many connections as its table counts."""

from __future__ import annotations

from kvtui.backend.demo import Demo
from kvtui.model.ipvs import Protocol
from kvtui.observer import Observer

NGINX = (Protocol.TCP, "10.4.0.50", 80, 0)


async def test_connections_are_as_many_as_the_table_counts() -> None:
    demo = Demo(clock=lambda: 1000.0)
    snapshot = await demo.read()
    assert snapshot.ipvs is not None
    reals = next(v for v in snapshot.ipvs.virtual_servers if v.key == NGINX).real_servers

    _found, total = await demo.connections(NGINX, None, 1000)
    of_one, one = await demo.connections(NGINX, reals[0].key, 1000)

    assert total == sum(r.active + r.inactive for r in reals)
    assert one == reals[0].active + reals[0].inactive
    assert {c.real for c in of_one} == {reals[0].key}


async def test_the_limit_cuts_the_list_not_the_count() -> None:
    found, total = await Demo(clock=lambda: 1000.0).connections(NGINX, None, 3)

    assert len(found) == 3
    assert total > 3


async def test_a_missing_service_has_no_connections() -> None:
    assert await Demo().connections((Protocol.TCP, "192.0.2.1", 80, 0), None, 10) == ((), 0)


async def test_it_has_a_log() -> None:
    tail = await Observer(Demo(clock=lambda: 1000.0)).log()
    assert "Starting Keepalived v2.2.7 (01/16,2022)" in [line.text for line in tail.lines]
    assert (tail.error, tail.where) == ("", "log of pod default/kube-keepalived-vip-x7k2p")


async def test_read_only_is_shown() -> None:
    assert (await Demo(read_only=True).read()).node.read_only
