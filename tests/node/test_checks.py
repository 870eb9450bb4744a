"""A health check that fails shows in the kernel first: then keepalived is asked for its checks, and not 30 s later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.requester import INTERVAL, URGENT_INTERVAL, Dump, DumpRequester
from kvtui.backend.node.network_layer import IpvsLayer
from kvtui.backend.node.vrrp_layer import VrrpLayer
from tests.build import NOW, keepalived, real, table

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each question was a full one."""
    questions: list[bool] = []

    def read(dumper: Any, now: float, *, full: bool = False) -> Dump:
        dumper._asked_at = now
        questions.append(full)
        return Dump((), (), now, "data", "")

    monkeypatch.setattr(DumpRequester, "read", read)
    monkeypatch.setattr("kvtui.backend.node.vrrp_layer.time.time", lambda: NOW)
    return questions


async def test_checks_are_asked_for_as_soon_as_that_is_polite(asked: list[bool]) -> None:
    layer = VrrpLayer(keepalived(), signals=True, changed=lambda: None)
    for after, wanted, now in (
        (0.0, False, [True]),
        (1.0, True, [True]),  # 2 s are not over: it is remembered
        (URGENT_INTERVAL, False, [True, True]),
        (2 * URGENT_INTERVAL, False, [True, True]),
    ):
        layer.request(NOW + after, urgent=False, checks=wanted)
        await layer.settle()
        assert asked == now, after
    assert 2 * URGENT_INTERVAL < INTERVAL


MOVES: dict[str, tuple[list[IpvsTable], list[bool]]] = {
    "one goes and comes": ([table(real(5), real(6)), table(real(5)), table(real(5), real(6))], [False, True, True]),
    "weight 0": ([table(real(5)), table(real(5, weight=0)), table(real(5, weight=0))], [False, True, False]),
    "another weight": ([table(real(5)), table(real(5, weight=3))], [False, False]),
    "connections": ([table(real(5)), table(real(5, active=99))], [False, False]),
    "a virtual server goes": ([table(real(5)), replace(table(), virtual_servers=())], [False, True]),
}


@pytest.mark.parametrize(("tables", "moved"), MOVES.values(), ids=MOVES.keys())
def test_what_a_check_changes_in_the_kernel_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tables: list[IpvsTable], moved: list[bool]
) -> None:
    layer = IpvsLayer(None)
    found = []
    for reading in tables:
        monkeypatch.setattr(layer._reader, "read", partial(lambda it, *_args, **_urgent: it, reading))
        layer.read()
        found.append(layer.moved)
    layer.close()
    assert found == moved
