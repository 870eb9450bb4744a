"""Draws a terminal emulator's screen as an SVG that loads nothing.

Each word is placed separately, so that a font that lacks some characters shifts nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyte

    Style = tuple[str, str, bool, bool]
    """Foreground, background, whether bold, whether underlined."""

FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
FONT_SIZE = 20
CELL_WIDTH, CELL_HEIGHT, BASELINE = 12.04, 23.3, 18.4
"""Sizes of DejaVu Sans Mono at this font size, so that frames have no gaps."""
MARGIN, TITLE_HEIGHT = 12, 40
FRAME, TITLE_COLOUR = "#2b2b2b", "#d0d0d0"
FOREGROUND, BACKGROUND = "#e4e4e4", "#121212"
LIGHTS = ("#ff5f57", "#febc2e", "#28c840")
COLOURS = {
    "black": "#000000", "red": "#cd3131", "green": "#0dbc79", "brown": "#c5a332", "blue": "#3b78ff",
    "magenta": "#bc3fbc", "cyan": "#11a8cd", "white": "#cccccc", "brightblack": "#767676", "brightred": "#ff6b6b",
    "brightgreen": "#4be69c", "brightbrown": "#f5e97a", "brightyellow": "#f5e97a", "brightblue": "#6fa8ff",
    "brightmagenta": "#e678e6", "bfightmagenta": "#e678e6", "brightcyan": "#5fe3f5", "brightwhite": "#ffffff",
}  # fmt: skip
"""pyte's colour names; one of them is misspelt there."""
PIECES = re.compile("[!-~\u00a1-\u017f\u2500-\u259f]+|[^ ]")
"""A run of text in one font; other characters (marks, braille) are placed one by one."""


def svg(screen: pyte.Screen, title: str) -> str:
    """Returns the emulator's screen in a frame with a title."""
    width = screen.columns * CELL_WIDTH + 2 * MARGIN
    height = screen.lines * CELL_HEIGHT + TITLE_HEIGHT + MARGIN
    box = f'viewBox="0 0 {width:.1f} {height:.1f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="{FONT}" font-size="{FONT_SIZE}">',
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="10" fill="{FRAME}"/>',
        *(f'<circle cx="{22 + 22 * n}" cy="20" r="7" fill="{colour}"/>' for n, colour in enumerate(LIGHTS)),
        f'<text x="{width / 2:.1f}" y="26" text-anchor="middle" fill="{TITLE_COLOUR}">{escape(title)}</text>',
        f'<g transform="translate({MARGIN} {TITLE_HEIGHT})">',
    ]
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    background = Counter(_style(cell)[1] for row in rows for cell in row).most_common(1)[0][0]
    parts.append(_rect(0, 0, screen.columns, screen.lines, background))
    for y, row in enumerate(rows):
        parts += _row(row, y, background)
    return "\n".join([*parts, "</g>", "</svg>"])


def _rect(column: int, line: int, columns: int, lines: int, colour: str) -> str:
    place = f'x="{column * CELL_WIDTH:.2f}" y="{line * CELL_HEIGHT:.2f}"'
    size = f'width="{columns * CELL_WIDTH:.2f}" height="{lines * CELL_HEIGHT:.2f}"'
    return f'<rect {place} {size} fill="{colour}" shape-rendering="crispEdges"/>'


def _row(cells: list[pyte.screens.Char], line: int, background: str) -> Iterator[str]:
    column = 0
    texts: list[str] = []
    for style, run in groupby(cells, key=_style):
        characters = list(run)
        if style[1] != background:
            yield _rect(column, line, len(characters), 1, style[1])
        text = "".join(c.data or " " for c in characters)
        texts += _texts(text, column * CELL_WIDTH, line * CELL_HEIGHT, style)
        column += len(characters)
    yield from texts


def _texts(text: str, left: float, top: float, style: Style) -> Iterator[str]:
    foreground, _background, bold, underlined = style
    attributes = f'fill="{foreground}"' + ' font-weight="bold"' * bold + ' text-decoration="underline"' * underlined
    for match in PIECES.finditer(text):
        x, piece = left + match.start() * CELL_WIDTH, match.group()
        length = f' textLength="{len(piece) * CELL_WIDTH:.2f}" lengthAdjust="spacingAndGlyphs"'
        yield f'<text x="{x:.2f}" y="{top + BASELINE:.2f}" {attributes}{length}>{escape(piece)}</text>'


def _style(character: pyte.screens.Char) -> Style:
    foreground, background = _colour(character.fg, FOREGROUND), _colour(character.bg, BACKGROUND)
    if character.reverse:
        foreground, background = background, foreground
    return (foreground, background, character.bold, character.underscore)


def _colour(name: str, default: str) -> str:
    return default if name == "default" else COLOURS.get(name) or f"#{name}"
