"""Reads the IPVS table of one network namespace, as completely as permissions allow."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.ipvs import decode, incremental, procfs, uapi
from kvtui.backend.ipvs.errors import IpvsError, MalformedMessageError
from kvtui.backend.ipvs.genl import MAX_ATTEMPTS, GenericNetlink, net_folder, open_channel, require_ipvs
from kvtui.model.ipvs import IpvsTable

if TYPE_CHECKING:
    from kvtui.model.ipvs import Connection, ServiceKey, VirtualServer

INCOMPLETE = (
    "Traffic counters, thresholds and persistent connections cannot be read: {cause}. Weights and connections come "
    "from {path} instead."
)
NOT_UNDERSTOOD = "kvtui does not understand this kernel's netlink answer ({error}); report it with the kernel's version"


class IpvsReader(AbstractContextManager["IpvsReader"]):
    """Reads the table of the network namespace of a process. Blocks: call it in a thread, one call at a time.

    Reading loads no module and resets no counter.
    """

    def __init__(self, pid: int | None = None, *, proc: Path = Path("/proc")) -> None:
        self.pid = pid
        self.detail = ""
        self._proc = proc
        self._net = net_folder(proc, pid)
        self.channel: GenericNetlink | None = None
        self._incremental = incremental.IncrementalReader(with_real_servers)

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
            self._incremental.forget()

    def read(self, watched: frozenset[ServiceKey] | None = None, *, urgent: bool = False) -> IpvsTable:
        """Reads the table by netlink, or by procfs without permission; ``detail`` says so.

        Args:
            watched: virtual servers to read now, with their real servers; others of a large table may be some seconds
                old, and ``detail`` says so (``ipvs.incremental``). None: all.
            urgent: read the list of virtual servers now: it may have changed.

        Raises IpvsError: ip_vs is not loaded, the process ended, or the table changes too fast.
        """
        self.detail = ""
        require_ipvs(self._proc, self.pid)
        try:
            table = self._by_netlink(watched, urgent=urgent)
        except (PermissionError, MalformedMessageError) as error:
            self.close()
            cause = error.strerror if isinstance(error, PermissionError) else NOT_UNDERSTOOD.format(error=error)
        else:
            self.detail = incremental.describe_age(table)
            return table
        try:
            table = procfs.read_table(self._net)
        except (OSError, MalformedMessageError) as error:
            raise IpvsError(f"{self._net}/ip_vs cannot be read: {error}.") from error
        self.detail = INCOMPLETE.format(cause=cause, path=self._net / "ip_vs")
        return table

    def connections(
        self, limit: int, virtual: ServiceKey | None = None, real: tuple[str, int] | None = None
    ) -> tuple[tuple[Connection, ...], int]:
        """Returns the first connections of a virtual server, of a real server, or of all, and their total number.

        Raises IpvsError: ip_vs is not loaded, or the process ended.
        """
        require_ipvs(self._proc, self.pid)
        wanted = procfs.ConnectionFilter(virtual, real)
        try:
            if virtual is not None and virtual[2] == 0:  # a fwmark, or every port
                table = procfs.read_table(self._net).virtual_servers
                others = frozenset((v.protocol.value, v.address or "", v.port or 0) for v in table if v.port)
                reals = tuple(r.key for v in table if v.key == virtual for r in v.real_servers)
                wanted = replace(wanted, others=others, reals=reals)
            return procfs.read_connections(self._net, limit, wanted if virtual or real else None)
        except (OSError, MalformedMessageError) as error:
            raise IpvsError(f"{self._net}/ip_vs_conn cannot be read: {error}.") from error

    def _by_netlink(self, watched: frozenset[ServiceKey] | None, *, urgent: bool) -> IpvsTable:
        """Retries with a new socket when the open one fails: the module may have been loaded again."""
        was_open = self.channel is not None
        self.channel = self.channel or open_channel(self.pid)
        try:
            if watched is None:
                return read_table(self.channel)
            return self._incremental.table(self.channel, watched, urgent=urgent)
        except IpvsError:
            raise
        except OSError as error:
            self.close()
            if was_open:
                return self._by_netlink(watched, urgent=urgent)
            if isinstance(error, PermissionError):
                raise
            raise IpvsError(f"The kernel refuses to list its IPVS table: {error}.") from error


def read_table(channel: GenericNetlink) -> IpvsTable:
    """Reads the whole table: one dump of the services, one of real servers for each service.

    Raises like ``GenericNetlink.dump``.
    """
    for _ in range(MAX_ATTEMPTS):
        read_at, monotonic = time.time(), time.monotonic()
        services = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        if len({virtual.key for virtual in services}) < len(services):
            continue  # the list changed between two datagrams
        filled = [with_real_servers(channel, virtual) for virtual in services]
        if None not in filled:
            whole = tuple(virtual for virtual in filled if virtual is not None)
            return IpvsTable(whole, complete=True, read_at=read_at, monotonic=monotonic)
    raise IpvsError(f"The IPVS table changed during {MAX_ATTEMPTS} readings in a row; kvtui tries again.")


def with_real_servers(channel: GenericNetlink, virtual: VirtualServer) -> VirtualServer | None:
    """Returns None when the virtual server changed meanwhile."""
    selector = decode.selector(virtual.key)
    reals = channel.dump(uapi.CMD_GET_DEST, partial(decode.dest, family=virtual.family), selector)
    if not reals:  # no real servers, or no such service: the kernel answers both alike
        try:
            channel.ask(uapi.CMD_GET_SERVICE, selector)
        except ProcessLookupError:  # ESRCH
            return None
        return virtual
    if len({real.key for real in reals}) < len(reals):
        return None
    return replace(virtual, real_servers=tuple(reals))
