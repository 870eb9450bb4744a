"""Reads the IPVS table of one network namespace, as completely as it is allowed to."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from msgspec.structs import replace

from kvtui.backend.ipvs import decode, incremental, procfs, uapi
from kvtui.backend.ipvs.errors import IpvsUnavailable, MalformedMessage, Reason
from kvtui.backend.ipvs.genl import ATTEMPTS, GenericNetlink
from kvtui.backend.ipvs.namespace import net_folder, open_channel, require_ipvs
from kvtui.model.ipvs import IpvsTable

if TYPE_CHECKING:
    from kvtui.backend.ipvs.attributes import Buffer
    from kvtui.model.ipvs import Connection, RealServer, ServiceKey, VirtualServer

LESS = (
    "Traffic counters, thresholds and persistent connections cannot be read: {cause}. Weights and connections come "
    "from {path} instead."
)
NOT_UNDERSTOOD = "this kernel's netlink answer is not understood ({error}), please report it with the kernel's version"


class IpvsReader:
    """The table of the network namespace of a process. Blocking: to be called in a thread, one call at a time.

    Reading changes nothing: no module is loaded, no counter is reset.

    Args:
        pid: whose network namespace; None is kvtui's own.
        proc: where procfs is mounted.
    """

    def __init__(self, pid: int | None = None, *, proc: Path = Path("/proc")) -> None:
        self.pid = pid
        self.detail = ""
        self._proc = proc
        self._net = net_folder(proc, pid)
        self._channel: GenericNetlink | None = None
        self._turns = incremental.IncrementalReader(with_real_servers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket; the next reading opens another."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            self._turns.forget()

    def read(self, watched: frozenset[ServiceKey] | None = None, *, urgent: bool = False) -> IpvsTable:
        """The table: by netlink, or, where that is not permitted, by procfs; ``detail`` says which.

        Args:
            watched: virtual servers that must be as they are now, with their real servers; a large table's others may
                then have been read some seconds ago, which ``detail`` says (``ipvs.incremental``). None: all.
            urgent: something happened that may have changed the list of virtual servers: read that now.

        Raises:
            IpvsUnavailable: ip_vs is not loaded, the process has ended, or the table changes too fast.
        """
        self.detail = ""
        require_ipvs(self._proc, self.pid)
        try:
            table = self._by_netlink(watched, urgent=urgent)
        except PermissionError as error:
            self.close()
            cause = error.strerror
        except MalformedMessage as error:
            self.close()
            cause = NOT_UNDERSTOOD.format(error=error)
        else:
            self.detail = incremental.described(table)
            return table
        table = self._by_procfs()
        self.detail = LESS.format(cause=cause, path=self._net / "ip_vs")
        return table

    def connections(
        self, limit: int, virtual: ServiceKey | None = None, real: tuple[str, int] | None = None
    ) -> tuple[tuple[Connection, ...], int]:
        """Connections of a virtual server, or of one of its real servers; all of them when neither is given.

        Args:
            limit: how many to give at most.
            virtual: the virtual server's key.
            real: address and port of the real server.

        Returns:
            The first connections in the kernel's order, and how many there are in all.

        Raises:
            IpvsUnavailable: ip_vs is not loaded, or the process has ended.
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
        except (OSError, MalformedMessage) as error:
            raise IpvsUnavailable(Reason.FAILED, f"{self._net}/ip_vs_conn cannot be read: {error}.") from error

    def _by_procfs(self) -> IpvsTable:
        try:
            return procfs.read_table(self._net)
        except (OSError, MalformedMessage) as error:
            raise IpvsUnavailable(Reason.FAILED, f"{self._net}/ip_vs cannot be read: {error}.") from error

    def _by_netlink(self, watched: frozenset[ServiceKey] | None, *, urgent: bool) -> IpvsTable:
        """Once more with a new socket when the kept one fails: the module may have been loaded anew."""
        if self._channel is not None:
            try:
                return self._table(self._channel, watched, urgent=urgent)
            except IpvsUnavailable:
                raise
            except OSError:
                self.close()
        self._channel = open_channel(self.pid)
        try:
            return self._table(self._channel, watched, urgent=urgent)
        except (IpvsUnavailable, PermissionError):
            raise
        except OSError as error:
            self.close()
            raise IpvsUnavailable(Reason.FAILED, f"The kernel does not give its IPVS table: {error}.") from error

    def _table(self, channel: GenericNetlink, watched: frozenset[ServiceKey] | None, *, urgent: bool) -> IpvsTable:
        return read_table(channel) if watched is None else self._turns.table(channel, watched, urgent=urgent)


def read_table(channel: GenericNetlink) -> IpvsTable:
    """The whole table: one dump of the services, one dump of real servers for each of them.

    Raises:
        IpvsUnavailable: it changed during every one of several readings.
        MalformedMessage: an answer is not what the kernel's header promises.
        OSError: the kernel's errors.
    """
    for _ in range(ATTEMPTS):
        read_at, monotonic = time.time(), time.monotonic()
        services = channel.dump(uapi.CMD_GET_SERVICE, decode.service)
        if len({virtual.key for virtual in services}) < len(services):
            continue  # the list moved between two pieces of the dump
        filled = [with_real_servers(channel, virtual) for virtual in services]
        if None not in filled:
            whole = tuple(virtual for virtual in filled if virtual is not None)
            return IpvsTable(whole, complete=True, read_at=read_at, monotonic=monotonic)
    raise IpvsUnavailable(
        Reason.CHANGING, f"The IPVS table changed during {ATTEMPTS} readings in a row; kvtui tries again."
    )


def with_real_servers(channel: GenericNetlink, virtual: VirtualServer) -> VirtualServer | None:
    """The virtual server with its real servers; None when it changed meanwhile."""
    selector = decode.selector(virtual.key)
    family = virtual.family

    def real_server(buffer: Buffer, start: int, end: int) -> RealServer:
        return decode.dest(buffer, start, end, family)

    reals = channel.dump(uapi.CMD_GET_DEST, real_server, selector)
    if not reals:  # none, or is the service itself gone? The kernel answers both alike
        try:
            channel.ask(uapi.CMD_GET_SERVICE, selector)
        except ProcessLookupError:  # ESRCH
            return None
        return virtual
    if len({real.key for real in reals}) < len(reals):
        return None
    return replace(virtual, real_servers=tuple(reals))
