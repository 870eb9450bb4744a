"""The table of addresses and interfaces: one dump, then events."""

from __future__ import annotations

import errno
import time
from typing import TYPE_CHECKING

from kvtui.backend.addresses import rtnetlink
from kvtui.backend.addresses.rtnetlink import DELADDR, DELLINK, NEWADDR, NEWLINK, Address, Link
from kvtui.backend.linux.namespaces import open_in_network
from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable, Iterable

AT_ONCE = 64
"""Receives in one turn of the event loop, so that a storm of events does not stop the screen."""

Key = tuple[int, int, bytes, bytes, int]


class Links:
    """What is known of links and addresses, by index; the pure part."""

    def __init__(self) -> None:
        self._links: dict[int, Link] = {}
        self._addresses: dict[Key, tuple[Address, float | None]] = {}
        self._interfaces: tuple[Interface, ...] | None = None
        self._shown: tuple[InterfaceAddress, ...] = ()

    def replace(self, links: Iterable[Link], addresses: Iterable[Address], appeared: float | None) -> bool:
        """Take a whole dump.

        Args:
            links: all of them.
            addresses: all of them.
            appeared: since when an address that was not known before is there (seconds since the epoch).

        Returns:
            Whether anything is different now.
        """
        known = {key: since for key, (_, since) in self._addresses.items()}
        new_links = {link.index: link for link in links}
        new = {a.key: (a, known.get(a.key, appeared)) for a in addresses}
        changed = new_links != self._links or new != self._addresses
        self._links, self._addresses, self._interfaces = new_links, new, None
        return changed

    def apply(self, kind: int, what: Link | Address, now: float) -> bool:
        """Take one event; ``now`` in seconds since the epoch. Returns whether anything is different now."""
        changed = self._apply_link(kind, what) if isinstance(what, Link) else self._apply_address(kind, what, now)
        if changed:
            self._interfaces = None
        return changed

    def _apply_link(self, kind: int, link: Link) -> bool:
        if kind == NEWLINK:
            changed = self._links.get(link.index) != link
            self._links[link.index] = link
            return changed
        if kind != DELLINK or self._links.pop(link.index, None) is None:
            return False
        for key in [key for key in self._addresses if key[0] == link.index]:
            del self._addresses[key]
        return True

    def _apply_address(self, kind: int, address: Address, now: float) -> bool:
        before = self._addresses.get(address.key)
        if kind == NEWADDR:
            self._addresses[address.key] = (address, before[1] if before else now)
            return before is None or before[0] != address
        return kind == DELADDR and self._addresses.pop(address.key, None) is not None

    def table(self, now: float) -> AddressTable:
        """Interfaces by index, addresses by interface and in the kernel's order."""
        if self._interfaces is None:
            names = {index: link.name for index, link in self._links.items()}
            self._interfaces = tuple(_interface(link, names) for _, link in sorted(self._links.items()))
            by_interface = sorted(self._addresses.values(), key=lambda a: a[0].key[:2])
            self._shown = tuple(_shown(a, since, names[a.index]) for a, since in by_interface if a.index in names)
        return AddressTable(self._shown, self._interfaces, now)


def _interface(link: Link, names: dict[int, str]) -> Interface:
    return Interface(
        index=link.index,
        name=link.name,
        up=link.up,
        running=link.running,
        mtu=link.mtu,
        mac=link.mac,
        kind=link.kind,
        master=names.get(link.master),
    )


def _shown(address: Address, since: float | None, name: str) -> InterfaceAddress:
    return InterfaceAddress(
        address=address.address,
        prefixlen=address.prefixlen,
        interface=name,
        label=address.label,
        scope=address.scope,
        tentative=address.tentative,
        since=since,
    )


class Addresses:
    """Addresses and interfaces of a network namespace, live on an asyncio event loop.

    Args:
        pid: a process in that namespace; None for our own.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._links = Links()
        self._events: socket.socket | None = None
        self._questions: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: Callable[[], None] = lambda: None

    async def start(self, changed: Callable[[], None]) -> None:
        """Subscribe, then read everything once.

        Args:
            changed: called in the event loop, once for a batch of events that changed the table.

        Raises:
            OSError: the namespace cannot be entered, or the kernel refuses the socket or the dump.
        """
        import asyncio  # noqa: PLC0415 - one-shot readings do without its 90 ms

        self._changed = changed
        self._questions = open_in_network(self._pid, rtnetlink.open_socket)
        try:
            # Subscribed before the dump: events that it already contains are applied twice, which does no harm.
            self._events = open_in_network(self._pid, lambda: rtnetlink.open_socket(rtnetlink.GROUPS))
            self._events.settimeout(0)  # never blocks
            self._links.replace(*rtnetlink.dump(self._questions), appeared=None)
        except OSError:
            self.close()
            raise
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._events, self._read)

    def table(self) -> AddressTable:
        """What is there now."""
        return self._links.table(time.time())

    def close(self) -> None:
        """Close the sockets; harmless when it never started."""
        if self._loop is not None and self._events is not None:
            self._loop.remove_reader(self._events)
        for opened in (self._events, self._questions):
            if opened is not None:
                opened.close()
        self._events = self._questions = self._loop = None

    def _read(self) -> None:
        """Apply what has arrived."""
        changed = False
        for _ in range(AT_ONCE):
            if self._events is None:
                return
            try:
                chunk = self._events.recv(rtnetlink.BUFFER)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                changed |= self._start_over()
                continue
            now = time.time()
            for kind, what in rtnetlink.messages(chunk):
                if what is not None:
                    changed |= self._links.apply(kind, what, now)
        if changed:
            self._changed()

    def _start_over(self) -> bool:
        """Events were lost (the socket's buffer was full): read everything again.

        What is still queued is older than what was lost, and would undo it in a newer table.
        """
        if self._events is None or self._questions is None:
            return False
        while True:
            try:
                self._events.recv(rtnetlink.BUFFER)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        return self._links.replace(*rtnetlink.dump(self._questions), appeared=time.time())


def read_once(pid: int | None) -> AddressTable:
    """The table now, without an event loop.

    Args:
        pid: a process in the network namespace; None for our own.

    Raises:
        OSError: the namespace cannot be entered, or the kernel refuses the socket or the dump.
    """
    links = Links()
    with open_in_network(pid, rtnetlink.open_socket) as questions:
        links.replace(*rtnetlink.dump(questions), appeared=None)
    return links.table(time.time())
