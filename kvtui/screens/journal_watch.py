"""Watches the journal while kvtui runs: interrupted actions, and drains and priorities that something else undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from kvtui.actions.core import recovery
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.active_drains import active_drains, lost_drains
from kvtui.actions.drain.keeping import Keeper
from kvtui.actions.priority.overwritten import seen_overwrites
from kvtui.actions.registry import plan
from kvtui.model.text import plain
from kvtui.presenters.journal import unfinished_text
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import PlanPanel

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.app import App

    from kvtui.actions.core.recovery import Recovery
    from kvtui.actions.core.runner import Outcome
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

CHECK_SECONDS = 5.0


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
            await self._keeper.look(observation)
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
