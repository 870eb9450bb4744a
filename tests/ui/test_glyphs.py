"""Characters: bars show amounts, marks differ without colour, and the ASCII set is ASCII."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kvtui.presenters.glyphs import ASCII, UNICODE, Glyphs, sparkline
from kvtui.widgets.output_filters import ascii_text


def test_the_highest_bar_is_full_and_nothing_is_blank() -> None:
    assert sparkline([0, 1, 4, 8], 4, UNICODE.bars) == " ▁▄█"
    assert sparkline([0, 1, 4, 8], 4, ASCII.bars) == " .=@"


def test_a_small_value_is_not_drawn_as_zero() -> None:
    assert sparkline([1000, 0.001], 2, UNICODE.bars) == "█▁"


def test_only_the_newest_values_are_shown_oldest_on_the_left() -> None:
    assert sparkline([9, 1, 2], 2, UNICODE.bars) == "▄█"
    assert sparkline([5], 4, UNICODE.bars) == "   █"
    assert sparkline([], 3, UNICODE.bars) == "   "
    assert sparkline([1, 2], 0, UNICODE.bars) == ""


@given(st.lists(st.floats(min_value=0, max_value=1e12), max_size=80), st.integers(0, 70))
def test_a_sparkline_is_exactly_as_wide_as_asked(values: list[float], width: int) -> None:
    for drawing in UNICODE, ASCII:
        assert cell_len(sparkline(values, width, drawing.bars)) == width


@pytest.mark.parametrize("drawing", [UNICODE, ASCII])
def test_marks_differ_without_colour_and_are_one_column_wide(drawing: Glyphs) -> None:
    assert len(set(drawing.marks.values())) == len(drawing.marks)
    flat = [v for name in drawing.__struct_fields__ for v in _characters(getattr(drawing, name))]
    assert [c for c in flat if cell_len(c) != 1] == []


def test_the_ascii_set_is_ascii() -> None:
    assert "".join(v for name in ASCII.__struct_fields__ for v in _characters(getattr(ASCII, name))).isascii()


@given(st.text(max_size=60))
def test_ascii_text_is_ascii_and_keeps_its_columns(text: str) -> None:
    written = ascii_text(text)

    assert written.isascii()
    assert len(written) == sum(cell_len(c) for c in text) or not text.isprintable()


def _characters(value: str | dict[object, str]) -> list[str]:
    return list(value) if isinstance(value, str) else list(value.values())
