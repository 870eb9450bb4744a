"""A view that is shown for the first time gets its styles once, and later those of a changed theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from kvtui.screens.ipvs import IpvsScreen
from tests.kit.views import demo
from tests.ui.seen import running

if TYPE_CHECKING:
    import pytest


async def test_all_css_is_not_applied_again_for_a_new_view(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(demo()) as ui:
        refreshed: list[bool] = []
        monkeypatch.setattr(App, "refresh_css", lambda _app, animate=True: refreshed.append(animate))
        await ui.press("3")
        assert isinstance(ui.app.screen, IpvsScreen)
        assert refreshed == []


async def test_a_hidden_view_gets_the_colours_of_a_theme_chosen_meanwhile() -> None:
    async with running(demo()) as ui:
        await ui.press("3")
        dark = ui.app.screen.styles.background
        await ui.press("1")
        ui.app.theme = "light"
        await ui.press("?", "escape")
        await ui.press("3")
        light = ui.app.screen.styles.background
        await ui.press("4")
        assert dark != light == ui.app.screen.styles.background
