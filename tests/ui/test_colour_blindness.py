"""The colours of states differ for people with red-green colour blindness; marks and words differ too."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pytest

from kvtui.presenters.glyphs import ASCII, UNICODE
from kvtui.widgets.themes import CONTRAST, DARK, LIGHT

if TYPE_CHECKING:
    from textual.theme import Theme

    from kvtui.presenters.glyphs import Glyphs

Matrix = tuple[tuple[float, float, float], ...]

PROTANOPIA: Matrix = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
DEUTERANOPIA: Matrix = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
"""Machado, Oliveira, Fernandes 2009, at full severity."""
NORMAL: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
TO_XYZ: Matrix = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
WHITE = (0.9505, 1.0, 1.089)
CLEAR = 15.0
"""Distance in CIELAB; 2.3 is just noticeable."""


def times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def lab(colour: str, eye: Matrix) -> tuple[float, float, float]:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    seen = tuple(min(1.0, max(0.0, c)) for c in times(eye, linear))
    x, y, z = (
        t ** (1 / 3) if (t := v / w) > 0.008856 else 7.787 * t + 16 / 116
        for v, w in zip(times(TO_XYZ, seen), WHITE, strict=True)
    )
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


@pytest.mark.parametrize("eye", [NORMAL, PROTANOPIA, DEUTERANOPIA], ids=["normal", "protanopia", "deuteranopia"])
@pytest.mark.parametrize("theme", [DARK, LIGHT, CONTRAST], ids=lambda theme: theme.name)
def test_serving_attention_broken_and_focus_are_distinguishable(theme: Theme, eye: Matrix) -> None:
    colours = {role: str(getattr(theme, role)) for role in ("success", "warning", "error", "primary")}
    distances = {
        (a, b): round(sum((p - q) ** 2 for p, q in zip(lab(colours[a], eye), lab(colours[b], eye), strict=True)) ** 0.5)
        for a, b in combinations(colours, 2)
    }
    assert {pair: d for pair, d in distances.items() if d < CLEAR} == {}


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_marks_differ_in_shape(glyphs: Glyphs) -> None:
    assert len({*glyphs.marks.values()}) == len(glyphs.marks)
    assert len({glyphs.critical, glyphs.warning, glyphs.whole, glyphs.self_mark}) == 4
