"""Numbers and durations in few characters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.model.units import ago, coarse, count, per_second, steps


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (999.4, "999"),
        (999.6, "1.0k"),
        (1000, "1.0k"),
        (1234, "1.2k"),
        (9949, "9.9k"),
        (9951, "10k"),
        (999_499, "999k"),
        (999_501, "1.0M"),
        (34_000_000, "34M"),
        (2**64 - 1, "18E"),
    ],
)
def test_count(value: float, shown: str) -> None:
    assert count(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (0.04, "0.0"), (0.5, "0.5"), (9.94, "9.9"), (9.96, "10"), (45_321, "45k")]
)
def test_per_second(value: float, shown: str) -> None:
    assert per_second(value) == shown


@given(st.integers(0, 2**64 - 1) | st.floats(0, 2.0**63))
@settings(deadline=None)
def test_a_count_fits_its_column_and_reads_back_within_its_rounding(value: float) -> None:
    text = count(value)
    assert len(text) <= 4
    scale = 1000 ** (1 + "kMGTPE".index(text[-1])) if text[-1].isalpha() else 1
    read = float(text.rstrip("kMGTPE")) * scale
    assert abs(read - value) <= max(0.5, 0.0501 * scale if "." in text else 0.501 * scale)


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [
        (-3, "0.0s", "<1m"),
        (0.44, "0.4s", "<1m"),
        (12.9, "12s", "<1m"),
        (59.9, "59s", "<1m"),
        (60, "1m00s", "1m"),
        (185, "3m05s", "3m"),
        (3599, "59m59s", "59m"),
        (7620, "2h07m", "2h07m"),
        (86_399, "23h59m", "23h59m"),
        (86_400 * 9 + 4 * 3600, "9d04h", "9d04h"),
    ],
)
def test_durations(seconds: float, exact: str, rough: str) -> None:
    assert (ago(seconds), coarse(seconds)) == (exact, rough)


@pytest.mark.parametrize(
    ("seconds", "steps_shown"),
    [(0, "<5s"), (4.9, "<5s"), (5, "5s"), (29.9, "25s"), (59.9, "55s"), (60, "1m"), (7620, "2h07m")],
)
def test_ages_change_in_steps_of_five_seconds(seconds: float, steps_shown: str) -> None:
    assert steps(seconds) == steps_shown
