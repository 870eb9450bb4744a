"""Which columns fit: those of low rank first; none is wider than the terminal or narrower than its text needs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kvtui.screens import ipvs, vips, vrrp
from kvtui.widgets.columns import GAP, Column, aligned, fit

NAME = Column("name", "NAME", 10, 0)
RATE = Column("rate", "RATE", 5, 2, right=True)
STATE = Column("state", "STATE", 6, 1)
SPARK = Column("spark", "TRAFFIC", 7, 3, max_width=20, fill=True)
ALL = (NAME, RATE, STATE, SPARK)


def names(room: int, longest: dict[int, int] | None = None) -> dict[str, int]:
    return {p.column.name: p.width for p in fit(ALL, room, longest)}


def test_the_highest_rank_goes_first() -> None:
    assert list(names(80)) == ["name", "rate", "state", "spark"]
    assert list(names(30)) == ["name", "rate", "state"]
    assert list(names(20)) == ["name", "state"]
    assert list(names(12)) == ["name"]


def test_the_first_column_stays_at_any_width() -> None:
    assert names(3) == {"name": 3}
    assert names(0) == {"name": 1}


def test_a_column_grows_to_its_text_and_a_sparkline_takes_the_rest() -> None:
    assert names(60, {0: 17, 1: 4, 2: 6}) == {"name": 17, "rate": 4, "state": 6, "spark": 20}


def test_a_column_with_short_text_frees_its_room() -> None:
    assert names(24, {0: 6, 1: 3, 2: 4}) == {"name": 6, "rate": 4, "state": 5}


def test_a_long_name_takes_priority_over_a_column_of_high_rank() -> None:
    assert names(36, {0: 12, 1: 5, 2: 6}) == {"name": 12, "rate": 5, "state": 6, "spark": 10}
    assert names(30, {0: 12, 1: 5, 2: 6}) == {"name": 12, "rate": 5, "state": 6}
    assert names(30, {0: 99, 1: 5, 2: 6}) == {"name": 17, "rate": 5, "state": 6}


def test_a_text_that_is_too_long_shows_that_it_was_cut() -> None:
    assert aligned("kube-system/dns", 8, right=False) == "kube-sy…"
    assert aligned("abc", 1, right=False) == "a"
    assert aligned("12", 5, right=True) == "   12"


@given(st.text(max_size=30), st.integers(1, 40), st.booleans())
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int, right: bool) -> None:
    assert cell_len(aligned(text, width, right=right)) == width


@given(st.integers(0, 250), st.dictionaries(st.integers(0, 14), st.integers(0, 60)))
def test_no_screen_is_ever_wider_than_the_terminal(room: int, longest: dict[int, int]) -> None:
    for columns in vips.COLUMNS, vrrp.COLUMNS, ipvs.COLUMNS:
        placed = fit(columns, room, {i: n for i, n in longest.items() if i < len(columns)})

        assert sum(p.width for p in placed) + GAP * (len(placed) - 1) <= max(1, room)
        assert [p.index for p in placed] == sorted(p.index for p in placed)


def test_the_required_columns_of_the_landing_page_fit_into_80() -> None:
    shown = {p.column.name for p in fit(vips.COLUMNS, 80)}

    assert shown >= {"vip", "owner", "state", "priority", "up", "cps", "bps", "chain"}


def test_the_required_columns_of_the_ipvs_screen_fit_into_80() -> None:
    shown = {p.column.name for p in fit(ipvs.COLUMNS, 80)}

    assert shown >= {"name", "weight", "active", "inactive", "cps", "bps", "state"}


def test_200_columns_hold_everything() -> None:
    for columns in vips.COLUMNS, vrrp.COLUMNS, ipvs.COLUMNS:
        assert len(fit(columns, 200)) == len(columns)
