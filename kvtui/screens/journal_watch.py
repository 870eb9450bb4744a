"""Keeps an eye on the journal: what was cut short, what a health check, a reload or a controller undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.actions import recovery
from kvtui.actions.drains import drains, lost_drains
from kvtui.actions.overwritten import seen_overwrites
from kvtui.model.text import plain
from kvtui.screens.unfinished import UnfinishedPanel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from textual.app import App

    from kvtui.actions.site import Site
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

EVERY = 5.0
"""Seconds between two looks."""


class JournalWatch:
    """Tells the person what the journal and the kernel together say.

    Args:
        app: shows notifications and panels.
        host: the same app, for panels.
        observe: gives the next observation.
        site: whose journal.
    """

    def __init__(self, app: App[None], host: Host, observe: Callable[[], Awaitable[Observation]], site: Site) -> None:
        self._app = app
        self._host = host
        self._site = site
        self._observe = observe
        self._told: set[Hashable] = set()

    async def run(self) -> None:
        """Until the app ends."""
        seen = await self._observe()
        await self._offer_unfinished()
        await self._look(seen, first=True)
        while True:
            await asyncio.sleep(EVERY)
            await self._look(await self._observe())

    async def _offer_unfinished(self) -> None:
        try:
            left = await asyncio.to_thread(self._site.journal.unfinished)
        except OSError:
            return  # screen 7 says why the journal cannot be read
        for entry in left[-1:]:  # a repair that was cut short comes before what it repaired
            found = await asyncio.to_thread(recovery.inspect, entry, self._site)
            await self._app.push_screen(UnfinishedPanel(self._host, found))

    async def _look(self, seen: Observation, *, first: bool = False) -> None:
        """Tell what is new; a change that was over before kvtui started is on screen 7 only."""
        try:
            entries = await asyncio.to_thread(self._site.journal.entries)
        except OSError:
            return
        for lost in lost_drains(seen, drains(entries)):
            self._tell(lost.sentence, lost.sentence)
        for overwrite in seen_overwrites(entries, seen.snapshot):
            key = (overwrite.entry, overwrite.instance, overwrite.found, overwrite.pending)
            if first and not overwrite.pending:
                self._told.add(key)
            self._tell(key, overwrite.sentence)

    def _tell(self, key: Hashable, sentence: str) -> None:
        """Once: a controller writes the same again on every sync."""
        if key not in self._told:
            self._told.add(key)
            self._app.notify(plain(sentence), severity="warning", timeout=30, markup=False)
