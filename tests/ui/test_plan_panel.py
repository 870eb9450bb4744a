"""The dialog of an action: every option of the command line has a key, and what the dialog shows is what is done."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from msgspec.structs import replace
from rich.cells import cell_len
from textual import events

from kvtui.actions.core.freshness import diff, plan_inputs, without_counts
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, PlannedChange
from kvtui.actions.drain.targets import service_option
from kvtui.actions.registry import dialog_options as options
from kvtui.actions.registry import missing
from kvtui.backend.config_test import ConfigTest
from kvtui.cli.main import application
from kvtui.model.ipvs import Protocol
from kvtui.screens.plan_panel import PlanPanel
from kvtui.widgets.prompt import Prompt
from tests.kit.views import demo, make_observation, real, server
from tests.ui.seen import running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kvtui.actions.core.dialog_options import Option
    from kvtui.actions.core.preflight import Preflight
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation, VirtualServerView
    from tests.ui.seen import Ui

REAL = "10.2.0.1:8080"
PERSISTENT = replace(server("10.4.0.51", real()), persistence_timeout=300)
NODE = make_observation(servers=(server("10.4.0.50", real()), PERSISTENT))
DRAIN = Intent(ActionKind.DRAIN, REAL, service="tcp 10.4.0.50:80")
PAY = Intent(ActionKind.DRAIN, "10.4.0.61:443", service="tcp 10.4.0.51:443")


def intent_after(intent: Intent, key: str, times: int = 1, of: Observation = NODE) -> Intent:
    for _ in range(times):
        [then] = [o.then for o in options(intent, of) if o.key == key]
        assert then is not None
        intent = then
    return intent


def option(intent: Intent, key: str) -> Option:
    return next(o for o in options(intent, NODE) if o.key == key)


def flags(kind: ActionKind) -> set[str]:
    """Returns the parameters of the command."""
    command = typer.main.get_command(application())
    found = command.commands[kind.value].params  # type: ignore[attr-defined]
    return {o for p in found for o in p.opts if o.startswith("--")}


@pytest.mark.parametrize(
    "kind",
    [
        ActionKind.DRAIN,
        ActionKind.UNDRAIN,
        ActionKind.PRIORITY,
        ActionKind.UNDO,
        ActionKind.FAILOVER,
        ActionKind.RELOAD,
    ],
)
def test_every_option_of_the_command_line_has_a_key(kind: ActionKind) -> None:
    intent = Intent(kind, REAL, value=90, fix_persistence=True, finish=kind is ActionKind.UNDO)
    elsewhere = {"--force", "--help", "--timeout"}  # F; W types what --wait and --timeout say
    elsewhere |= {"--all-nodes", "--one-at-a-time", "--to"}  # of a cluster: the command line alone
    keys = [o.key for o in options(intent, NODE)]
    assert {o.flag for o in options(intent, NODE)} - {"VALUE"} == flags(kind) - elsewhere
    assert len(set(keys)) == len(keys)
    assert not set(keys) & {"y", "F", "e"}


def test_wait_and_over_cycle_and_any_other_number_can_be_typed() -> None:
    assert [intent_after(DRAIN, "w", n).wait for n in range(5)] == [None, 60, 300, 1800, None]
    assert [intent_after(DRAIN, "o", n).over for n in range(5)] == [0, 30, 60, 300, 0]
    wait, over = option(DRAIN, "w").ask, option(DRAIN, "o").ask
    assert wait is not None
    assert over is not None
    assert wait.answered(45) == replace(DRAIN, wait=45.0)
    assert over.answered(7) == replace(DRAIN, over=7.0)
    assert option(wait.answered(45), "w").text == "w wait: at most 45s (W other)"
    assert intent_after(wait.answered(45), "w").wait == 60


def test_the_service_cycles_through_all_with_the_real_server() -> None:
    fwmark = replace(server("10.4.0.99", real()), fwmark=7, protocol=Protocol.FWMARK)
    gone = server("10.4.0.52", real(weight=None))
    other = server("10.4.0.53", real("10.2.0.9"))
    of = make_observation(servers=(*(NODE.virtual_servers or ()), fwmark, gone, other))
    assert [intent_after(DRAIN, "s", n, of).service for n in range(5)] == [
        "tcp 10.4.0.50:80", "tcp 10.4.0.51:80", "fwmark 7", None, "tcp 10.4.0.50:80",
    ]  # fmt: skip
    assert options(replace(DRAIN, service=None), of)[0].value == "all that have it (3)"


def test_persistence_is_offered_only_for_persistent_services() -> None:
    def offered(intent: Intent) -> bool:
        return "x" in [o.key for o in options(intent, NODE)]

    assert not offered(DRAIN)
    assert offered(replace(DRAIN, service=None))
    assert offered(replace(DRAIN, service="tcp 10.4.0.51:80"))
    assert intent_after(replace(DRAIN, service=None), "x").fix_persistence


def test_a_priority_is_required() -> None:
    intent = Intent(ActionKind.PRIORITY, "vips")
    ask = missing(intent, demo())
    assert ask is not None
    assert (ask.what, ask.minimum, ask.maximum) == ("New priority of vips (now 102)", 1, 255)
    assert missing(ask.answered(90)) is None
    assert missing(replace(intent, reset=True)) is None
    with_track_file = intent_after(intent, "t")
    assert with_track_file.use_track_file
    assert [o.key for o in options(replace(intent, reset=True), None)] == ["r"]
    again = missing(with_track_file)
    assert again is not None
    assert again.maximum == 254


# --- whether a plan is still current

BEFORE = Plan(
    ActionKind.DRAIN,
    REAL,
    "drain it",
    changes=(PlannedChange("weight", "1", "0"),),
    effects=("no new connection from then on; its 5 active ones go on", "10.4.0.4 becomes master within 0.6 s"),
    notes=(
        Note(NoteSeverity.NOTE, "it has received 4003 adverts"),
        Note(NoteSeverity.WARNING, "weight 2 would be left"),
    ),
)


def test_changed_counters_change_no_plan() -> None:
    counted = replace(
        BEFORE,
        effects=("no new connection from then on; its 12 active ones go on", BEFORE.effects[1]),
        notes=(Note(NoteSeverity.NOTE, "it has received 4009 adverts"), BEFORE.notes[1]),
    )
    assert without_counts(counted) == without_counts(BEFORE)


@pytest.mark.parametrize(
    "other",
    [
        replace(BEFORE, changes=(PlannedChange("weight", "2", "0"),)),
        replace(BEFORE, effects=(BEFORE.effects[0], "10.4.0.3 becomes master within 0.6 s")),
        replace(BEFORE, effects=(BEFORE.effects[0], "10.4.0.4 becomes master within 3.6 s")),
        replace(BEFORE, notes=(BEFORE.notes[0], Note(NoteSeverity.WARNING, "weight 1 would be left"))),
        replace(BEFORE, notes=(*BEFORE.notes, Note(NoteSeverity.UNSAFE, "the last one"))),
    ],
    ids=["value", "address", "time", "warning", "grade"],
)
def test_every_other_change_changes_the_plan(other: Plan) -> None:
    assert without_counts(other) != without_counts(BEFORE)
    assert any(line[:2] == "* " for line in diff(BEFORE, other))


def test_changes_are_marked_line_by_line() -> None:
    other = replace(BEFORE, changes=(PlannedChange("weight", "3", "0"),))
    assert [line for line in diff(BEFORE, other) if line[0] != " "] == [
        "-   weight  1  ->  0",
        "*   weight  3  ->  0",
    ]


def with_weight(weight: int, active: int = 3) -> Observation:
    """Returns the demo node, in which the first real server of shop/pay has another weight."""
    of = demo()
    table = of.snapshot.ipvs
    assert table is not None
    virtuals = list(table.virtual_servers)
    first = replace(virtuals[1].real_servers[0], weight=weight, active=active)
    virtuals[1] = replace(virtuals[1], real_servers=(first, *virtuals[1].real_servers[1:]))
    views = list(of.virtual_servers or ())
    view = replace(views[1].real_servers[0], weight=weight, active=active)
    views[1] = replace(views[1], real_servers=(view, *views[1].real_servers[1:]))
    snapshot = replace(of.snapshot, ipvs=replace(table, virtual_servers=tuple(virtuals)))
    return replace(of, snapshot=snapshot, virtual_servers=tuple(views))


def test_the_plan_inputs_stay_equal_while_only_traffic_flows() -> None:
    assert plan_inputs(demo(5.0)) == plan_inputs(demo(9.0))
    assert plan_inputs(with_weight(1, active=900)) == plan_inputs(with_weight(1))
    assert plan_inputs(with_weight(2)) != plan_inputs(with_weight(1))
    assert plan_inputs(demo(65.0)) != plan_inputs(demo(5.0))  # another master


# --- the dialog

SIZES = [(80, 24), (200, 50), (40, 12)]


@asynccontextmanager
async def dialog(intent: Intent, size: tuple[int, int] = (80, 24), *, ascii_only: bool = False) -> AsyncIterator[Ui]:
    async with running(demo(), size=size, ascii_only=ascii_only) as ui:
        ui.app.push_screen(PlanPanel(ui.app, intent))
        await shows(ui, "" if missing(intent) else "y apply")
        yield ui


async def shows(ui: Ui, *texts: str) -> None:
    """Waits until the screen shows all of them: threads make the plan."""
    for _ in range(300):
        await ui.pilot.pause()
        if all(t in ui.text for t in texts):
            return
    raise AssertionError(f"{texts} did not appear in\n{ui.text}")


async def test_an_option_is_planned_in_place() -> None:
    async with dialog(PAY, (80, 50)) as ui:
        assert "quiescent_template     0" not in ui.text
        await ui.press("x", "w")
        await shows(ui, "quiescent_template     0  ->  1", "at most 1m00s", "fix persistence: yes")
        await ui.press("x", "w")
        await shows(ui, "at most 5m00s", "fix persistence: no")
        assert "quiescent_template     0  ->  1" not in ui.text
        await ui.press("s")
        await shows(ui, "in: all that have it (1)")


async def test_a_value_without_a_key_is_typed_as_a_number() -> None:
    async with dialog(PAY) as ui:
        await ui.press("W")
        await shows(ui, "Seconds to wait until it is empty, at most (1 to 86400, Enter)")
        await ui.press("0", "enter")
        await shows(ui, "0 is not possible. Seconds to wait until it is empty, at most: a whole", "number from 1 to")
        await ui.press(*"1m", "enter")
        await shows(ui, '"1m" is not a whole number. Seconds to wait')
        await ui.press("4", "5", "enter")
        await shows(ui, "wait: at most 45s", "y apply")


async def test_keys_after_the_reason_or_a_number_belong_to_the_dialog() -> None:
    async with dialog(PAY) as ui:
        for key in (*"eab", "enter", "x", "W", "4", "5", "enter", "x", "e", "c", "escape"):
            ui.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await shows(ui, "wait: at most 45s", "fix persistence: no")
        assert ui.app.screen.query_one("#reason", Prompt).value == "c"


async def test_at_80_by_24_effects_and_warnings_are_visible_without_scrolling() -> None:
    async with dialog(replace(PAY, service=None, wait=60.0), (80, 24)) as ui:
        await shows(ui, "drain 10.4.0.61:443 in", "What follows:", "no new connection reaches", "WARNING: ", "m more: ")
        assert "Equivalent commands" not in ui.text
        await ui.press("m")
        assert "m more: " not in ui.text
        await ui.press("m")
        await shows(ui, "m more: ")


async def test_a_letter_of_the_reason_changes_no_option() -> None:
    async with dialog(PAY) as ui:
        await ui.press("e", *"two boxes", "enter")
        await shows(ui, "two boxes", "wait: no", "fix persistence: no", "over: at once")


async def test_a_priority_by_a_number_its_track_file_or_reset() -> None:
    async with dialog(Intent(ActionKind.PRIORITY, "vips"), (80, 40)) as ui:
        await shows(ui, "New priority of vips (now 102) (1 to 255, Enter)")
        await ui.press("5", "2", "enter")
        await shows(ui, "102 → 52, by track file", "value: 52", "method: its track file", "y apply")
        await ui.press("t")
        await shows(ui, "102 → 52, by its config", "method: its config", "y apply")
        await ui.press("r")
        await shows(ui, "nothing to reset", "REFUSED: not possible")
        await ui.press("r", "v", "1", "0", "2", "enter")
        await shows(ui, "value: 102", "102 → 102")


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_options_are_visible_at_every_size(size: tuple[int, int]) -> None:
    async with dialog(replace(PAY, fix_persistence=True), size) as ui:
        assert {cell_len(line) for line in ui.lines} == {size[0]}
        for text in ("s in: tcp 10.4.0.51:443", "w wait: no (W other)", "x fix persistence: yes", "y apply"):
            assert text in ui.text


async def test_in_ascii_every_character_is_ascii() -> None:
    async with dialog(PAY, ascii_only=True) as ui:
        assert ui.text.isascii()


async def test_a_plan_that_changed_while_open_needs_a_new_confirmation() -> None:
    async with dialog(PAY, (80, 40)) as ui:
        await ui.see(with_weight(4))
        await shows(ui, "CHANGED while it was open", "- ", "1  ->  0", "* ", "4  ->  0", "CHANGED: y seen")
        await ui.press("y")
        await shows(ui, "y apply", "4  ->  0")
        assert "CHANGED" not in ui.text
        assert "1  ->  0" not in ui.text
        assert ui.app.backend.journal.entries() == ()


async def test_traffic_alone_does_not_change_it() -> None:
    async with dialog(PAY) as ui:
        panel = ui.app.screen
        assert isinstance(panel, PlanPanel)
        before = ui.lines[1:]
        await ui.see(with_weight(1, active=99))
        await ui.pilot.pause()
        assert ui.lines[1:] == before
        assert "CHANGED" not in ui.text


async def test_a_reverted_change_is_not_a_change() -> None:
    async with dialog(PAY) as ui:
        await ui.see(with_weight(4))
        await shows(ui, "CHANGED: y seen")
        await ui.see(with_weight(1))
        await shows(ui, "y apply")
        assert "CHANGED" not in ui.text


async def test_on_confirmation_it_is_planned_once_more() -> None:
    """In this test nothing notified the dialog that the node has changed."""
    async with dialog(PAY, (80, 40)) as ui:
        ui.app.latest = with_weight(4)
        await ui.press("y")
        await shows(ui, "CHANGED: y seen", "4  ->  0")
        assert ui.app.backend.journal.entries() == ()


async def test_a_removed_target_is_reported_and_cannot_be_confirmed() -> None:
    async with dialog(PAY) as ui:
        without = demo()
        table = without.snapshot.ipvs
        assert table is not None
        snapshot = replace(without.snapshot, ipvs=replace(table, virtual_servers=table.virtual_servers[:1]))
        await ui.see(replace(without, snapshot=snapshot, virtual_servers=(without.virtual_servers or ())[:1]))
        await shows(ui, "The plan is no longer possible", "no virtual server tcp 10.4.0.51:443")
        await ui.press("y")
        assert ui.app.backend.journal.entries() == ()


def test_the_service_as_the_command_line_accepts_it() -> None:
    views: list[VirtualServerView] = [server(), replace(server(), fwmark=3)]
    assert [service_option(v.key) for v in views] == ["tcp 10.4.0.50:80", "fwmark 3"]


class Unconfined:
    """keepalived runs under a seccomp filter that kvtui cannot copy: its config is tested only if that is forced."""

    def __init__(self, backend: Any) -> None:
        self._run, self.forced = backend.run_preflight, 0

    def __call__(self, keepalived: Keepalived, *, force: bool = False) -> Preflight:
        found: Preflight = self._run(keepalived, force=force)
        self.forced += force
        tested = ConfigTest(0, outside="a seccomp filter", forced=True)
        found = replace(found, running=None)  # whether the file differs from the running config is unknown
        return replace(found, test=tested if force else None, test_error="" if force else "it was not run")


async def test_force_runs_the_config_test_that_was_not_run_and_shows_its_result_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(demo(), size=(80, 60)) as ui:
        unconfined = Unconfined(ui.app.backend)
        monkeypatch.setattr(ui.app.backend, "run_preflight", unconfined)
        ui.app.push_screen(PlanPanel(ui.app, Intent(ActionKind.RELOAD)))
        await shows(ui, "UNSAFE: the config could not be tested: it was not run", "UNSAFE: F force")
        assert "WITHOUT a config test" in ui.text
        assert unconfined.forced == 0
        await ui.press("F")
        await shows(ui, "CHANGED: y seen", "`keepalived -t` ran outside a seccomp filter")
        assert ui.app.backend.journal.entries() == ()
        await ui.press("y")
        await shows(ui, "y apply", "after testing")
        assert "UNSAFE" not in ui.text
        assert ui.app.backend.journal.entries() == ()
