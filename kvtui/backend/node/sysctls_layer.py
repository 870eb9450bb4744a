"""The kernel settings of a network namespace that decide whether its virtual servers can work: read seldom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.linux.sysctls import read_sysctls

if TYPE_CHECKING:
    from kvtui.model.addresses import AddressTable

EVERY = 5.0
"""Seconds between two readings: they change when a person changes them."""
MOST_LINKS = 32
"""Interfaces whose settings are read; those of pods have no address of their own and are left out."""

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
    """Settings by their full names; None while they cannot be read.

    Args:
        pid: whose network namespace; None for kvtui's own.
    """

    def __init__(self, pid: int | None) -> None:
        self.values: dict[str, int] | None = None
        self._pid = pid
        self._read_at = float("-inf")

    def read(self, now: float, table: AddressTable | None) -> None:
        """Read them where that is due; blocking.

        Args:
            now: monotonic seconds.
            table: names the interfaces.
        """
        if now - self._read_at < EVERY:
            return
        self._read_at = now
        links = dict.fromkeys(("all", *(a.interface for a in table.addresses if ":" not in a.address))) if table else ()
        names = (*GLOBAL, *(f"net/ipv4/conf/{link}/{n}" for link in [*links][:MOST_LINKS] for n in PER_LINK))
        try:
            self.values = read_sysctls(self._pid, names)
        except OSError:  # no right to enter, or its process is gone: then they are not known
            self.values = None
