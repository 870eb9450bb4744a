"""The mouse: tabs, column heads, fold arrows, rows, the key line and summaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.screens.findings import FindingsScreen
from kvtui.screens.key_panels import TracePanel
from kvtui.screens.vrrp import VrrpScreen
from kvtui.widgets.bars import KeyLine, TabLine
from kvtui.widgets.table import LineTable
from tests.kit.views import demo
from tests.ui.seen import running

if TYPE_CHECKING:
    from textual.widget import Widget

    from tests.ui.seen import Ui


async def click(ui: Ui, widget: type[Widget] | str, word: str, *, times: int = 1) -> None:
    """Clicks on a word that the widget shows."""
    region = ui.app.screen.query_one(widget).region
    y = next(y for y in range(region.y, region.bottom) if word in ui.lines[y][region.x : region.right])
    x = ui.lines[y].index(word, region.x)
    await ui.pilot.click(offset=(x, y), times=times)
    await ui.pilot.pause()


async def test_a_tab_shows_its_screen_and_a_hint_presses_its_key() -> None:
    async with running(demo()) as ui:
        await click(ui, TabLine, "VRRP")
        assert isinstance(ui.app.screen, VrrpScreen)
        await click(ui, KeyLine, "keys")
        assert ui.heading == "Keys"


async def test_a_head_sorts_and_the_second_click_reverses() -> None:
    async with running(demo()) as ui:
        await click(ui, LineTable, "VIP")
        assert "VIP▲" in ui.lines[2]
        await click(ui, LineTable, "VIP")
        assert "VIP▼" in ui.lines[2]
        await click(ui, LineTable, "UP")
        assert ui.toasts == ["This column has no order; sorted can be: VIP, owner, state, CONN/S."]


async def test_a_click_selects_a_row_and_a_double_click_opens_it() -> None:
    async with running(demo()) as ui:
        await click(ui, LineTable, "10.4.0.52")
        assert ui.lines[5].startswith("▌  10.4.0.52")
        await click(ui, LineTable, "10.4.0.51", times=2)
        assert isinstance(ui.app.screen, TracePanel)
        assert ui.heading == "VIP 10.4.0.51"


async def test_an_arrow_folds_and_unfolds_and_the_rest_of_its_row_does_not() -> None:
    async with running(demo()) as ui:
        await ui.press("3")
        await click(ui, LineTable, "▾")
        assert ui.rows[0].startswith("▸ TCP 10.4.0.50:80")
        assert ui.rows[1].startswith("▾ TCP 10.4.0.51:443")
        await click(ui, LineTable, "▸")
        await click(ui, LineTable, "10.4.0.50:80")
        assert ui.rows[1].startswith("  └ 10.2.68.5:8080")


async def test_the_dashboard_shows_the_other_screens_and_a_click_opens_them() -> None:
    async with running(demo(), size=(180, 40)) as ui:
        for word in ("─ VRRP ─", "─ Findings ─", "─ Events ─", "vips6  BACKUP", "CM─Svc─EP"):
            assert word in ui.text, word
        await click(ui, "#summary-findings", "Triage has not run yet.")
        assert isinstance(ui.app.screen, FindingsScreen)


@pytest.mark.parametrize(("size", "has_room"), [((140, 40), True), ((140, 25), False), ((119, 60), False)])
async def test_a_smaller_terminal_has_a_dashboard_if_the_vips_leave_room(size: tuple[int, int], has_room: bool) -> None:
    async with running(demo(), size=size) as ui:
        assert ("─ VRRP ─" in ui.text) is has_room
