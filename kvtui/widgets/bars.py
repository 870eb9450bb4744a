"""The line of tabs and the line of key hints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.header import tabs
from kvtui.presenters.keymap import key_value
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from kvtui.model.observation import Observation
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.presenters.header import Tab
    from kvtui.presenters.keys import View

Hint = tuple[str, str]
GAP = 2


class TabLine(Lines):
    DEFAULT_CSS = "TabLine { height: 1; background: $surface; color: $foreground; }"

    @dataclass
    class Chosen(Message):
        name: str

    def __init__(self, views: Sequence[tuple[View, str]], active: str, glyphs: Glyphs) -> None:
        super().__init__(wraps=False)
        self._views, self._active, self._glyphs = views, active, glyphs
        self._observation: Observation | None = None
        self._tabs: list[Tab] = []

    def update(self, observation: Observation | None) -> None:
        self._observation = observation
        self._tabs = tabs(self._views, self._active, observation, self.size.width, self._glyphs)
        self.show([tuple(cell for tab in self._tabs for cell in tab.line)])

    def on_resize(self) -> None:
        self.update(self._observation)

    def on_click(self, event: events.Click) -> None:
        for tab in self._tabs:
            if tab.start <= event.x < tab.stop:
                self.post_message(self.Chosen(tab.name))


class KeyLine(Lines):
    """As many key hints as fit. A click on one presses its key."""

    DEFAULT_CSS = "KeyLine { height: 1; background: $panel; color: $foreground; }"

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
            tones = (Tone.DIM, Tone.DIM) if word in self._off else (Tone.FOCUS, Tone.NORMAL)
            cells += map(Cell, (key, f" {word}{' ' * GAP}"), tones)
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
