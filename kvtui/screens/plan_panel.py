"""The dialog of an action: shows the plan and its options, applies it, and shows the verification.

The plan on the screen is the plan that is applied. It is made again when an option changes, when an observation differs
in anything that it depends on, and once more at the confirmation. If it then differs, the dialog asks again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace
from textual import work
from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from kvtui.actions.core.definition import TargetKind
from kvtui.actions.core.freshness import diff, plan_inputs, without_counts
from kvtui.actions.core.intent import CannotPlanError, Intent
from kvtui.actions.core.plan import ActionKind, NoteSeverity
from kvtui.actions.core.plan_text import plan_head, plan_rest
from kvtui.actions.core.runner import ExitCode
from kvtui.actions.drain.active_drains import ids_to_keep
from kvtui.actions.drain.options import intent_for
from kvtui.actions.registry import DEFINITIONS, dialog_options, missing, plan
from kvtui.model.text import plain
from kvtui.presenters.cells import Tone, plan_lines
from kvtui.presenters.chart import drain_chart, drain_text, drained
from kvtui.rules.timeline.history import SPANS
from kvtui.screens.panel import NOTHING_READ, LivePanel, is_drawable
from kvtui.widgets.chart import ChartBox
from kvtui.widgets.prompt import Prompt
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from kvtui.actions.core.dialog_options import Ask, Option
    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.runner import Action, Outcome
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host
    from kvtui.screens.node_screen import NodeScreen

FRAME_LINES = 2
CHANGED = "CHANGED while it was open: * new, - removed. Press y to confirm that you have seen it."


class PlanPanel(LivePanel):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree(False)", "Apply", id="plan.agree", tooltip="Apply the plan"),
        Binding("F", "agree(True)", "Force", id="plan.force", tooltip="Apply it although it is UNSAFE"),
        Binding("e", "reason", "Reason", id="plan.reason", tooltip="Write down why, for the journal", priority=True),
        Binding("m", "more", "More", id="plan.more", tooltip="Show or hide the rest of the plan"),
        Binding("escape", "leave", "Cancel", id="plan.leave", tooltip="Cancel; a running action is put back"),
        # priority: options also work in the number input, which takes no letters
        *(Binding(key, f"option('{key}')", "Option", show=False, priority=True) for key in "swokxtrvcnWO"),
    ]
    DEFAULT_CSS = """
    PlanPanel {
        & > VerticalScroll { border: solid $warning; }
        & Static { height: auto; width: 1fr; }
        & ChartBox { height: 7; padding-right: 1; display: none; }
        & #foot { dock: bottom; height: auto; }
        & #options { background: $panel; }
        & #wrong { color: $text-error; }
        & Prompt { display: none; }
        & Prompt.open { display: block; }
    }
    """

    def __init__(self, host: Host, intent: Intent) -> None:
        super().__init__(host)
        self.intent = intent
        self._action: Action | None = None
        self._read: Plan | None = None
        """The plan that the user has read; new plans are compared with it."""
        self._of: Hashable = None
        self._text: tuple[str, ...] = ("Planning; nothing is written yet …",)
        self._rest: tuple[str, ...] = ()
        self._unfolded = False
        self._changed = False
        self._planning = False
        self._stale = False
        self._asking: Ask | None = None
        self._running_action: asyncio.Task[Outcome] | None = None
        self._lines: list[str] = []

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(f"{self.intent.kind.value} {plain(self.intent.target)}".strip())
            yield Lines(id="plan")
            yield Static("", id="progress", markup=False)
            yield ChartBox(ascii_only=self.host.settings.ascii)
            with Vertical(id="foot"):
                yield Static("", id="wrong", markup=False)
                yield Prompt(self._leave_prompt, self.action_leave, "why, for the journal (Enter)", name="reason")
                yield Prompt(self._take_number, self.action_leave, name="number")
                yield Static("", id="options", markup=False)

    def on_mount(self) -> None:
        self._put("#wrong", "")
        self.show_keys("Esc cancel")
        self._want(self.intent)

    # --- the plan

    def _want(self, intent: Intent) -> None:
        """Plans what is wanted now; the former plan is not compared with it."""
        self.intent, self._action, self._read, self._changed = intent, None, None, False
        if ask := missing(intent, self.host.latest):
            self._text, self._rest = ("No plan yet: type a number, or choose below.",), ()
            self.draw()
            self._ask(ask)
        else:
            self.draw()
            self._replan()

    def show(self, observation: Observation) -> None:
        is_planned = self._running_action is None and not missing(self.intent) and self._of is not None
        if is_planned and self._of != plan_inputs(observation):
            self._replan()
        if self._running_action is not None and self.intent.kind is ActionKind.DRAIN and is_drawable(self):
            self._show_drain(observation)

    def _show_drain(self, observation: Observation) -> None:
        """Shows the curve of open connections, while the real server empties and as long as the dialog is open."""
        history, reals = self.host.history, drained(observation, self.intent.target)
        if not reals:
            return
        self._put("#progress", "\n".join([*self._lines[-8:], drain_text(history, reals)]))
        curve = self.query_one(ChartBox)
        curve.show(replace(drain_chart(history, [*reals], SPANS[0]), spans=""))  # no key changes it here
        if not curve.display:  # setting the same value draws the whole screen too
            curve.display = True

    def _replan(self) -> None:
        self._stale = True
        if not self._planning:
            self._planning = True
            self._plan_until_fresh()

    @work(group="plan")
    async def _plan_until_fresh(self) -> None:
        try:
            while self._stale:
                self._stale = False
                await self._plan()
        finally:
            self._planning = False

    async def _plan(self) -> None:
        """Plans once; a result for an intent that changed meanwhile is dropped."""
        host, intent = self.host, self.intent
        # never act on a paused screen
        observation = host.latest if host.latest is not None and not host.paused else await host.next_observation()
        action, error = None, ""
        try:
            action = await plan(intent, observation, host.next_observation, host.backend)
        except (CannotPlanError, ValueError, OSError) as wrong:
            error = str(wrong.args[0] if wrong.args else wrong)
        if intent != self.intent:
            return
        self._of = plan_inputs(observation)
        self.take(action, error)

    def take(self, action: Action | None, error: str) -> None:
        """Shows a plan; if it differs from the one the user has read, with the differences."""
        self._action, self._changed, self._rest = action, False, ()
        if action is None:
            gone = ("The plan is no longer possible:",) if self._read else ()
            self._text = (*gone, plain(error))
        elif self._read is not None and without_counts(self._read) != without_counts(action.plan):
            self._changed = True
            self._text = (CHANGED, *diff(self._read, action.plan))
            for box in self.query(VerticalScroll):  # none while the app ends
                box.scroll_home(animate=False)
        else:
            self._read = action.plan
            self._text = tuple(plan_head(action.plan).splitlines())
            self._rest = tuple(plan_rest(action.plan).splitlines())
        self.draw()

    @property
    def _read_only(self) -> bool:
        return self.host.latest is not None and self.host.latest.snapshot.node.read_only

    # --- drawing

    def draw(self) -> None:
        if not is_drawable(self):
            return
        width = self.text_width
        options = _in_lines((o.text for o in self._options()), width)
        head, rest = plan_lines(self._text, width, first=Tone.STRONG), plan_lines(self._rest, width)
        room = self.size.height - FRAME_LINES - len(options) - len(head)
        if len(rest) > room and not self._unfolded:
            # what follows and the warnings must be read without scrolling; then as much of the rest as fits
            room = max(0, room - 1)
            more = f"m more: {len(rest) - room} lines (steps, notes, commands)"
            rest = [*rest[:room], *plan_lines([more], width)]
        for shown in self.query("#plan").results(Lines):  # none while the panel is taken down
            shown.show([*head, *rest])
        self._put("#options", "\n".join(options))
        if self._running_action is None:
            self._show_keys()

    def _put(self, place: str, text: str) -> None:
        for static in self.query(place).results(Static):  # none while the panel is taken down
            static.update(text)
            static.display = bool(text)

    def _show_keys(self) -> None:
        self._put("#progress", "Refused: --read-only forbids every write" if self._read_only else "")
        severities = {note.severity for note in self._action.plan.notes} if self._action else set()
        if self._action is None or self._read_only:
            keys = "Esc cancel"
        elif self._changed:
            keys = "CHANGED: y seen · Esc cancel"
        elif NoteSeverity.IMPOSSIBLE in severities:
            keys = "REFUSED: not possible · Esc cancel"
        else:
            apply = "UNSAFE: F force" if NoteSeverity.UNSAFE in severities else "y apply"
            keys = f"{apply} · e reason · Esc cancel"
        self.show_keys(keys)

    def show_keys(self, text: str) -> None:
        if is_drawable(self):
            self._box.border_subtitle = text

    def say(self, line: str) -> None:
        self._lines.append(plain(line))
        self._put("#progress", "\n".join(self._lines[-12:]))

    def on_resize(self) -> None:
        self.draw()

    def action_more(self) -> None:
        self._unfolded = not self._unfolded
        self.draw()

    # --- applying

    def action_agree(self, force: bool) -> None:
        if self._action is None or self._running_action is not None or self._planning or self._read_only:
            return
        if self._changed:
            self._read = self._action.plan
            self.take(self._action, "")
        elif self._is_allowed(force=force):
            self._planning = True
            self._agree(force)

    def _is_allowed(self, *, force: bool) -> bool:
        """Whether this key applies the plan: ``F`` if it is unsafe, ``y`` if not."""
        if self._action is None:
            return False
        refusal = self._action.plan.refusal
        return (refusal(force=False) is not None) is force and refusal(force=force) is None

    @work(group="plan")
    async def _agree(self, force: bool) -> None:
        """Plans once more, and applies the plan only if it did not change; forced, it may bring a config test."""
        self.intent = replace(self.intent, force=self.intent.force or force)
        try:
            await self._plan()
        finally:
            self._planning = False
        if self._action is None or self._changed or not self._is_allowed(force=force):
            if self._stale:  # an option changed meanwhile
                self._replan()
            return
        if not is_drawable(self):
            return
        reason = self.query_one("#reason", Prompt).value
        self._running_action = self.host.carry_out(self._action, force=force, reason=reason, progress=self.say)
        self.draw()
        self._box.anchor()  # follows what is reported
        self.show_keys("Esc interrupt and put back")
        self._await_end(self._running_action)

    @work(exclusive=True, group="end")
    async def _await_end(self, task: asyncio.Task[Outcome]) -> None:
        outcome = await asyncio.shield(task)
        is_drained = self.intent.kind is ActionKind.DRAIN and outcome.code in {ExitCode.DONE, ExitCode.UNVERIFIED}
        self.say(f"{outcome.code.name}: {outcome.detail}" + (f"  ({outcome.id})" if outcome.id else ""))
        if is_drained and self.intent.keep:
            self.host.kept_drains |= await asyncio.to_thread(ids_to_keep, self.host.backend.journal, self.intent)
            self.say("kvtui drains it again by itself while it runs")
        self.show_keys("Esc close")

    # --- options, the reason, a number

    def _options(self) -> tuple[Option, ...]:
        return () if self._running_action else dialog_options(self.intent, self.host.latest, self._action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action not in {"option", "reason"} or not self._types_reason  # where letters are letters

    @property
    def _types_reason(self) -> bool:
        return isinstance(self.focused, Prompt) and self.focused.id == "reason"

    def action_option(self, key: str) -> None:
        option = next((o for o in self._options() if o.key == key.lower()), None)
        if option is None:
            return
        if option.then is not None and key == option.key:
            self._close_entry()
            self._want(option.then)
        elif option.ask is not None:
            self._ask(option.ask)

    def _ask(self, ask: Ask) -> None:
        self._asking = ask
        entry = self.query_one("#number", Prompt)
        entry.value = ""
        entry.placeholder = f"{ask.what} ({ask.minimum} to {ask.maximum}, Enter)"
        self._open(entry)

    def action_reason(self) -> None:
        self._open(self.query_one("#reason", Prompt))

    def _open(self, entry: Prompt) -> None:
        entry.add_class("open")
        self.set_focus(entry)

    def _take_number(self, text: str) -> None:
        if (ask := self._asking) is None:
            return
        try:
            number = ask.parse(text)
        except ValueError as wrong:
            self._put("#wrong", str(wrong))
            self.query_one("#number", Prompt).action_select_all()
            return
        self._close_entry()
        self._want(ask.answered(number))

    def _close_entry(self) -> None:
        self._asking = None
        self._put("#wrong", "")
        self.query_one("#number", Prompt).remove_class("open")
        self._leave_prompt()

    def _leave_prompt(self, _text: str = "") -> None:
        self.set_focus(self._box)

    def action_leave(self) -> None:
        if self._running_action is not None and not self._running_action.done():
            self._running_action.cancel()
        elif self._asking is not None and missing(self.intent) is None:
            self._close_entry()
        elif self._types_reason:
            self._leave_prompt()
        else:
            self.dismiss()


def _in_lines(parts: Iterable[str], width: int) -> list[str]:
    lines: list[str] = []
    for part in map(plain, parts):
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return lines


def open_plan_panel(screen: NodeScreen, kind: str) -> str | None:
    """Opens the dialog of an action for the selected row, or returns why it cannot be opened."""
    observation = screen.host.latest
    if observation is None:
        return NOTHING_READ
    if other := screen.other_node():
        return f"{other} is another node, and this key would act on this one. Enter opens kvtui on {other}: act there."
    action = DEFINITIONS[ActionKind(kind)]
    if action.target is TargetKind.NODE:
        intent = Intent(action.kind)
    elif action.target is TargetKind.REAL_SERVER:
        reals = screen.selected_reals(observation)
        if len(reals) != 1:
            which = f"{len(reals)} real servers are possible: select one" if reals else "Select a real server"
            return f"{which} on screen 3 (IPVS) first: d drains it, or restores the weight of a drained one."
        intent = intent_for(*reals[0])
    else:
        instance = screen.selected_instance(observation)
        if instance is None:
            return "Select a VIP (1) or a VRRP instance (2) first."
        intent = Intent(action.kind, instance.name)
    screen.app.push_screen(PlanPanel(screen.host, intent))
    return None
