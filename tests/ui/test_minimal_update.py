"""Only the changed spans of a line are sent, each once, at its own position."""

from __future__ import annotations

import pyte
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from kvtui.textual_internals import MinimalUpdate

BOLD = Style(bold=True)


def update(*spans: tuple[int, int, int]) -> ChopsUpdate:
    """Returns an update of two lines; the second has a widget of 10 columns and one of 20."""
    plain = Strip([Segment("0123456789" * 3)])
    left, right = Strip([Segment("abcdefghij")]), Strip([Segment("KLMNO", BOLD), Segment("PQRST", BOLD)])
    return ChopsUpdate([{0: plain}, {0: left, 10: right}], list(spans), [[30], [10, 20]])


def sent(*spans: tuple[int, int, int]) -> str:
    return MinimalUpdate.of(update(*spans)).render_segments(Console(color_system=None, force_terminal=True, width=30))


def test_a_span_is_sent_without_the_text_before_it() -> None:
    assert sent((0, 4, 7)) == "\x1b[1;5H456"


def test_two_spans_of_a_line_are_not_sent_twice() -> None:
    assert sent((0, 2, 4), (0, 20, 23)) == "\x1b[1;3H23\x1b[1;21H012"


def test_a_span_over_two_widgets_comes_from_both_and_neighbours_share_a_style() -> None:
    assert sent((1, 8, 17)) == "\x1b[2;9Hij\x1b[2;11H\x1b[1mKLMNOPQ\x1b[0m"


def test_it_draws_what_the_whole_update_draws() -> None:
    spans = ((0, 2, 4), (0, 9, 30), (1, 3, 18))
    screen, whole = pyte.Screen(30, 2), pyte.Screen(30, 2)
    pyte.Stream(screen).feed(sent(*spans))
    console = Console(color_system=None, force_terminal=True, width=30)
    pyte.Stream(whole).feed(update((0, 0, 30), (1, 0, 20)).render_segments(console))
    for y, first, last in spans:
        assert screen.display[y][first:last] == whole.display[y][first:last]
