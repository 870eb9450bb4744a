"""A hidden view gets the styles of a theme that was chosen meanwhile."""

from __future__ import annotations

from tests.kit.views import demo
from tests.ui.seen import running


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
