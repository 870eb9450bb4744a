"""Screen 8: the actions on this node. A watch reports interrupted actions, and what something else undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from textual import work
from textual.binding import Binding, BindingType

from kvtui.actions.core import recovery
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.journal import passed_over_note
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.active_drains import Keeper, active_drains, lost_drains
from kvtui.actions.priority.overwritten import seen_overwrites
from kvtui.actions.registry import plan
from kvtui.model.text import plain, shell_word
from kvtui.presenters.journal import entry_cells, entry_text, unfinished_text, who_text
from kvtui.presenters.keys import JOURNAL
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel
from kvtui.widgets.bindings import bindings
from kvtui.widgets.columns import Column

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import App

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.recovery import Recovery
    from kvtui.actions.core.runner import Outcome
    from kvtui.actions.priority.overwritten import PriorityOverwrite
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

COLUMNS: tuple[Column, ...] = (
    Column("id", "ID", 14, 0),
    Column("at", "TIME", 14, 3),
    Column("who", "WHO", 8, 2, max_width=30),
    Column("result", "RESULT", 12, 0),
    Column("what", "WHAT", 40, 1, max_width=90),
    Column("reason", "REASON", 12, 4, max_width=60),
)
EMPTY = "Nothing was done on this node yet. d drain, r reload, p priority, f failover."
READ_SECONDS = 3.0
CHECK_SECONDS = 5.0


class JournalScreen(NodeScreen):
    BINDINGS: ClassVar[list[BindingType]] = bindings(JOURNAL)
    columns = COLUMNS
    reading = "Reading the journal …"
    sorts: ClassVar = (("", "newest"), ("who", "who"), ("result", "result"))

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._entries: dict[Hashable, Entry] = {}
        self._overwrites: dict[Hashable, PriorityOverwrite] = {}
        self._error = ""

    def hints(self) -> tuple[tuple[str, str], ...]:
        return (("u", "undo"), ("c", "complete"), *(h for h in super().hints() if h[0] not in {"d", "p", "f"}))

    def keys_off(self, observation: Observation) -> frozenset[str]:
        return super().keys_off(observation) | (frozenset() if self.table.keys else {"undo", "complete"})

    def on_mount(self) -> None:
        self.set_interval(READ_SECONDS, self._read_entries)

    def on_screen_resume(self) -> None:
        super().on_screen_resume()
        self._read_entries()

    @work(exclusive=True)
    async def _read_entries(self) -> None:
        if not self.is_current:
            return
        entries: tuple[Entry, ...] = ()
        try:
            journal = self.host.backend.journal
            entries = await asyncio.to_thread(journal.entries)
            self._error = passed_over_note(journal)
        except OSError as error:
            self._error = f"The journal cannot be read: {error}. Run kvtui as root, or set KVTUI_STATE_DIR."
        self._entries = {e.id: e for e in reversed(entries)}
        self.redraw()

    def draw(self, observation: Observation) -> None:
        entries = self._entries
        self._overwrites = {o.entry: o for o in seen_overwrites(reversed(entries.values()), observation.snapshot)}
        self.explain_no_rows(self._error or EMPTY, has_rows=bool(entries))
        keys = [k for k, e in entries.items() if self.matches(e.id, e.summary, e.reason, e.result, *e.who.values())]
        order = {"who": lambda k: who_text(entries[k]), "result": lambda k: entries[k].result or ""}
        rows, overwrites = self.sorted_rows(keys, order), self._overwrites
        self.table.show_rows(rows, lambda k: entry_cells(entries[k], overwrites.get(k)), changes=False)

    def equivalent_command(self, observation: Observation) -> str | None:
        del observation
        return f"kvtui undo {shell_word(self.table.selected)}" if isinstance(self.table.selected, str) else None

    def action_undo(self, finish: bool = False) -> None:
        if isinstance(self.table.selected, str):
            self.app.push_screen(PlanPanel(self.host, Intent(ActionKind.UNDO, self.table.selected, finish=finish)))
        else:
            self.notify("No action is selected.", markup=False)

    def detail_panel(self, key: Any) -> Panel | None:
        entry, overwrite = self._entries.get(key), self._overwrites.get(key)
        if entry is None:
            return None
        return Panel(self.host, f"Journal {plain(entry.id)}", lambda _observation: entry_text(entry, overwrite))


class UnfinishedPanel(Panel):
    """An interrupted action (kill -9, power loss), its state, and what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "go('undo')", "Put back", id="plan.back", tooltip="Put back what it changed"),
        Binding("c", "go('finish')", "Complete", id="plan.finish", tooltip="Complete what it began"),
        Binding("x", "go('leave')", "As it is", id="plan.as_is", tooltip="Leave things as they are, close the entry"),
    ]

    def __init__(self, host: Host, recovery: Recovery) -> None:
        super().__init__(host, "An action was interrupted")
        self._recovery = recovery

    def text(self, observation: Observation | None) -> str:
        del observation
        return unfinished_text(self._recovery)

    def action_go(self, way: str) -> None:
        entry = self._recovery.entry
        intent = Intent(ActionKind.UNDO, entry.id, finish=way == "finish", leave=way == "leave")
        self.app.pop_screen()
        self.app.push_screen(PlanPanel(self.host, intent))


class JournalWatch:
    def __init__(self, app: App[None], host: Host) -> None:
        self._app = app
        self._host = host
        self._journal = host.backend.journal
        self._notified: set[Hashable] = set()
        self._keeper = Keeper(self._journal, self._again)
        self._keeper.entries = host.kept_drains

    async def run(self) -> None:
        observation = await self._host.next_observation()
        await self._offer_unfinished()
        await self._check(observation, first=True)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self._check(await self._host.next_observation())

    async def _offer_unfinished(self) -> None:
        try:
            unfinished = await asyncio.to_thread(self._journal.unfinished)
        except OSError:
            return  # screen 8 shows the error
        for entry in unfinished[-1:]:  # an interrupted repair comes before what it repaired
            state = await asyncio.to_thread(recovery.inspect, entry, self._host.backend)
            await self._app.push_screen(UnfinishedPanel(self._host, state))

    async def _check(self, observation: Observation, *, first: bool = False) -> None:
        """Reports what is new. A change that was complete before kvtui started is only on screen 8."""
        try:
            entries = await asyncio.to_thread(self._journal.entries)
        except OSError:
            return
        if self._host.kept_drains:
            await self._keeper.redrain_lost(observation)
        for lost in lost_drains(observation, active_drains(entries)):
            if lost.drain.entry not in self._host.kept_drains:
                self._notify(lost.sentence, lost.sentence)
        for overwrite in seen_overwrites(entries, observation.snapshot):
            key = (overwrite.entry, overwrite.instance, overwrite.found, overwrite.pending)
            if first and not overwrite.pending:
                self._notified.add(key)
            self._notify(key, overwrite.sentence)

    async def _again(self, intent: Intent, reason: str) -> Outcome:
        action = await plan(
            intent, await self._host.next_observation(), self._host.next_observation, self._host.backend
        )
        outcome = await self._host.carry_out(action, force=False, reason=reason, progress=lambda _text: None)
        self._notify(outcome.id or outcome.detail, f"{action.plan.summary} again: {outcome.detail}")
        return outcome

    def _notify(self, key: Hashable, sentence: str) -> None:
        """Notifies once: a controller writes the same config again at every sync."""
        if key not in self._notified:
            self._notified.add(key)
            self._app.notify(plain(sentence), severity="warning", timeout=30, markup=False)
