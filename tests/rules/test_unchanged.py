"""Views that have not changed since the last observation are the same objects, at any size of the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.addresses import InterfaceAddress
from kvtui.model.ipvs import IpvsTable, Stats, VirtualServer
from kvtui.model.observation import ManagedBy
from kvtui.rules.observe import observe
from tests.kit import addresses, conf, conf_real, real, snapshot, table

if TYPE_CHECKING:
    from kvtui.model.observation import VirtualServerView

CONF = conf(conf_real(5), conf_real(6))


def reading(second: float, *virtuals: VirtualServer) -> IpvsTable:
    return IpvsTable(virtuals, complete=True, read_at=1000.0 + second, monotonic=second)


def by_turns(read: float, connections: int = 0) -> VirtualServer:
    """Returns a virtual server whose real servers were read at another time than the table."""
    reals = (real(5, stats=Stats(connections=connections)), real(6))
    return replace(table(*reals).virtual_servers[0], reals_read=read)


def views(*tables: IpvsTable) -> list[VirtualServerView]:
    """Returns the views of each reading, in order."""
    found, before, previous = [], None, None
    for each in tables:
        before = observe(snapshot(conf=CONF, running=CONF, ipvs=each), previous, before)
        previous = each
        assert before.virtual_servers is not None
        found.append(before.virtual_servers[0])
    return found


def test_an_idle_virtual_server_keeps_its_view() -> None:
    one, two, three = views(*(table(real(5), real(6), monotonic=at) for at in (1.0, 2.0, 3.0)))
    assert one == two
    assert two is three


def test_unchanged_real_servers_of_a_changed_virtual_server_keep_their_views() -> None:
    busy = real(6, active=9)
    _, one, two = views(
        table(real(5), real(6), monotonic=1.0),
        table(real(5), real(6), monotonic=2.0),
        table(real(5), busy, monotonic=3),
    )
    assert one.real_servers[0] is two.real_servers[0]
    assert [r.active for r in two.real_servers] == [2, 9]


def test_real_servers_that_were_not_read_keep_views_and_rates_while_their_virtual_server_is_read() -> None:
    first, kept = by_turns(1.0), by_turns(9.0, connections=80)
    later = replace(kept, stats=Stats(connections=200, in_bytes=5000))
    _, one, two = views(reading(1.0, first), reading(9.0, kept), reading(10.0, later))
    assert one.real_servers[0].stats is not None
    assert one.real_servers[0].stats.cps == 10.0  # 80 connections in the 8 s between its readings
    assert two.real_servers is one.real_servers
    assert two.stats is not None
    assert two.stats.cps == 100.0


def test_a_changed_config_recreates_every_view_but_keeps_rates_without_a_newer_reading() -> None:
    first, kept = by_turns(1.0), by_turns(9.0, connections=80)
    seen = observe(snapshot(conf=CONF, running=CONF, ipvs=reading(1.0, first)))
    seen = observe(snapshot(conf=CONF, running=CONF, ipvs=reading(9.0, kept)), reading(1.0, first), seen)
    drained = replace(CONF, virtual_servers=conf(conf_real(5, 7), conf_real(6)).virtual_servers)
    seen = observe(snapshot(conf=drained, running=drained, ipvs=reading(10.0, kept)), reading(9.0, kept), seen)
    assert seen.virtual_servers is not None
    changed = seen.virtual_servers[0].real_servers[0]
    assert changed.configured_weight == 7
    assert changed.stats is not None
    assert changed.stats.cps == 10.0


def test_servers_that_were_not_read_again_keep_their_views_when_other_layers_were_read() -> None:
    kept = replace(by_turns(1.0), stats_read=1.0)
    first = observe(snapshot(conf=CONF, running=CONF, ipvs=reading(1.0, kept), addresses=addresses("10.4.0.50")))
    # every snapshot has its addresses in a new table with its own time
    beside = replace(addresses("10.4.0.50"), read_at=2.0)
    again = snapshot(conf=CONF, running=CONF, ipvs=reading(2.0, kept), addresses=beside)
    assert observe(again, reading(1.0, kept), first).virtual_servers is first.virtual_servers


def test_a_virtual_server_of_another_owner_has_another_view_even_if_it_was_not_read_again() -> None:
    kept = replace(by_turns(1.0), stats_read=1.0)
    first = observe(snapshot(conf=None, running=None, ipvs=reading(1.0, kept), addresses=addresses()))
    proxied = replace(addresses(), addresses=(InterfaceAddress("10.4.0.50", 32, "kube-ipvs0"),))
    again = snapshot(conf=None, running=None, ipvs=reading(2.0, kept), addresses=proxied)
    seen = observe(again, reading(1.0, kept), first)
    assert [v.managed_by for v in (*(first.virtual_servers or ()), *(seen.virtual_servers or ()))] == [
        ManagedBy.UNKNOWN,
        ManagedBy.KUBE_PROXY,
    ]


def test_a_virtual_server_that_was_not_read_again_keeps_its_rate_when_its_real_servers_were() -> None:
    one, two = (replace(by_turns(at, n), stats=Stats(connections=n), stats_read=at) for at, n in ((1.0, 0), (9.0, 80)))
    turned = replace(by_turns(10.0, 90), stats=two.stats, stats_read=9.0)
    _, before, after = views(reading(1.0, one), reading(9.0, two), reading(10.0, turned))
    assert before.stats is not None
    assert before.stats.cps == 10.0
    assert after.stats == before.stats
    assert after.real_servers is not before.real_servers


def test_servers_of_a_vip_are_found_without_a_search() -> None:
    seen = observe(snapshot(conf=CONF, running=CONF, ipvs=table(real(5))))
    assert seen.servers_of("10.4.0.50") is seen.servers_of("10.4.0.50")
    assert seen.servers_of("10.4.0.51") == ()
