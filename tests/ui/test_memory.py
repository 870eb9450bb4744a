"""A closed dialog is freed: nothing keeps its screen, its widgets or their lines."""

from __future__ import annotations

import gc
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from textual._styles_cache import StylesCache
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from kvtui.app import MAX_CLOSED_SCREENS
from kvtui.textual_internals import drop_drawn_lines
from tests.kit.views import demo
from tests.ui.pseudo_terminal import PseudoTerminal
from tests.ui.seen import Ui, running

ROUND = [
    "3",
    "down",
    "d",
    "escape",
    "question_mark",
    "escape",
    "i",
    "escape",
    "1",
    "enter",
    "escape",
    "t",
    "escape",
    "7",
    "2",
    "5",
    "4",
]
STEPS = (
    ("3", "VIRTUAL / REAL"), ("g", ""), ("down", ""), ("d", "┌─ drain"), ("esc", "┌─ drain"), ("?", "Esc close"),
    ("esc", "Esc close"), ("i", "Esc close"), ("esc", "Esc close"), ("1", "OWNER"), ("enter", "Esc close"),
    ("esc", "Esc close"), ("t", "Esc close"), ("esc", "Esc close"), ("7", "all kinds"), ("2", "INSTANCE / PEER"),
    ("5", "FINDING"), ("4", "READY"),
)  # fmt: skip
"""Keys, and the text that each shows; Esc closes it."""
ROUNDS = 4
MAX_KB, MAX_GROWTH_KB = 80_000, 10_000
NOTICES = 20
"""Widgets and lines of notices, which vary over time."""


async def press_all(ui: Ui) -> None:
    for key in ROUND:
        await ui.press(key)


def alive() -> tuple[Counter[str], int, int]:
    """Returns the living screens by name, the number of the widgets' caches, and the number of rendered lines."""
    gc.collect()
    objects = gc.get_objects()
    screens = Counter(type(o).__name__ for o in objects if isinstance(o, Screen))
    return screens, sum(isinstance(o, StylesCache) for o in objects), sum(isinstance(o, Strip) for o in objects)


async def after_rounds(ui: Ui, rounds: int) -> tuple[Counter[str], tuple[int, ...], tuple[int, ...]]:
    """Returns what is alive after the rounds: screens, and caches and lines after each round; hundreds vary."""
    found = []
    for _ in range(rounds):
        await press_all(ui)
        drop_drawn_lines(ui.app.screen)  # while a notice covers them they are cut differently: up to as many again
        found.append(alive())
    _, caches, lines = zip(*found, strict=True)
    return found[-1][0], caches, lines


async def test_a_closed_dialog_is_freed() -> None:
    async with running(demo(), size=(120, 40), label="demo") as ui:
        await press_all(ui)
        screens, caches, lines = await after_rounds(ui, 2)
        screens_later, caches_later, lines_later = await after_rounds(ui, ROUNDS)
    assert screens_later - screens == Counter()
    assert min(caches_later[1:]) < max(caches) + NOTICES  # without the fix it grows by 16 a round
    assert min(lines_later[1:]) < max(lines) + 10 * NOTICES  # without the fix it grows by 370 a round


def drawn(screen: Screen[Any]) -> int:
    """Returns the lines that Textual keeps for a screen's widgets."""
    return sum(len(widget._styles_cache._cache) for widget in screen.walk_children(Widget))  # noqa: SLF001 - Textual's


async def test_a_hidden_screen_keeps_none_of_its_lines() -> None:
    async with running(demo(), size=(120, 40), label="demo") as ui:
        hidden = ui.app.screen
        assert drawn(hidden) > 40
        await ui.press("3")
        assert (drawn(hidden), drawn(ui.app.screen) > 40) == (0, True)
        await ui.press("1")
        assert drawn(hidden) > 40


async def test_closed_dialogs_are_freed_at_the_next_observation() -> None:
    """Does not wait for Python's collector; kvtui makes its full collections rare."""
    async with running(demo(), size=(120, 40), label="demo") as ui:
        gc.collect()
        gc.disable()
        try:
            for _ in range(MAX_CLOSED_SCREENS + 1):
                await ui.press("question_mark", "escape")
            dialogs = sum(type(o).__name__ == "HelpPanel" for o in gc.get_objects())
            assert dialogs > 1  # they refer to themselves
            await ui.see(demo(6.0))
            assert sum(type(o).__name__ == "HelpPanel" for o in gc.get_objects()) == 0
        finally:
            gc.enable()


def resident(pid: int) -> int:
    """Returns the resident memory in KB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.long
def test_memory_is_flat_for_300_rounds() -> None:
    seen: dict[int, int] = {}
    with PseudoTerminal("--demo", size=(120, 40)) as terminal:
        terminal.shows("OWNER", "10.4.0.50")
        for number in range(1, 301):
            for key, text in STEPS:
                if text:
                    terminal.press_until(key, text, shown=key != "esc")
                else:
                    terminal.press(key)
            seen[number] = resident(terminal.process.pid)
            terminal.raw = b""  # what kvtui has sent so far
        terminal.press("q")
        assert terminal.ended() == 0
    print({number: seen[number] for number in (50, 100, 150, 200, 250, 300)})
    assert seen[300] <= seen[50] + MAX_GROWTH_KB
    assert seen[300] <= MAX_KB
