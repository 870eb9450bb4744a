"""``drain --keep``: drains again what something else undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.drain.active_drains import active_drains, lost_drains
from kvtui.actions.drain.targets import is_meant, parse_real, service_option
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from kvtui.actions.core.journal import Journal
    from kvtui.actions.core.runner import Outcome
    from kvtui.actions.drain.active_drains import Drain
    from kvtui.model.observation import Observation

    Again = Callable[[Intent, str], Awaitable[Outcome]]
    """Plans and applies an intent, with a reason for the journal."""

INTERVAL = 1.0
"""Seconds between two looks."""


def drain_again(drain: Drain) -> Intent:
    return Intent(ActionKind.DRAIN, endpoint(*drain.real), service=service_option(drain.service))


def ids_to_keep(journal: Journal, intent: Intent) -> set[str]:
    """Returns the actions that drained what an intent names; it may have been drained before."""
    real = parse_real(intent.target)
    return {d.entry for d in active_drains(journal.entries()) if is_meant(d.target, real, intent.service)}


class Keeper:
    """Keeps the drains of some actions.

    Args:
        entries: ids of the actions; those that drain again are added.
    """

    def __init__(self, journal: Journal, again: Again, entries: Iterable[str] = ()) -> None:
        self._journal = journal
        self._again = again
        self.entries = set(entries)

    async def look(self, observation: Observation) -> bool:
        """Drains again what was lost. Returns whether there is still something to keep."""
        drains = [d for d in active_drains(await asyncio.to_thread(self._journal.entries)) if d.entry in self.entries]
        for lost in lost_drains(observation, drains):
            outcome = await self._again(drain_again(lost.drain), f"kept drained ({lost.drain.entry})")
            if outcome.id:
                self.entries.add(outcome.id)
        return bool(drains)

    async def run(self, watch: Callable[[], Awaitable[Observation]]) -> None:
        """Runs until there is nothing left to keep, or it is cancelled."""
        while True:
            if not await self.look(await watch()):
                return
            await asyncio.sleep(INTERVAL)
