"""Actions start from each row that implies their target; a key without an effect shows why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.plan import ActionKind
from kvtui.model.finding import Finding, Severity
from kvtui.presenters.cells import Tone
from kvtui.screens.plan_panel import PlanPanel
from kvtui.widgets.bars import KeyLine
from tests.kit.views import demo, instance, make_observation, real, server, vip
from tests.ui.seen import Ui, running

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

DOWN = Finding(
    "real-server-down", Severity.WARNING, "it fails", (), "look at it", "10.4.0.50:80 -> 10.2.0.2:8080", ("10.4.0.50",)
)


def one_of_two() -> Observation:
    servers = (server("10.4.0.50", real(), real("10.2.0.2")), server("10.4.0.51", real("10.2.0.9")))
    instances = (instance(), replace(instance("other"), vips=("10.4.0.51",)))
    shown = make_observation(instances=instances, vips=(vip(), vip("10.4.0.51", instance="other")), servers=servers)
    return replace(shown, findings=(DOWN,))


@pytest.mark.parametrize(
    ("keys", "kind", "target"),
    [
        (["1", "p"], ActionKind.PRIORITY, "vips"),
        (["1", "down", "f"], ActionKind.FAILOVER, "other"),
        (["1", "down", "d"], ActionKind.DRAIN, "10.2.0.9:8080"),
        (["3", "p"], ActionKind.PRIORITY, "vips"),
        (["3", "end", "f"], ActionKind.FAILOVER, "other"),
        (["3", "down", "d"], ActionKind.DRAIN, "10.2.0.1:8080"),
        (["5", "d"], ActionKind.DRAIN, "10.2.0.2:8080"),
        (["5", "f"], ActionKind.FAILOVER, "vips"),
    ],
)
async def test_a_row_that_implies_the_target_is_enough(keys: list[str], kind: ActionKind, target: str) -> None:
    async with running(one_of_two()) as ui:
        await ui.press(*keys)
        assert isinstance(ui.app.screen, PlanPanel)
        assert (ui.app.screen.intent.kind, ui.app.screen.intent.target) == (kind, target)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (["1", "d"], "2 real servers are possible: select one on screen 3 (IPVS) first"),
        (["2", "d"], "2 real servers are possible: select one on screen 3 (IPVS) first"),
        (["1", "minus"], "- works on screen 3 (IPVS): collapse all."),
        (["3", "c"], "c works on screen 8 (Journal): complete an interrupted action."),
    ],
)
async def test_a_key_without_an_effect_shows_why(keys: list[str], why: str) -> None:
    async with running(one_of_two()) as ui:
        await ui.press(*keys)
        assert [toast for toast in ui.toasts if why in toast], ui.toasts


async def test_a_key_without_a_meaning_is_silent() -> None:
    async with running(one_of_two()) as ui:
        await ui.press("x", "left_square_bracket")
        assert not [toast for toast in ui.toasts if toast.startswith("x ")]


async def test_the_palette_shows_the_keys() -> None:
    async with running(demo()) as ui:
        helps = {c.title: c.help for c in ui.app.get_system_commands(ui.app.screen)}
        assert helps["VRRP"] == "2  VRRP instances and peers"
        assert helps["Filter"] == "/  Filter the rows"


async def test_the_key_line_dims_keys_that_the_selected_row_has_no_target_for() -> None:
    def off(ui: Ui) -> set[str]:
        keys = (line for line in ui.app.screen.query_one(KeyLine).lines)
        return {cell.text.strip() for line in keys for cell in line[1::2] if cell.tone is Tone.DIM}

    async with running(one_of_two()) as ui:
        assert off(ui) == {"drain"}  # two real servers are possible targets
        await ui.press("down")
        assert off(ui) == set()
        await ui.press("8")
        assert {"undo", "complete", "detail", "trace"} <= off(ui)
