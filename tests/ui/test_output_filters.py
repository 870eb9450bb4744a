"""What goes to the terminal: no control characters, and only ASCII if that was requested."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from kvtui.widgets.output_filters import AsciiFilter, ControlCharFilter, ascii_text

BLACK = Color(0, 0, 0)
BOLD = Style(bold=True)


def test_similar_ascii_characters() -> None:
    drawn = "┌─ Keys ─┐ 10.4.0.5 → 10.4.0.4 … «x» ★ ✓✗· 日 ▂"
    assert ascii_text(drawn) == '+- Keys -+ 10.4.0.5 > 10.4.0.4 ~ "x" * +X. ??  '


@given(st.text(st.characters(exclude_categories=["C", "M"])))
@settings(deadline=None)
def test_ascii_is_as_wide_as_the_character_it_replaces(text: str) -> None:
    assert ascii_text(text).isascii()
    assert cell_len(ascii_text(text)) == cell_len(text)


def test_ascii_segments_pass_unchanged_and_styles_stay() -> None:
    plain = Segment("10.4.0.50", BOLD)
    out = AsciiFilter().apply([plain, Segment("✓", BOLD)], BLACK)
    assert out == [plain, Segment("+", BOLD)]
    assert out[0] is plain


@given(st.text(st.characters(exclude_categories=())))
@settings(deadline=None)
def test_no_control_character_gets_out(text: str) -> None:
    for segment in ControlCharFilter().apply([Segment(text)], BLACK):
        assert [c for c in segment.text if unicodedata.category(c)[0] == "C"] == []


def test_printable_text_passes_unchanged() -> None:
    clean = Segment("10.4.0.50 ✓", BOLD)
    out = ControlCharFilter().apply([clean, Segment("a\x1b[2Jb\nc\u202e")], BLACK)
    assert out[0] is clean
    assert out[1].text == "a\ufffd[2Jb⏎c\ufffd"
