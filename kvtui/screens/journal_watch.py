"""Keeps an eye on the journal: actions that were cut short, drains that a health check or a reload undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.actions import recovery
from kvtui.actions.drains import drains, lost_drains
from kvtui.model.text import plain
from kvtui.screens.unfinished import UnfinishedPanel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App

    from kvtui.actions.site import Site
    from kvtui.model.observation import Observation

EVERY = 5.0
"""Seconds between two looks."""


class JournalWatch:
    """Tells the person what the journal and the kernel together say.

    Args:
        app: to tell it.
        observe: gives the next observation.
        site: whose journal.
    """

    def __init__(self, app: App[None], observe: Callable[[], Awaitable[Observation]], site: Site) -> None:
        self._app = app
        self._site = site
        self._observe = observe
        self._told: set[str] = set()

    async def run(self) -> None:
        """Until the app ends."""
        seen = await self._observe()
        await self._offer_unfinished()
        while True:
            await self._tell_lost(seen)
            await asyncio.sleep(EVERY)
            seen = await self._observe()

    async def _offer_unfinished(self) -> None:
        try:
            left = await asyncio.to_thread(self._site.journal.unfinished)
        except OSError:
            return  # screen 7 says why the journal cannot be read
        for entry in left[-1:]:  # a repair that was cut short comes before what it repaired
            found = await asyncio.to_thread(recovery.inspect, entry, self._site)
            await self._app.push_screen(UnfinishedPanel(found))

    async def _tell_lost(self, seen: Observation) -> None:
        try:
            known = drains(await asyncio.to_thread(self._site.journal.entries))
        except OSError:
            return
        for lost in lost_drains(seen, known):
            if lost.sentence not in self._told:
                self._told.add(lost.sentence)
                self._app.notify(plain(lost.sentence), severity="warning", timeout=30, markup=False)
