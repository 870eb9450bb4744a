"""The key line at the bottom: as many key hints as fit. A click on one presses its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.keymap import key_value
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from textual import events

Hint = tuple[str, str]
GAP = 2
"""Blanks between two hints."""


class KeyLine(Lines):
    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, hints: tuple[Hint, ...]) -> None:
        super().__init__(wraps=False)
        self._hints = hints
        self._first: tuple[Hint, ...] = ()
        self._off: frozenset[str] = frozenset()

    def begin_with(self, *first: Hint) -> None:
        if first != self._first:
            self._first = first
            self.on_resize()

    def dim(self, words: frozenset[str]) -> None:
        """Dims the hints with these words: their keys do nothing for the selected row, and say why."""
        if words != self._off:
            self._off = words
            self.on_resize()

    @property
    def fitting(self) -> list[Hint]:
        return fitting((*self._first, *self._hints), self.size.width)

    def on_resize(self) -> None:
        cells: list[Cell] = []
        for key, word in self.fitting:
            is_off = word in self._off
            cells += [
                Cell(key, Tone.DIM if is_off else Tone.FOCUS),
                Cell(f" {word}{' ' * GAP}", Tone.DIM if is_off else Tone.NORMAL),
            ]
        self.show([tuple(cells)])

    def on_click(self, event: events.Click) -> None:
        start = 0
        for key, word in self.fitting:
            stop = start + len(key) + 1 + len(word)
            if start <= event.x < stop:
                self.app.simulate_key(key_value(key if len(key) == 1 else key.lower()))
            start = stop + GAP


def fitting(hints: tuple[Hint, ...], width: int) -> list[Hint]:
    """Returns as many hints as fit, and always the last one (help)."""
    if not hints:
        return []
    *others, last = hints
    left = width - sum(map(len, last)) - 1
    chosen: list[Hint] = []
    for hint in others:
        left -= sum(map(len, hint)) + 1 + GAP
        if left < 0:
            break
        chosen.append(hint)
    return [*chosen, last]
