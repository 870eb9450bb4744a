"""The dialog of an action: the plan with diff and warnings; agreed to, it is carried out and verified."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import work
from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from kvtui.actions.intent import Intent, plan
from kvtui.actions.plan import Grade, Verb
from kvtui.actions.plan_text import plan_text
from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.screens.panel import LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.runner import Action, Outcome
    from kvtui.actions.site import Site
    from kvtui.model.observation import Observation

BAR = 20


class ActingHost(Protocol):
    """What the dialog asks of the app."""

    latest: Observation | None

    @property
    def site(self) -> Site:
        """Where the actions take place."""
        ...

    async def next_observation(self) -> Observation:
        """The next one that comes."""
        ...

    def carry_out(
        self, action: Action, *, force: bool, reason: str, progress: Callable[[str], None]
    ) -> asyncio.Task[Outcome]:
        """Run an action in a task that the app waits for before it ends."""
        ...


class PlanPanel(LivePanel):
    """One action, from its plan to its outcome.

    Args:
        intent: what was asked for.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "agree(False)", "Do it", id="plan.agree", tooltip="Carry the plan out"),
        Binding("F", "agree(True)", "Force", id="plan.force", tooltip="Carry it out though it is UNSAFE"),
        Binding("e", "reason", "Reason", id="plan.reason", tooltip="Write down why, for the journal"),
        Binding("escape", "leave", "Leave", id="plan.leave", tooltip="Leave; a running action is put back"),
    ]
    DEFAULT_CSS = """
    PlanPanel {
        align: center middle;
        & > VerticalScroll {
            width: 100%; max-width: 110; height: auto; max-height: 100%;
            border: solid $warning; padding: 0 1; background: $surface; scrollbar-size: 1 1;
        }
        & Static { height: auto; width: 1fr; }
        & Input { display: none; height: 1; border: none; padding: 0; }
        & Input.open { display: block; }
    }
    """

    def __init__(self, intent: Intent) -> None:
        super().__init__()
        self._intent = intent
        self._action: Action | None = None
        self._running_action: asyncio.Task[Outcome] | None = None
        self._lines: list[str] = []
        self._at_first: int | None = None

    @property
    def _host(self) -> ActingHost:
        return cast("ActingHost", self.app)

    def compose(self) -> ComposeResult:
        """The plan, the reason, what goes on, and the keys."""
        with VerticalScroll() as box:
            box.border_title = Content(f"{self._intent.verb.value} {plain(self._intent.target)}".strip())
            yield Static("Looking, nothing is written yet …", id="plan", markup=False)
            yield Input(placeholder="why, for the journal (Enter)", id="reason")
            yield Static("", id="progress", markup=False)

    def on_mount(self) -> None:
        """Make the plan."""
        self._keys("Esc leaves")
        self._make_plan()

    def _keys(self, text: str) -> None:
        self.query_one(VerticalScroll).border_subtitle = text

    @work(exclusive=True)
    async def _make_plan(self) -> None:
        seen = self._host.latest or await self._host.next_observation()
        try:
            self._action = await plan(self._intent, seen, self._host.next_observation, self._host.site)
        except (LookupError, ValueError, OSError) as wrong:
            self.query_one("#plan", Static).update(plain(str(wrong.args[0] if wrong.args else wrong)))
            return
        shown = self._action.plan
        self.query_one("#plan", Static).update(plan_text(shown))
        read_only = seen.snapshot.node.read_only
        refusal = "refused: --read-only forbids every write" if read_only else shown.refusal(force=False)
        if refusal is None:
            self._keys("y does it   e reason   Esc leaves")
        elif not read_only and all(r.grade < Grade.IMPOSSIBLE for r in shown.remarks):
            self._keys("UNSAFE: F forces it   e reason   Esc leaves")
        else:
            self._say(f"Refused: {plain(refusal)}")

    def _say(self, line: str) -> None:
        self._lines.append(plain(line))
        self.query_one("#progress", Static).update("\n".join(self._lines[-12:]))
        self.query_one(VerticalScroll).scroll_end(animate=False)

    def action_agree(self, force: bool) -> None:
        """Carry it out."""
        action, seen = self._action, self._host.latest
        if action is None or self._running_action is not None or (seen is not None and seen.snapshot.node.read_only):
            return
        if (action.plan.refusal(force=False) is not None) is not force or action.plan.refusal(force=force) is not None:
            return  # y is not enough for what is unsafe, and F is not for what is safe
        self._keys("Esc interrupts and puts back")
        reason = self.query_one(Input).value
        self._running_action = self._host.carry_out(action, force=force, reason=reason, progress=self._say)
        self._await_end(self._running_action)

    @work(exclusive=True, group="end")
    async def _await_end(self, task: asyncio.Task[Outcome]) -> None:
        outcome = await asyncio.shield(task)
        self._say(f"{outcome.code.name}: {outcome.detail}" + (f"  ({outcome.id})" if outcome.id else ""))
        self._keys("Esc closes")

    def show(self, seen: Observation) -> None:
        """A drained server empties before one's eyes."""
        if self._intent.verb is Verb.DRAIN and self._running_action is not None and self._running_action.done():
            text, self._at_first = emptying_text(seen, self._intent, self._at_first)
            self.query_one("#progress", Static).update("\n".join([*self._lines[-8:], text]))

    def action_reason(self) -> None:
        """Open the reason."""
        entry = self.query_one(Input)
        entry.add_class("open")
        entry.focus()

    def on_input_submitted(self) -> None:
        """Back to the keys."""
        self.set_focus(None)

    def action_leave(self) -> None:
        """Interrupt what runs; else close."""
        if self._running_action is not None and not self._running_action.done():
            self._running_action.cancel()
            return
        self.dismiss()


def emptying_text(seen: Observation, intent: Intent, at_first: int | None) -> tuple[str, int]:
    """How far a drained server has emptied, with a bar; and the most connections seen so far."""
    active = inactive = persistent = 0
    for virtual in seen.virtual_servers or ():
        for real in virtual.real_servers:
            if intent.target in {real.address, endpoint(real.address, real.port)} and real.weight == 0:
                active += real.active or 0
                inactive += real.inactive or 0
                persistent += real.persistent or 0
    left = active + inactive
    most = max(left, at_first or 0)
    gone = BAR if not most else round((most - left) / most * BAR)
    bar = "#" * gone + "." * (BAR - gone)
    return f"[{bar}] active {active}, inactive {inactive}, persistent {persistent}", most
