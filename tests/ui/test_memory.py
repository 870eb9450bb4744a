"""A closed dialog is gone: nothing keeps its screen, its widgets or their lines."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from textual._styles_cache import StylesCache
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from kvtui.app import MAX_CLOSED_SCREENS
from tests.ui.seen import Ui, demo, running

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
KINDS: tuple[type[Any], ...] = (Screen, Widget, StylesCache)
ROUNDS = 4


async def press_all(ui: Ui) -> None:
    for key in ROUND:
        await ui.press(key)


def alive() -> tuple[Counter[str], int]:
    """The living screens, widgets and their caches by name, and the number of rendered lines."""
    gc.collect()
    objects = gc.get_objects()
    kinds = Counter(type(o).__name__ for o in objects if isinstance(o, KINDS))
    return kinds, sum(isinstance(o, Strip) for o in objects)


async def test_nothing_stays_of_a_closed_dialog() -> None:
    async with running(demo(), size=(120, 40), label="demo") as ui:
        for _ in range(2):
            await press_all(ui)
        kinds, lines = alive()
        for _ in range(ROUNDS):
            await press_all(ui)
        later, lines_later = alive()
    assert later == kinds
    assert lines_later < lines + 100


async def test_closed_dialogs_are_collected_with_the_next_observation() -> None:
    """Without waiting for Python's collector, whose full collections kvtui makes rare."""
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
