"""Rates are computed from differences of counters; resets and new servers cause no spike."""

from __future__ import annotations

from kvtui.model.ipvs import IpvsTable, Stats
from kvtui.rules.servers.rates import RateMeter
from tests.kit import real, table


def view(before: IpvsTable | None, after: IpvsTable) -> Stats:
    found = RateMeter(before, after).of_virtual(after.virtual_servers[0])
    assert found is not None
    return found


def test_the_difference_is_divided_by_the_real_elapsed_time() -> None:
    before = table(stats=Stats(connections=100, in_bytes=1000), monotonic=10.0)
    after = table(stats=Stats(connections=150, in_bytes=1500, cps=7), monotonic=12.5)
    assert (view(before, after).cps, view(before, after).in_bps) == (20.0, 200.0)
    assert view(before, after).connections == 150


def test_a_single_reading_shows_the_kernels_estimate() -> None:
    assert view(None, table(stats=Stats(connections=150, cps=7))).cps == 7


def test_a_counter_that_went_backwards_shows_the_kernels_estimate_not_a_spike() -> None:
    before = table(stats=Stats(connections=2**63, in_bytes=9), monotonic=10.0)
    after = table(stats=Stats(connections=3, in_bytes=10, cps=1), monotonic=11.0)
    assert view(before, after).cps == 1


def test_a_new_server_has_no_difference() -> None:
    before, after = table(real(5), monotonic=10.0), table(real(5), real(6), monotonic=11.0)
    virtual = after.virtual_servers[0]
    new = RateMeter(before, after).of_reals(virtual)[1]
    assert new is not None
    assert (new.connections, new.cps) == (60, 0)


def test_two_readings_too_close_together_are_not_divided() -> None:
    before = table(stats=Stats(connections=100), monotonic=10.0)
    after = table(stats=Stats(connections=101, cps=2), monotonic=10.01)
    assert view(before, after).cps == 2


def test_64_bit_counters_keep_their_precision() -> None:
    before = table(stats=Stats(in_bytes=2**63), monotonic=10.0)
    after = table(stats=Stats(in_bytes=2**63 + 1000), monotonic=11.0)
    assert view(before, after).in_bps == 1000.0
    assert view(before, after).in_bytes == 2**63 + 1000
