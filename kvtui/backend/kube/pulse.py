"""Whether the API still answers: a watch on a half-dead connection is as silent as one on which nothing happens."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from kvtui.backend.kube.errors import KubeTrouble, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.backend.kube.api import Api
    from kvtui.backend.kube.http import Connection

QUESTION = "/version"
"""Anybody may ask it (ClusterRole system:public-info-viewer), and any answer will do, a refusal too."""


class Pulse:
    """Asks every few seconds over a connection of its own; when no answer comes, twice, ``lost`` is called.

    Args:
        api: whom to ask.
        lost: called in the event loop with what is wrong, and when the last answer came (seconds since the epoch).
    """

    def __init__(self, api: Api, lost: Callable[[KubeTrouble, float], None]) -> None:
        self._api, self._lost = api, lost
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Until cancelled."""
        timing = self._api.timing
        answered_at = time.time()
        try:
            while True:
                await asyncio.sleep(timing.pulse)
                trouble = await self._answers()
                if trouble is not None and self._connection is None:
                    trouble = await self._answers()  # a connection that was idle may just have been closed
                if trouble is None:
                    answered_at = time.time()
                    self._api.went_well()
                else:
                    self._api.went_wrong()
                    self._lost(trouble, answered_at)
        finally:
            self._drop()

    async def _answers(self) -> KubeTrouble | None:
        """What is wrong; None when it answered."""
        timeout = self._api.timing.pulse_patience
        try:
            async with asyncio.timeout(timeout):
                await self._ask()
        except TimeoutError:
            trouble: KubeTrouble = Unreachable(f"{self._api.server} has not answered for {timeout:g} s")
        except KubeTrouble as why:
            trouble = why
        else:
            return None
        self._drop()
        return trouble

    async def _ask(self) -> None:
        if self._connection is None:
            self._connection, _ = await self._api.connect()
        response = await self._connection.get(QUESTION)
        await response.body(self._api.timing.pulse_patience)
        if not response.finished:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
