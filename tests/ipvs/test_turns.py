"""A large table by turns: how many questions the kernel is asked, what is never old, and how old the rest may be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kvtui.backend.ipvs import turns, uapi
from kvtui.backend.ipvs.turns import Turns
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol, RealServer, Stats, VirtualServer

if TYPE_CHECKING:
    import pytest

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
        self.vanishing = 0

    def clock(self) -> float:
        return self.now

    def dump(self, command: int, _decode: Any) -> list[VirtualServer]:
        assert command == uapi.CMD_GET_SERVICE
        self.dumps += 1
        return [service(n, stats) for n, stats in self.services.items()]

    def reals(self, _channel: Any, virtual: VirtualServer) -> VirtualServer | None:
        if self.vanishing:
            self.vanishing -= 1
            return None
        self.asked.append(virtual.key)
        real = RealServer("10.2.0.1", 80, ForwardingMethod.MASQ, self.weight, 0, 0)
        return replace(virtual, real_servers=(real, replace(real, port=81)))

    def read(self, reader: Turns, watched: frozenset[ServiceKey] = NOBODY, *, after: float = 1.0) -> IpvsTable:
        self.now += after
        self.asked.clear()
        return reader.table(self, watched, self.clock)  # type: ignore[arg-type]  # this kernel is its own channel


def service(number: int, stats: Stats) -> VirtualServer:
    return VirtualServer(Protocol.TCP, f"10.4.{number // 250}.{number % 250}", 80, None, 4, "wlc", stats=stats)


def key(number: int) -> ServiceKey:
    return service(number, Stats()).key


def weights(table: IpvsTable, number: int) -> list[int]:
    return [r.weight for r in table.virtual_servers[number].real_servers]


def test_a_second_costs_a_tenth_of_the_questions() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.asked)) == (1, 100)
    kernel.read(reader)
    assert (kernel.dumps, len(kernel.asked)) == (2, 10)


def test_a_burst_of_events_costs_no_more_than_the_time_it_takes() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    asked = 0
    for _ in range(20):
        kernel.read(reader, after=0.05)
        asked += len(kernel.asked)
    assert 10 <= asked <= 20


def test_everything_is_read_within_ten_seconds_and_says_when() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    kernel.weight = 7
    tables = [kernel.read(reader) for _ in range(10)]
    assert [weights(tables[0], n)[0] for n in range(12)] == [7] * 10 + [1, 1]
    assert [weights(tables[-1], n) for n in range(100)] == [[7, 7]] * 100
    assert tables[-1].virtual_servers[0].reals_read == 1002.0
    assert tables[-1].virtual_servers[99].reals_read == 1011.0
    assert tables[-1].read_at - tables[-1].oldest == 9.0
    assert turns.described(tables[-1], few=50) == (
        "200 real servers are read by turns, those on the screen each time: the oldest 9 s ago"
    )


def test_what_is_watched_is_read_each_time_and_the_others_still_have_their_turn() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    for _ in range(3):
        kernel.read(reader, frozenset({key(99)}))
        assert (kernel.asked[0], len(kernel.asked)) == (key(99), 11)


def test_a_new_service_and_one_that_was_made_anew_are_read_at_once() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    kernel.services[200] = Stats()
    kernel.services[90] = Stats(connections=3)
    kernel.read(reader)
    assert {key(200), key(90)} <= set(kernel.asked)


def test_a_service_that_went_away_is_forgotten() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    kernel.read(reader)
    del kernel.services[0]
    assert len(kernel.read(reader).virtual_servers) == 99


def test_a_small_table_is_always_read_whole_and_says_nothing() -> None:
    kernel = Kernel(20)
    reader = Turns(kernel.reals, few=50)
    for _ in range(3):
        table = kernel.read(reader)
        assert len(kernel.asked) == 20
    assert turns.described(table, few=50) == ""


def test_a_table_that_changes_while_it_is_read_is_read_again() -> None:
    kernel = Kernel(100)
    kernel.vanishing = 1
    assert len(kernel.read(Turns(kernel.reals, few=50)).virtual_servers) == 100
    assert kernel.dumps == 2


def test_real_servers_that_were_not_read_are_the_same_objects() -> None:
    kernel = Kernel(100)
    reader = Turns(kernel.reals, few=50)
    one, two = kernel.read(reader), kernel.read(reader)
    same = [a.real_servers is b.real_servers for a, b in zip(one.virtual_servers, two.virtual_servers, strict=True)]
    assert same.count(False) == 10


def test_the_reader_takes_turns_only_where_it_is_told_what_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    from kvtui.backend.ipvs import reader  # noqa: PLC0415 - the module whose function is replaced

    whole = IpvsTable((), complete=True, read_at=1.0, monotonic=1.0)
    monkeypatch.setattr(reader, "require_ipvs", lambda *_: None)
    monkeypatch.setattr(reader, "open_channel", lambda _: Kernel(3))
    monkeypatch.setattr(reader, "read_table", lambda _: whole)
    assert reader.IpvsReader().read() is whole
