"""The sysctls of a network namespace that decide whether its virtual servers work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.linux.sysctls import read_sysctls

if TYPE_CHECKING:
    from kvtui.model.addresses import AddressTable

INTERVAL = 5.0
"""Seconds between two readings."""
MAX_INTERFACES = 32
"""Interfaces whose sysctls are read; those of pods have no address and are skipped."""

GLOBAL = (
    "net/ipv4/ip_forward",
    "net/ipv4/ip_nonlocal_bind",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/vs/conntrack",
    "net/ipv4/vs/conn_reuse_mode",
    "net/ipv4/vs/expire_nodest_conn",
    "net/ipv4/vs/expire_quiescent_template",
)
PER_LINK = ("rp_filter", "arp_ignore")


class SysctlsLayer:
    """Sysctls by their full names; None while they cannot be read."""

    def __init__(self, pid: int | None) -> None:
        self.values: dict[str, int] | None = None
        self._pid = pid
        self._read_at = float("-inf")
        self._knew_links = False

    def read(self, now: float, table: AddressTable | None) -> None:
        if now - self._read_at < INTERVAL and (self._knew_links or table is None):
            return
        self._read_at, self._knew_links = now, table is not None
        links = dict.fromkeys(("all", *(a.interface for a in table.addresses if ":" not in a.address))) if table else ()
        names = (*GLOBAL, *(f"net/ipv4/conf/{link}/{n}" for link in [*links][:MAX_INTERFACES] for n in PER_LINK))
        try:
            self.values = read_sysctls(self._pid, names)
        except OSError:  # no permission to enter, or its process ended
            self.values = None
