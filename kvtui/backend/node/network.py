"""The layers of one network namespace, which stay when keepalived restarts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.backend.node.guard import SourceGuard
from kvtui.backend.node.network_layer import AddressesLayer, AdvertsLayer, IpvsLayer
from kvtui.backend.node.sysctls_layer import SysctlsLayer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived

ADDRESSES_TIMEOUT = 5.0
"""Seconds that the first reading waits for addresses: the import of pyroute2 is slow, the kernel is not."""
IMPORT_DELAY = 0.2
"""Seconds until pyroute2 is imported, when the first frame shows no addresses."""


class Network:
    """What is read of one network namespace.

    Args:
        of: a keepalived in another network namespace; None for kvtui's own.
        changed: called on a change that needs a new snapshot at once.
        at_once: the first reading does not wait for addresses.
        state_folder: for crash reports.
    """

    def __init__(
        self, of: Keepalived | None, changed: Callable[[], None], *, at_once: bool, state_folder: Path | None
    ) -> None:
        pid = of.pid if of is not None else None
        self.identity = of.identity if of is not None else None
        self.dirty = True
        """Something changed since the last request for a dump."""
        self._changed = changed
        self._at_once = at_once
        self._waited = at_once
        self._closed = False
        self.addresses_guard = SourceGuard("the addresses", state_folder)
        self.adverts_guard = SourceGuard("adverts", state_folder)
        self.ipvs_guard = SourceGuard("the IPVS table", state_folder)
        self.sysctls_guard = SourceGuard("sysctls", state_folder)
        self.addresses = AddressesLayer(pid, self._event, self.addresses_guard)
        self.adverts = AdvertsLayer(pid, self._event, self.addresses, self.adverts_guard)
        self.ipvs = IpvsLayer(pid)
        self.sysctls = SysctlsLayer(pid)

    def _event(self) -> None:
        self.dirty = True
        self._changed()

    async def start(self) -> None:
        if self._at_once:
            asyncio.get_running_loop().call_later(IMPORT_DELAY, self._start_addresses)
        else:
            self.addresses.start()
        await self.adverts.start()

    def _start_addresses(self) -> None:
        if not self._closed:
            self.addresses.start()

    async def ready(self) -> None:
        """Waits once until the first reading of addresses succeeded or failed, unless ``at_once``."""
        if not self._waited:
            self._waited = True
            waiter = asyncio.ensure_future(self.addresses.ready())
            try:
                await asyncio.wait([waiter], timeout=ADDRESSES_TIMEOUT)
            finally:
                waiter.cancel()

    async def close(self) -> None:
        self._closed = True
        await self.addresses.close()
        self.adverts.close()
        if not self.ipvs_guard.is_busy:  # a thread that hangs still has its socket
            self.ipvs.close()
