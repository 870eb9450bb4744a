"""IncrementalReader on large tables: its number of requests, and how old its data may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.backend.ipvs import incremental, uapi
from kvtui.backend.ipvs.incremental import IncrementalReader
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer

if TYPE_CHECKING:
    from kvtui.model.ipvs import ServiceKey

NOTHING_WATCHED: frozenset[ServiceKey] = frozenset()


class Kernel:
    """A table of virtual servers with two real servers each. It replaces the channel and counts requests."""

    def __init__(self, virtuals: int) -> None:
        self.now = 1000.0
        self.weight = 1
        self.services = {number: Stats(connections=100) for number in range(virtuals)}
        self.requested: list[ServiceKey] = []
        self.dumps = 0
        self.spent = self.dump_costs = self.real_costs = 0.0
        self.looked_up: list[ServiceKey] = []
        self.vanishing = 0
        self.error: OSError | None = None

    def clock(self) -> float:
        return self.now

    def dump(self, command: int, _decode: Any) -> list[VirtualServer]:
        assert command == uapi.CMD_GET_SERVICE
        self.dumps += 1
        self.spent += self.dump_costs
        return [service(n, stats) for n, stats in self.services.items()]

    def reals(self, _channel: Any, virtual: VirtualServer) -> VirtualServer | None:
        if self.error is not None:
            raise self.error
        if self.vanishing:
            self.vanishing -= 1
            return None
        self.requested.append(virtual.key)
        self.spent += 2 * self.real_costs
        real = RealServer("10.2.0.1", 80, ForwardingMethod.MASQ, self.weight, 0, 0)
        return replace(virtual, real_servers=(real, replace(real, port=81)))

    def one(self, _channel: Any, wanted: ServiceKey) -> VirtualServer | None:
        self.looked_up.append(wanted)
        return next((service(n, stats) for n, stats in self.services.items() if key(n) == wanted), None)

    def cpu(self) -> float:
        return self.spent

    def reader(self) -> IncrementalReader:
        return IncrementalReader(self.reals, ask=self.one, max_full_read=50, cpu=self.cpu, clock=self.clock)

    def read(
        self,
        reader: IncrementalReader,
        watched: frozenset[ServiceKey] = NOTHING_WATCHED,
        *,
        after: float = 1.0,
        urgent: bool = False,
    ) -> IpvsTable:
        self.now += after
        self.requested.clear()
        self.looked_up.clear()
        return reader.table(self, watched, urgent=urgent)  # type: ignore[arg-type]  # the kernel replaces the channel


def service(number: int, stats: Stats) -> VirtualServer:
    return VirtualServer(Protocol.TCP, f"10.4.{number // 250}.{number % 250}", 80, None, 4, "wlc", stats=stats)


def key(number: int) -> ServiceKey:
    return service(number, Stats()).key


def weights(table: IpvsTable, number: int) -> list[int]:
    return [r.weight for r in table.virtual_servers[number].real_servers]


def test_one_second_takes_a_tenth_of_the_requests() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.requested)) == (1, 100)
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.requested)) == (2, 10)


def test_a_burst_of_events_takes_no_more_requests_than_its_duration() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    requested = 0
    for _ in range(20):
        kernel.read(reader, after=0.05)
        requested += len(kernel.requested)
    assert 10 <= requested <= 20


def test_everything_is_read_within_ten_seconds_with_its_time() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    kernel.weight = 7
    tables = [kernel.read(reader) for _ in range(10)]
    assert [weights(tables[0], n)[0] for n in range(12)] == [7] * 10 + [1, 1]
    assert [weights(tables[-1], n) for n in range(100)] == [[7, 7]] * 100
    assert tables[-1].virtual_servers[0].reals_read == 1002.0
    assert tables[-1].virtual_servers[99].reals_read == 1011.0
    assert tables[-1].read_at - tables[-1].oldest == 9.0
    assert incremental.describe_age(tables[-1], max_full_read=50) == (
        "200 real servers: those on the screen are read each time, the oldest of the others 9 s ago"
    )


def test_watched_services_are_read_each_time_and_the_others_in_turn() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    for _ in range(3):
        kernel.read(reader, frozenset({key(99)}))
        assert (kernel.requested[0], len(kernel.requested)) == (key(99), 11)


def test_new_and_recreated_services_are_read_at_once() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    kernel.services[200] = Stats()
    kernel.services[90] = Stats(connections=3)
    kernel.read(reader)
    assert {key(200), key(90)} <= set(kernel.requested)


def test_a_deleted_service_is_dropped() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    del kernel.services[0]
    assert len(kernel.read(reader).virtual_servers) == 99


def test_a_small_table_is_always_read_completely() -> None:
    kernel = Kernel(20)
    reader = kernel.reader()
    for _ in range(3):
        table = kernel.read(reader)
        assert len(kernel.requested) == 20
    assert incremental.describe_age(table, max_full_read=50) == ""


def test_a_table_that_changes_while_it_is_read_is_read_again() -> None:
    kernel = Kernel(100)
    kernel.vanishing = 1
    assert len(kernel.read(kernel.reader()).virtual_servers) == 100
    assert kernel.dumps == 2


def test_real_servers_that_were_not_read_are_the_same_objects() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    one, two = kernel.read(reader), kernel.read(reader)
    same = [a.real_servers is b.real_servers for a, b in zip(one.virtual_servers, two.virtual_servers, strict=True)]
    assert same.count(False) == 10


def slow() -> Kernel:
    """Returns a kernel on which a dump of the services takes 0.1 s of CPU, and a real server 0.01 s."""
    kernel = Kernel(100)
    kernel.dump_costs, kernel.real_costs = 0.1, 0.01
    return kernel


def test_a_slow_machine_dumps_the_services_every_five_seconds_and_reads_watched_ones_each_time() -> None:
    kernel = slow()
    reader, watched = kernel.reader(), frozenset({key(7)})
    kernel.read(reader)
    dumps = []
    for _ in range(10):
        kernel.services[7] = Stats(connections=kernel.services[7].connections + 1)
        table = kernel.read(reader, watched)
        dumps.append(kernel.dumps)
        assert table.virtual_servers[7].stats == kernel.services[7]
        assert table.stats_at(table.virtual_servers[7]) == kernel.now
    assert dumps == [1, 1, 1, 1, 2, 2, 2, 2, 2, 3]


def test_a_slow_machine_reads_every_real_server_within_half_a_minute() -> None:
    kernel = slow()
    reader = kernel.reader()
    kernel.read(reader)
    for _ in range(10):
        kernel.read(reader)  # the reader learns their cost
    kernel.weight = 7
    tables = [kernel.read(reader) for _ in range(31)]
    assert weights(tables[12], 99) != weights(tables[-1], 99)
    assert {weights(tables[-1], n)[0] for n in range(100)} == {7}
    assert tables[-1].read_at - tables[-1].oldest <= incremental.MAX_ROUND_SECONDS


def test_new_and_deleted_services_are_noticed_with_the_next_dump() -> None:
    kernel = slow()
    reader = kernel.reader()
    kernel.read(reader)
    del kernel.services[50]
    kernel.services[200] = Stats()
    keys = [{v.key for v in kernel.read(reader).virtual_servers} for _ in range(5)]
    assert [(key(50) in k, key(200) in k) for k in keys] in (
        [(True, False)] * 4 + [(False, True)],
        [(True, False)] * 3 + [(False, True)] * 2,
    )


def test_a_watched_service_that_is_deleted_or_recreated_is_noticed_at_once() -> None:
    kernel = slow()
    reader, watched = kernel.reader(), frozenset({key(7)})
    kernel.read(reader, watched)
    kernel.services[7] = Stats(connections=3)
    assert kernel.read(reader, watched).virtual_servers[7].stats == Stats(connections=3)
    assert kernel.dumps == 2
    del kernel.services[7]
    assert key(7) not in {v.key for v in kernel.read(reader, watched).virtual_servers}
    assert kernel.dumps == 3


def test_an_event_dumps_all_services() -> None:
    kernel = slow()
    reader = kernel.reader()
    kernel.read(reader)
    kernel.services[200] = Stats()
    assert key(200) in {v.key for v in kernel.read(reader, urgent=True).virtual_servers}


def test_unwatched_services_stay_the_same_objects() -> None:
    kernel = slow()
    reader = kernel.reader()
    one, two = kernel.read(reader), kernel.read(reader, frozenset({key(99)}))
    changed = [a is not b for a, b in zip(one.virtual_servers, two.virtual_servers, strict=True)]
    assert changed[99]
    assert sum(changed) <= 11


def test_the_reader_is_incremental_only_with_watched_services(monkeypatch: pytest.MonkeyPatch) -> None:
    from kvtui.backend.ipvs import reader  # noqa: PLC0415 - the module whose function is replaced

    whole = IpvsTable((), complete=True, read_at=1.0, monotonic=1.0)
    monkeypatch.setattr(reader, "require_ipvs", lambda *_: None)
    monkeypatch.setattr(reader, "open_channel", lambda _: Kernel(3))
    monkeypatch.setattr(reader, "read_table", lambda _: whole)
    assert reader.IpvsReader().read() is whole


def test_after_an_error_the_rest_is_read_next_time() -> None:
    kernel = Kernel(100)
    reader = kernel.reader()
    kernel.read(reader)
    kernel.services[200] = Stats()
    kernel.dump_costs = 1.0  # so that the list of services is not due again
    kernel.error = OSError("the module was unloaded")
    with pytest.raises(OSError, match="unloaded"):
        kernel.read(reader, frozenset({key(200)}), urgent=True)
    kernel.error = None
    table = kernel.read(reader, frozenset({key(200)}))
    assert all(len(v.real_servers) == 2 for v in table.virtual_servers)
    assert len(table.virtual_servers) == 101
