"""A large table by turns: how many questions the kernel is asked, what is never old, and how old the rest may be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.backend.ipvs import incremental, uapi
from kvtui.backend.ipvs.incremental import IncrementalReader
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer

if TYPE_CHECKING:
    from kvtui.model.ipvs import ServiceKey

NOBODY: frozenset[ServiceKey] = frozenset()


class Kernel:
    """A table of virtual servers with two real servers each; counts what is asked. It stands in for the channel."""

    def __init__(self, virtuals: int) -> None:
        self.now = 1000.0
        self.weight = 1
        self.services = {number: Stats(connections=100) for number in range(virtuals)}
        self.asked: list[ServiceKey] = []
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
        self.asked.append(virtual.key)
        self.spent += 2 * self.real_costs
        real = RealServer("10.2.0.1", 80, ForwardingMethod.MASQ, self.weight, 0, 0)
        return replace(virtual, real_servers=(real, replace(real, port=81)))

    def one(self, _channel: Any, wanted: ServiceKey) -> VirtualServer | None:
        self.looked_up.append(wanted)
        return next((service(n, stats) for n, stats in self.services.items() if key(n) == wanted), None)

    def cpu(self) -> float:
        return self.spent

    def turns(self) -> IncrementalReader:
        return IncrementalReader(self.reals, ask=self.one, max_full_read=50, cpu=self.cpu, clock=self.clock)

    def read(
        self,
        reader: IncrementalReader,
        watched: frozenset[ServiceKey] = NOBODY,
        *,
        after: float = 1.0,
        urgent: bool = False,
    ) -> IpvsTable:
        self.now += after
        self.asked.clear()
        self.looked_up.clear()
        return reader.table(self, watched, urgent=urgent)  # type: ignore[arg-type]  # this kernel is its own channel


def service(number: int, stats: Stats) -> VirtualServer:
    return VirtualServer(Protocol.TCP, f"10.4.{number // 250}.{number % 250}", 80, None, 4, "wlc", stats=stats)


def key(number: int) -> ServiceKey:
    return service(number, Stats()).key


def weights(table: IpvsTable, number: int) -> list[int]:
    return [r.weight for r in table.virtual_servers[number].real_servers]


def test_a_second_costs_a_tenth_of_the_questions() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.asked)) == (1, 100)
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.asked)) == (2, 10)


def test_a_burst_of_events_costs_no_more_than_the_time_it_takes() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    kernel.read(reader)
    asked = 0
    for _ in range(20):
        kernel.read(reader, after=0.05)
        asked += len(kernel.asked)
    assert 10 <= asked <= 20


def test_everything_is_read_within_ten_seconds_and_says_when() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
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


def test_what_is_watched_is_read_each_time_and_the_others_still_have_their_turn() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    kernel.read(reader)
    for _ in range(3):
        kernel.read(reader, frozenset({key(99)}))
        assert (kernel.asked[0], len(kernel.asked)) == (key(99), 11)


def test_a_new_service_and_one_that_was_made_anew_are_read_at_once() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    kernel.read(reader)
    kernel.services[200] = Stats()
    kernel.services[90] = Stats(connections=3)
    kernel.read(reader)
    assert {key(200), key(90)} <= set(kernel.asked)


def test_a_service_that_went_away_is_forgotten() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    kernel.read(reader)
    del kernel.services[0]
    assert len(kernel.read(reader).virtual_servers) == 99


def test_a_small_table_is_always_read_whole_and_says_nothing() -> None:
    kernel = Kernel(20)
    reader = kernel.turns()
    for _ in range(3):
        table = kernel.read(reader)
        assert len(kernel.asked) == 20
    assert incremental.describe_age(table, max_full_read=50) == ""


def test_a_table_that_changes_while_it_is_read_is_read_again() -> None:
    kernel = Kernel(100)
    kernel.vanishing = 1
    assert len(kernel.read(kernel.turns()).virtual_servers) == 100
    assert kernel.dumps == 2


def test_real_servers_that_were_not_read_are_the_same_objects() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
    one, two = kernel.read(reader), kernel.read(reader)
    same = [a.real_servers is b.real_servers for a, b in zip(one.virtual_servers, two.virtual_servers, strict=True)]
    assert same.count(False) == 10


def slow() -> Kernel:
    """A dump of the services alone takes 0.1 s of its CPU, a real server a hundredth."""
    kernel = Kernel(100)
    kernel.dump_costs, kernel.real_costs = 0.1, 0.01
    return kernel


def test_a_slow_machine_dumps_the_services_every_five_seconds_and_asks_for_those_that_are_watched() -> None:
    kernel = slow()
    reader, watched = kernel.turns(), frozenset({key(7)})
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
    reader = kernel.turns()
    kernel.read(reader)
    for _ in range(10):
        kernel.read(reader)  # by and by it is known what they cost
    kernel.weight = 7
    tables = [kernel.read(reader) for _ in range(31)]
    assert weights(tables[12], 99) != weights(tables[-1], 99)
    assert {weights(tables[-1], n)[0] for n in range(100)} == {7}
    assert tables[-1].read_at - tables[-1].oldest <= incremental.MAX_ROUND_SECONDS


def test_what_is_new_or_gone_is_seen_with_the_next_dump() -> None:
    kernel = slow()
    reader = kernel.turns()
    kernel.read(reader)
    del kernel.services[50]
    kernel.services[200] = Stats()
    seen = [{v.key for v in kernel.read(reader).virtual_servers} for _ in range(5)]
    assert [(key(50) in s, key(200) in s) for s in seen] in (
        [(True, False)] * 4 + [(False, True)],
        [(True, False)] * 3 + [(False, True)] * 2,
    )


def test_one_that_is_watched_and_gone_or_made_anew_is_seen_at_once() -> None:
    kernel = slow()
    reader, watched = kernel.turns(), frozenset({key(7)})
    kernel.read(reader, watched)
    kernel.services[7] = Stats(connections=3)
    assert kernel.read(reader, watched).virtual_servers[7].stats == Stats(connections=3)
    assert kernel.dumps == 2
    del kernel.services[7]
    assert key(7) not in {v.key for v in kernel.read(reader, watched).virtual_servers}
    assert kernel.dumps == 3


def test_an_event_has_all_services_dumped() -> None:
    kernel = slow()
    reader = kernel.turns()
    kernel.read(reader)
    kernel.services[200] = Stats()
    assert key(200) in {v.key for v in kernel.read(reader, urgent=True).virtual_servers}


def test_of_what_nobody_looks_at_the_very_objects_stay() -> None:
    kernel = slow()
    reader = kernel.turns()
    one, two = kernel.read(reader), kernel.read(reader, frozenset({key(99)}))
    changed = [a is not b for a, b in zip(one.virtual_servers, two.virtual_servers, strict=True)]
    assert changed[99]
    assert sum(changed) <= 11


def test_the_reader_takes_turns_only_where_it_is_told_what_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    from kvtui.backend.ipvs import reader  # noqa: PLC0415 - the module whose function is replaced

    whole = IpvsTable((), complete=True, read_at=1.0, monotonic=1.0)
    monkeypatch.setattr(reader, "require_ipvs", lambda *_: None)
    monkeypatch.setattr(reader, "open_channel", lambda _: Kernel(3))
    monkeypatch.setattr(reader, "read_table", lambda _: whole)
    assert reader.IpvsReader().read() is whole


def test_after_an_error_in_the_middle_the_rest_is_read_next_time() -> None:
    kernel = Kernel(100)
    reader = kernel.turns()
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
