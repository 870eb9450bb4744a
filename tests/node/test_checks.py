"""VrrpLayer decides when to request dumps. A change of the IPVS table by a health check triggers a request at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.requester import Dump, DumpRequester
from kvtui.backend.node.guard import SourceGuard
from kvtui.backend.node.network import IpvsLayer
from kvtui.backend.node.vrrp_layer import INTERVAL, UNSETTLED_INTERVAL, URGENT_INTERVAL, VrrpLayer
from kvtui.model.keepalived import Children
from kvtui.model.vrrp import RealServerCheck, VrrpState
from tests.kit import NOW, instance, keepalived, real, table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kvtui.model.ipvs import IpvsTable


class Answers:
    """Answers the requests of a ``VrrpLayer`` with a clock of the test.

    Attributes:
        requests: whether each request was full.
        answer: the next answer; a ``DumpError`` is raised.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[bool] = []
        self.answer: Dump | DumpError = dump(VrrpState.BACKUP)
        self.now = 1000.0
        self.wakes = 0
        monkeypatch.setattr(DumpRequester, "read", self.read)
        self.layer = VrrpLayer(
            keepalived(), signals=True, changed=self.changed, guard=SourceGuard("dumps"), clock=lambda: self.now
        )

    def changed(self) -> None:
        self.wakes += 1

    def read(self, _now: float, *, full: bool = False) -> Dump:
        self.requests.append(full)
        if isinstance(self.answer, DumpError):
            raise self.answer
        return self.answer

    async def at(self, seconds: float, *, urgent: bool = False, full: bool = False) -> list[bool]:
        """Returns the requests that a reading at that time causes."""
        self.now = 1000.0 + seconds
        before = len(self.requests)
        self.layer.request(urgent=urgent, full=full)
        await self.layer.settle()
        return self.requests[before:]


def dump(state: VrrpState, checks: tuple[RealServerCheck, ...] | None = ()) -> Dump:
    return Dump((instance(state),), checks, NOW, "data")


@pytest.fixture
async def answers(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Answers]:
    answers = Answers(monkeypatch)
    yield answers
    await answers.layer.close()


async def test_a_request_that_is_too_early_is_made_later(answers: Answers) -> None:
    assert await answers.at(0) == [True]
    assert await answers.at(URGENT_INTERVAL) == [False], "a second request, because the first dump is a change"
    assert await answers.at(URGENT_INTERVAL + 0.1) == []
    assert await answers.at(URGENT_INTERVAL + 0.2, urgent=True) == []
    assert await answers.at(2 * URGENT_INTERVAL) == [False], "the event is not lost"
    assert await answers.at(2 * URGENT_INTERVAL + 0.1, full=True) == []
    assert await answers.at(3 * URGENT_INTERVAL) == [True]
    assert await answers.at(4 * URGENT_INTERVAL) == []
    assert await answers.at(3 * URGENT_INTERVAL + INTERVAL) == [True]


async def test_requests_continue_until_two_dumps_are_equal(answers: Answers) -> None:
    await answers.at(0)
    await answers.at(1)
    assert await answers.at(2) == []
    answers.answer = dump(VrrpState.MASTER)
    assert await answers.at(3, urgent=True) == [False]
    assert await answers.at(4) == [False]
    assert await answers.at(5) == []


async def test_a_state_that_may_end_without_an_event_is_read_more_often(answers: Answers) -> None:
    answers.answer = dump(VrrpState.FAULT)
    await answers.at(0)
    await answers.at(1)
    assert await answers.at(1.5) == []
    assert await answers.at(1 + UNSETTLED_INTERVAL) == [False]


async def test_retries_after_an_error_become_less_frequent(answers: Answers) -> None:
    answers.answer = DumpError("it does not handle the signal yet")
    tried = [second for second in range(40) if await answers.at(second)]
    assert tried == [0, 1, 3, 7, 15, 30]
    assert answers.layer.source().detail == "it does not handle the signal yet"
    answers.answer = dump(VrrpState.BACKUP)
    assert await answers.at(45) == [True]
    assert answers.layer.source().detail == ""


async def test_missing_checks_are_requested_again(answers: Answers) -> None:
    answers.answer = dump(VrrpState.BACKUP, checks=None)
    assert await answers.at(0) == [True]
    assert await answers.at(1) == [True]


async def test_checks_that_a_full_dump_lacks_are_dropped(answers: Answers) -> None:
    check = RealServerCheck("10.4.0.50:80", "10.4.0.11", 80, 1, 1, alive=True, failed_checkers=0)
    answers.answer = dump(VrrpState.BACKUP, (check,))
    await answers.at(0)
    answers.answer = dump(VrrpState.BACKUP, ())
    await answers.at(1, full=True)
    assert answers.layer.dump is not None
    assert answers.layer.dump.checks == ()


async def test_a_missing_vrrp_process_is_an_error_if_the_config_has_instances(answers: Answers) -> None:
    childless = replace(keepalived(), children=Children())
    layer = VrrpLayer(childless, signals=True, changed=lambda: None, guard=SourceGuard("dumps"))
    layer.expects_instances = True
    answers.answer = Dump((), (), NOW, "data", "keepalived runs no VRRP child")
    layer.request()
    await layer.settle()
    assert layer.dump is None
    assert "the VRRP process is not running" in layer.source().detail
    await layer.close()


MOVES: dict[str, tuple[list[IpvsTable], list[bool]]] = {
    "removed and added": (
        [table(real(5), real(6)), table(real(5)), table(real(5), real(6))],
        [False, True, True],
    ),
    "weight 0": ([table(real(5)), table(real(5, weight=0)), table(real(5, weight=0))], [False, True, False]),
    "another weight": ([table(real(5)), table(real(5, weight=3))], [False, False]),
    "connections": ([table(real(5)), table(real(5, active=99))], [False, False]),
    "a virtual server is removed": ([table(real(5)), replace(table(), virtual_servers=())], [False, True]),
}


@pytest.mark.parametrize(("tables", "moved"), MOVES.values(), ids=MOVES.keys())
def test_changes_by_health_checks_in_the_kernel_are_noticed(
    monkeypatch: pytest.MonkeyPatch, tables: list[IpvsTable], moved: list[bool]
) -> None:
    layer = IpvsLayer(None)
    found = []
    for reading in tables:
        monkeypatch.setattr(IpvsReader, "read", lambda _reader, *_args, it=reading, **_urgent: it)
        layer.read()
        found.append(layer.take_moved())
    layer.reader.close()
    assert found == moved
