"""Callbacks that run while the app's screens are being removed draw nothing and raise nothing."""

from __future__ import annotations

import asyncio

import pytest

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import is_drawable
from kvtui.screens.plan_panel import PlanPanel
from kvtui.widgets.prompt import Prompt
from kvtui.widgets.table import LineTable
from tests.demo.learner import learner
from tests.kit.views import demo
from tests.ui.seen import running, when_widgets_are_gone


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "7", "8"])
async def test_a_late_resize_is_ignored(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(demo()) as ui:
        await ui.press(key)
        screen = ui.app.screen
        assert isinstance(screen, NodeScreen)
        assert is_drawable(screen)
        called = when_widgets_are_gone(ui.app, monkeypatch, screen.redraw)
    assert called
    assert not is_drawable(screen)


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "7", "8"])
async def test_late_messages_are_ignored(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(demo()) as ui:
        await ui.press(key)
        screen = ui.app.screen
        assert isinstance(screen, NodeScreen)
        table, entry = screen.table, screen.query_one(Prompt)

        def late() -> None:
            screen.show_detail_when_chosen()
            screen.open_panel(LineTable.Chosen(table.selected))
            screen.filter_changed(Prompt.Changed(entry, "late"))
            screen.on_screen_resume()

        called = when_widgets_are_gone(ui.app, monkeypatch, late)
    assert called


async def test_a_plan_that_comes_while_its_panel_is_removed_is_ignored() -> None:
    """Esc follows the key that plans: the widgets are removed one by one, and the plan arrives in between."""
    async with learner((100, 40)) as person:
        panel = PlanPanel(person.app, Intent(ActionKind.RELOAD))
        await person.app.push_screen(panel)
        await person.sees("y apply")
        panel.dismiss()
        drawn = [True]
        while panel.is_attached:
            drawn.append(is_drawable(panel))
            panel.draw()
            panel.show_keys("y apply")
            panel.say("put back")
            await asyncio.sleep(0)
    assert not drawn[-1]


async def test_late_progress_of_an_action_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    async with learner((100, 40)) as person:
        panel = PlanPanel(person.app, Intent(ActionKind.RELOAD))
        await person.app.push_screen(panel)
        await person.sees("y apply")

        def late() -> None:
            panel.say("put back")
            panel.show_keys("Esc closes")
            panel.draw()
            panel.take(None, "the plan came late")
            assert panel.check_action("option", ()) is True

        called = when_widgets_are_gone(person.app, monkeypatch, late)
    assert called
