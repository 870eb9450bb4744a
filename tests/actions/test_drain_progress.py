"""Verification of a drain: the weight, and the connections that remain; from tables, without a kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.drain.drain_progress import DrainProgress, ExpectedWeight, seconds_left
from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol
from tests.actions.nodes import NETWORK, WEB, virtual
from tests.kit import NOW, real

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.network import Network


def watching(*tables: IpvsTable, wait: float | None = None, **changes: Any) -> tuple[DrainProgress, list[str]]:
    """Returns a progress that reads these tables one second apart and repeats the last one, and its reports."""
    now = [100.0]
    left: Iterator[IpvsTable] = iter(tables)
    last = [tables[0]]

    def read(_network: Network) -> IpvsTable:
        last[0] = next(left, last[0])
        now[0] += 1.0
        return last[0]

    expected = (ExpectedWeight(WEB, real(5, weight=4), 0),)
    reported: list[str] = []
    return DrainProgress(NETWORK, expected, wait=wait, read=read, clock=lambda: now[0], pause=0.0, **changes), reported


def kernel(**changes: Any) -> IpvsTable:
    return IpvsTable(
        (virtual(real(5, **{"weight": 0, **changes}), real(6)),), complete=True, read_at=NOW, monotonic=1.0
    )


async def test_weight_0_with_other_fields_unchanged_is_verified() -> None:
    progress, reported = watching(kernel(active=7))
    seen = await progress.verify(reported.append)
    assert (seen.ok, seen.detail) == (True, "seen in the kernel: 10.2.68.5:8080 in 10.4.0.50:80: weight 0")
    assert seen.facts["after"] == {
        "10.2.68.5:8080 in 10.4.0.50:80": {"weight": 0, "active": 7, "inactive": 1, "persistent": 0}
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight": 4}, "has weight 4, not 0: something else set it"),
        ({"method": ForwardingMethod.DIRECT}, "is direct, thresholds 0/0, tunnel 0/0/0, but was masq"),
        ({"upper_threshold": 5}, "thresholds 5/0"),
        ({"tunnel_flags": 1}, "tunnel 0/0/1"),
    ],
)
async def test_another_weight_or_option_fails_the_verification(changes: dict[str, Any], words: str) -> None:
    progress, reported = watching(kernel(**changes))
    seen = await progress.verify(reported.append)
    assert seen.ok is False
    assert words in seen.detail


async def test_a_server_that_its_check_removed_is_not_a_failure() -> None:
    gone = IpvsTable((virtual(real(6)),), complete=True, read_at=NOW, monotonic=1.0)
    progress, reported = watching(gone)
    seen = await progress.verify(reported.append)
    assert seen.ok is None
    assert "was removed from the kernel meanwhile" in seen.detail


async def test_waiting_reports_connections_until_two_readings_are_empty() -> None:
    counts = [8, 8, 4, 2, 0, 1, 0, 0]
    progress, reported = watching(*(kernel(active=n, inactive=3) for n in counts), wait=60)
    seen = await progress.verify(reported.append)
    assert (seen.ok, seen.detail) == (True, "weight 0, and empty: active 0, inactive 3, persistent 0")
    assert reported == [
        "active 8, inactive 3, persistent 0",
        "active 4, inactive 3, persistent 0 · about 3.0s left",
        "active 2, inactive 3, persistent 0 · about 2.0s left",
        "active 0, inactive 3, persistent 0",
        "active 1, inactive 3, persistent 0 · about 1.3s left",
        "active 0, inactive 3, persistent 0",
    ]


async def test_waiting_ends_at_the_timeout() -> None:
    progress, reported = watching(kernel(active=1), wait=5)
    seen = await progress.verify(reported.append)
    assert seen.ok is None
    assert seen.detail.startswith("weight 0, but not empty after 5.0s: active 1, inactive 1, persistent 0; it stays")


async def test_a_weight_that_comes_back_while_waiting_fails_the_verification() -> None:
    progress, reported = watching(kernel(active=1), kernel(active=1), kernel(active=1, weight=1), wait=60)
    assert (await progress.verify(reported.append)).ok is False


@pytest.mark.parametrize(
    ("protocol", "persistence", "fixed", "counts", "empty"),
    [
        (Protocol.TCP, None, False, {"active": 0, "inactive": 9, "persistent": 0}, True),
        (Protocol.UDP, None, False, {"active": 0, "inactive": 9, "persistent": 0}, False),
        (Protocol.UDP, None, False, {"active": 0, "inactive": 0, "persistent": 0}, True),
        (Protocol.TCP, 300, False, {"active": 0, "inactive": 0, "persistent": 2}, False),
        (Protocol.TCP, 300, True, {"active": 0, "inactive": 0, "persistent": 2}, True),
    ],
)
async def test_which_counters_must_be_0_before_a_server_is_empty(
    protocol: Protocol, persistence: int | None, fixed: bool, counts: dict[str, int], empty: bool
) -> None:
    served = virtual(real(5, weight=0, **counts), real(6), protocol=protocol, persistence_timeout=persistence)
    seen = IpvsTable((served,), complete=True, read_at=NOW, monotonic=1.0)
    progress, reported = watching(seen, wait=5, persistence_fixed=fixed)
    expected = (ExpectedWeight(served.key, real(5), 0),)
    found = await replace(progress, expected=expected).verify(reported.append)
    assert found.ok is (True if empty else None)


@pytest.mark.parametrize(
    ("samples", "seconds"),
    [
        ([(0.0, 8)], None),
        ([(0.0, 8), (1.0, 8)], None),
        ([(0.0, 4), (1.0, 8)], None),
        ([(0.0, 8), (1.0, 0)], None),
        ([(0.0, 8), (1.0, 4)], 3.0),
        ([(0.0, 1000), (100.0, 64), (160.0, 16)], 150.0),
    ],
)
def test_seconds_left(samples: list[tuple[float, int]], seconds: float | None) -> None:
    """The estimate ignores samples older than a minute and extrapolates the exponential decline."""
    assert seconds_left(samples) == (None if seconds is None else pytest.approx(seconds))
