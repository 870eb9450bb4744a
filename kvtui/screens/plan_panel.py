"""The dialog of an action: the plan with diff and warnings, its options; agreed to, it is carried out and verified.

The plan that stands there is the plan that is carried out. It is made anew when an option is turned, when an
observation differs in anything that it rests on, and once more at the moment of agreement; when it says something else
by then it is shown with what changed, and has to be agreed to again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import on, work
from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from kvtui.actions.fresh import marked, outline, said
from kvtui.actions.intent import Intent, plan
from kvtui.actions.options import Ask, Option, missing, options
from kvtui.actions.plan import Grade, Verb
from kvtui.actions.plan_text import plan_text
from kvtui.actions.runner import Code
from kvtui.model.text import plain
from kvtui.presenters.wrapping import hanging
from kvtui.screens.emptying import emptying_text
from kvtui.screens.lifecycle import is_drawable
from kvtui.screens.panel import FRAME_WIDTH, MAX_WIDTH, LivePanel

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from kvtui.actions.plan import Plan
    from kvtui.actions.runner import Action, Outcome
    from kvtui.actions.site import Site
    from kvtui.model.observation import Observation

CHANGED = "CHANGED while it was open: * is new, - is gone. y says that you have seen it."


class ActingHost(Protocol):
    """What the dialog asks of the app."""

    latest: Observation | None
    paused: bool

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
        # priority: they work while a number is asked for, too, where a letter is no answer
        *(Binding(key, f"option('{key}')", "Option", show=False, priority=True) for key in "swoxtrvcWO"),
    ]
    DEFAULT_CSS = """
    PlanPanel {
        align: center middle;
        & > VerticalScroll {
            width: 100%; max-width: 110; height: auto; max-height: 100%;
            border: solid $warning; padding: 0 1; background: $surface; scrollbar-size: 1 1;
        }
        & Static { height: auto; width: 1fr; }
        & #foot { dock: bottom; height: auto; }
        & #options { background: $panel; }
        & Input { display: none; }
        & Input.open { display: block; }
    }
    """

    def __init__(self, intent: Intent) -> None:
        super().__init__()
        self._intent = intent
        self._action: Action | None = None
        self._read: Plan | None = None
        """The plan that a person has seen: what another one is compared with."""
        self._of: Hashable = None
        """What the plan rests on."""
        self._text: tuple[str, ...] = ("Looking, nothing is written yet …",)
        self._changed = False
        self._planning = False
        self._stale = False
        self._asking: Ask | None = None
        self._running_action: asyncio.Task[Outcome] | None = None
        self._lines: list[str] = []
        self._at_first: int | None = None
        self._drained = False

    @property
    def _host(self) -> ActingHost:
        return cast("ActingHost", self.app)

    @property
    def _box(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def compose(self) -> ComposeResult:
        """The plan, what goes on, the options, the reason or a number, and the keys."""
        with VerticalScroll() as box:
            box.border_title = Content(f"{self._intent.verb.value} {plain(self._intent.target)}".strip())
            yield Static("", id="plan", markup=False)
            yield Static("", id="progress", markup=False)
            with Vertical(id="foot"):
                yield Input(placeholder="why, for the journal (Enter)", id="reason", compact=True)
                yield Input(id="number", restrict=r"\d*", compact=True)
                yield Static("", id="options", markup=False)

    def on_mount(self) -> None:
        """Make the plan, or ask for what it lacks."""
        self._keys("Esc leaves")
        self._want(self._intent)

    # --- the plan

    def _want(self, intent: Intent) -> None:
        """Plan what is wanted now; what was shown before is no change that anybody has to be told of."""
        self._intent, self._action, self._read, self._changed = intent, None, None, False
        if ask := missing(intent, self._host.latest):
            self._text = ("Nothing is planned yet: type a number, or choose below.",)
            self._draw()
            self._ask(ask)
            return
        self._draw()
        self._plan_anew()

    def show(self, seen: Observation) -> None:
        """The plan is made anew when what it rests on is another; a drained server empties before one's eyes."""
        if self._running_action is None and not missing(self._intent) and self._of not in {None, outline(seen)}:
            self._plan_anew()
        if self._drained and is_drawable(self):
            text, self._at_first = emptying_text(seen, self._intent, self._at_first)
            self._put("#progress", "\n".join([*self._lines[-8:], text]))

    def _plan_anew(self) -> None:
        """Plan now, or once more after the plan that is being made."""
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
        """Make the plan; nobody turns an option meanwhile without its being made again."""
        host, intent = self._host, self._intent
        # a picture that stands still is no index to act on
        seen = host.latest if host.latest is not None and not host.paused else await host.next_observation()
        action, trouble = None, ""
        try:
            action = await plan(intent, seen, host.next_observation, host.site)
        except (LookupError, ValueError, OSError) as wrong:
            trouble = str(wrong.args[0] if wrong.args else wrong)
        if intent != self._intent:
            return
        self._of = outline(seen)
        self._take(action, trouble)

    def _take(self, action: Action | None, trouble: str) -> None:
        """Show a plan that was made; one that says something else than what was read is shown with what changed."""
        self._action, self._changed = action, False
        if action is None:
            gone = ("What was planned cannot be done any more:",) if self._read else ()
            self._text = (*gone, plain(trouble))
        elif self._read is not None and said(self._read) != said(action.plan):
            self._changed = True
            self._text = (CHANGED, *marked(self._read, action.plan))
            self._box.scroll_home(animate=False)
        else:
            self._read = action.plan
            self._text = tuple(plan_text(action.plan).splitlines())
        self._draw()

    @property
    def _read_only(self) -> bool:
        seen = self._host.latest
        return seen is not None and seen.snapshot.node.read_only

    # --- drawing

    def _draw(self) -> None:
        if not is_drawable(self):
            return
        width = min(self.size.width, MAX_WIDTH) - FRAME_WIDTH
        wrapped = (w for line in self._text for w in hanging(plain(line), width))
        self._put("#plan", "\n".join(wrapped))
        self._put("#options", "\n".join(_in_lines((o.text for o in self._options()), width)))
        if self._running_action is None:
            self._say_keys()

    def _put(self, place: str, text: str) -> None:
        for static in self.query(place).results(Static):  # none while the panel is taken down
            static.update(text)
            static.display = bool(text)

    def _say_keys(self) -> None:
        """What may be done with the plan that stands there."""
        self._put("#progress", "Refused: --read-only forbids every write" if self._read_only else "")
        grade = max((r.grade for r in self._action.plan.remarks), default=Grade.NOTE) if self._action else None
        if grade is None or self._read_only:
            self._keys("Esc leaves")
        elif self._changed:
            self._keys("CHANGED: look, then y   Esc leaves")
        elif grade is Grade.IMPOSSIBLE:
            self._keys("REFUSED: it cannot be done   Esc leaves")
        else:
            self._keys(f"{'UNSAFE: F forces it' if grade is Grade.UNSAFE else 'y does it'}   e reason   Esc leaves")

    def _keys(self, text: str) -> None:
        if is_drawable(self):
            self._box.border_subtitle = text

    def _say(self, line: str) -> None:
        self._lines.append(plain(line))
        self._put("#progress", "\n".join(self._lines[-12:]))
        if is_drawable(self):  # an action goes on, or is put back, while the app ends
            self._box.scroll_end(animate=False)

    def on_resize(self) -> None:
        """Wrap the text anew."""
        self._draw()

    # --- agreeing

    def action_agree(self, force: bool) -> None:
        """Carry it out; a plan that changed meanwhile is only seen by this, and agreed to by the next."""
        if self._action is None or self._running_action is not None or self._planning or self._read_only:
            return
        if self._changed:
            self._read = self._action.plan
            self._take(self._action, "")
            return
        if self._is_enough(force=force):
            self._planning = True
            self._agree(force)

    def _is_enough(self, *, force: bool) -> bool:
        """``y`` is not enough for what is unsafe, and F is not for what is safe."""
        shown = self._action.plan if self._action else None
        if shown is None:
            return False
        return (shown.refusal(force=False) is not None) is force and shown.refusal(force=force) is None

    @work(group="plan")
    async def _agree(self, force: bool) -> None:
        """Look once more: what is carried out is what was read, or it is not carried out."""
        try:
            await self._plan()
        finally:
            self._planning = False
        if self._action is None or self._changed or not self._is_enough(force=force):
            if self._stale:  # an option was turned meanwhile
                self._plan_anew()
            return
        reason = self.query_one("#reason", Input).value
        self._running_action = self._host.carry_out(self._action, force=force, reason=reason, progress=self._say)
        self._draw()
        self._keys("Esc interrupts and puts back")
        self._await_end(self._running_action)

    @work(exclusive=True, group="end")
    async def _await_end(self, task: asyncio.Task[Outcome]) -> None:
        outcome = await asyncio.shield(task)
        self._drained = self._intent.verb is Verb.DRAIN and outcome.code in {Code.DONE, Code.UNVERIFIED}
        self._say(f"{outcome.code.name}: {outcome.detail}" + (f"  ({outcome.id})" if outcome.id else ""))
        self._keys("Esc closes")

    # --- options, the reason, a number

    def _options(self) -> tuple[Option, ...]:
        """None once it is carried out."""
        return () if self._running_action else options(self._intent, self._host.latest, self._action)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """In the reason a letter is a letter."""
        del parameters
        return not (action == "option" and self.focused is self.query_one("#reason", Input))

    def action_option(self, key: str) -> None:
        """Turn an option; its capital asks for a value of one's own."""
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
        entry = self.query_one("#number", Input)
        entry.value = ""
        entry.placeholder = f"{ask.what} ({ask.least} to {ask.most}, Enter)"
        entry.add_class("open")
        entry.focus()

    def action_reason(self) -> None:
        """Open the reason."""
        entry = self.query_one("#reason", Input)
        entry.add_class("open")
        entry.focus()

    @on(Input.Submitted, "#reason")
    def _reason_is_told(self) -> None:
        self._box.focus()

    @on(Input.Submitted, "#number")
    def _number_is_told(self, event: Input.Submitted) -> None:
        ask = self._asking
        if ask is None or not event.value.isdecimal() or not ask.least <= int(event.value) <= ask.most:
            event.input.value = ""
            return  # the placeholder says again what an answer is
        self._close_entry()
        self._want(ask.answered(int(event.value)))

    def _close_entry(self) -> None:
        self._asking = None
        self.query_one("#number", Input).remove_class("open")
        self._box.focus()

    def action_leave(self) -> None:
        """Interrupt what runs, else close the entry, else the dialog."""
        if self._running_action is not None and not self._running_action.done():
            self._running_action.cancel()
        elif self._asking is not None and missing(self._intent) is None:
            self._close_entry()
        elif self.focused is self.query_one("#reason", Input):
            self._box.focus()
        else:
            self.dismiss()


def _in_lines(parts: Iterable[str], width: int) -> list[str]:
    """The options beside each other, as many in a line as fit."""
    lines: list[str] = []
    for part in map(plain, parts):
        if lines and len(lines[-1]) + 3 + len(part) <= width:
            lines[-1] += f"   {part}"
        else:
            lines.append(part)
    return lines
