"""Text from outside is data on every screen: no markup, no escape sequence, no second line, no changed direction."""

from __future__ import annotations

import unicodedata

import pytest
from rich.cells import cell_len
from textual import events

from kvtui.model.ipvs import Connection
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.text import plain
from tests.kit import snapshot
from tests.kit.views import make_observation
from tests.ui.hostile import HOSTILE, cluster, most_marks, world
from tests.ui.seen import Ui, running


def assert_harmless(ui: Ui, width: int = 80, height: int = 24) -> None:
    assert len(ui.lines) == height
    for line in ui.lines:
        assert [c for c in line if unicodedata.category(c)[0] == "C"] == []
        assert cell_len(line) == width, line
        assert [c for c in line if unicodedata.category(c) in {"Zl", "Zp"}] == []
        assert most_marks(line) <= 4


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_on_every_screen_and_panel(text: str) -> None:
    async with running(world(text)) as ui:
        ui.feed.found = ((Connection("TCP", ("192.0.2.1", 9), (text, 80), ("10.2.0.1", 80), text, 5, text),), 1)
        assert_harmless(ui)
        for keys in (["enter"], ["escape", "2"], ["3"], ["enter"], ["escape", "down", "enter"], ["escape", "i"]):
            await ui.press(*keys)
            assert_harmless(ui)
        await ui.press("escape", "slash")
        ui.app.screen.query_one("#filter").post_message(events.Paste(text))
        await ui.pilot.pause()
        assert_harmless(ui)
        assert ui.app.is_running


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_text_from_the_kubernetes_api(text: str) -> None:
    async with running(cluster(text)) as ui:
        for keys in (["enter"], ["escape", "4"], *[["down"], ["t"], ["escape"]] * 3, ["3", "down", "enter"], ["5"]):
            await ui.press(*keys)
            assert_harmless(ui)
        assert ui.app.is_running


async def test_markup_is_shown_as_it_is_written() -> None:
    text = "[bold red]x[/]"
    async with running(world(text), size=(200, 50)) as ui:
        for keys in ([], ["enter"], ["escape", "2"], ["3"], ["enter"], ["escape", "i"]):
            await ui.press(*keys)
            assert text in ui.text
        await ui.press("escape", "1", "enter")
        assert f"VIP {text}" in ui.text  # in a title too


async def test_no_vips_for_a_hostile_reason() -> None:
    text = "x\x1b[31m\ny"
    bad = tuple(Source(n, SourceState.UNAVAILABLE, text) for n in SourceName)
    async with running(make_observation(of=snapshot(sources=bad, chosen=None))) as ui:
        for key in ("1", "2", "3"):
            await ui.press(key)
            assert_harmless(ui)
            assert plain("x\x1b[31m") in ui.text
