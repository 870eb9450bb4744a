"""rtnetlink by pyroute2: the dumps, the events, and the one write. Everything blocks: call it in a thread.

A socket belongs to the network namespace of the thread that opens it (``linux.namespaces``).

Import pyroute2 here only, and in parts: ``import pyroute2`` takes 84 ms of CPU instead of 41, asyncio not counted. Its
sockets for tests import unittest, which takes 9 ms more; traffic control takes 5 ms.
"""

from __future__ import annotations

import errno
import os
import select
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kvtui.backend import bare_packages
from kvtui.backend.route.table import Address, Link, read_address, read_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNUSED: dict[str, dict[str, object]] = {
    "unittest": {"mock": SimpleNamespace(Mock=type("Mock", (), {}))},
    "pyroute2.netlink.rtnl.tcmsg": {"tcmsg": type("tcmsg", (), {}), "plugins": {}},
}

bare_packages.register("pyroute2")
with bare_packages.stand_ins(UNUSED):  # the package must be registered before
    from pyroute2.iproute.linux import IPRoute
    from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError
    from pyroute2.netlink.rtnl.iprsocket import IPRSocket

GROUPS = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR (linux/rtnetlink.h)
NEWLINK, DELLINK, NEWADDR, DELADDR = 16, 17, 20, 21
READERS = {NEWLINK: read_link, DELLINK: read_link, NEWADDR: read_address, DELADDR: read_address}
SKIP_STATISTICS = 1 << 3  # RTEXT_FILTER_SKIP_STATS: a third of the dump's size, for nothing that is read
INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: the table changed during the dump; pyroute2 0.9 passes it on unheeded
MAX_DUMPS = 5  # dumps that the kernel says were interrupted, before the last one counts: events correct it
MAX_RECEIVES = 64  # receives before what they changed is shown
RECEIVE_BUFFER = 1 << 20  # bytes of events that the kernel keeps for us

Event = tuple[Link | Address, bool]  # what an event is about, and whether that is gone


class RtnetlinkError(OSError):
    pass


class RouteSockets(AbstractContextManager["RouteSockets"]):
    """One socket for events, subscribed before anything is read, and one for dumps.

    Raises OSError: the kernel refuses a socket.
    """

    def __init__(self, receive_buffer: int = RECEIVE_BUFFER) -> None:
        with _as_os_error():
            self._events = IPRSocket(rcvbuf=receive_buffer)
            try:
                self._events.bind(groups=GROUPS)
                self._questions = _open_questions()
            except BaseException:
                self._events.close()
                raise
        self._arrived = select.poll()
        self._arrived.register(self._events, select.POLLIN)

    def __exit__(self, *_: object) -> None:
        self._events.close()
        self._questions.close()

    def read_all(self) -> tuple[list[Link], list[Address]]:
        with _as_os_error():
            links = self._dump(self._questions.get_links, ext_mask=SKIP_STATISTICS)
            addresses = self._dump(self._questions.get_addr)
            return list(filter(None, map(read_link, links))), list(filter(None, map(read_address, addresses)))

    @staticmethod
    def _dump(ask: Callable[..., Iterable[Any]], **query: int) -> list[Any]:
        messages: list[Any] = []
        for _ in range(MAX_DUMPS):
            messages = list(ask(**query))
            if not any(m["header"]["flags"] & INTERRUPTED for m in messages):
                break
        return messages

    def wait(self, wake: int) -> bool:
        """Waits for an event; returns False when there is something to read from ``wake`` instead."""
        waiting = select.poll()
        waiting.register(self._events, select.POLLIN)
        waiting.register(wake, select.POLLIN)
        return all(fd != wake for fd, _ in waiting.poll())

    def events(self) -> Iterator[Event]:
        """Yields what has arrived, of a storm a part; raises OSError: ENOBUFS, or an event cannot be decoded."""
        for _ in range(MAX_RECEIVES):
            if not self._arrived.poll(0):
                return
            with _as_os_error():
                for message in self._events.get():
                    kind = message["header"]["type"]
                    if message["header"]["error"] is not None:
                        raise message["header"]["error"]
                    if kind in READERS and (what := READERS[kind](message)) is not None:
                        yield what, kind in {DELLINK, DELADDR}


def read_addresses() -> frozenset[tuple[str, str, int]]:
    """Returns interface, address and prefix length of all addresses of the calling thread's network namespace.

    Raises OSError: the kernel's answer is an error.
    """
    with RouteSockets() as sockets:
        links, addresses = sockets.read_all()
    names = {link.index: link.name for link in links}
    return frozenset((names.get(a.index, ""), a.address, a.prefixlen) for a in addresses)


def has_address(interface: str, address: str, prefixlen: int) -> bool:
    """Whether an address is on an interface of the calling thread's network namespace; raises OSError."""
    with _as_os_error(), _open_questions() as route:
        return _index_with(route, interface, address, prefixlen) is not None


def remove_address(interface: str, address: str, prefixlen: int) -> bool:
    """Removes an address in the calling thread's network namespace, as ``ip addr del`` does.

    Returns whether it was there. Raises OSError: the kernel refuses.
    """
    with _as_os_error(), _open_questions() as route:
        index = _index_with(route, interface, address, prefixlen)
        if index is None:
            return False
        try:
            route.addr("del", index=index, address=address, prefixlen=prefixlen)
        except NetlinkError as error:
            if error.code == errno.EADDRNOTAVAIL:  # it went by itself meanwhile
                return False
            raise
        return True


def _open_questions() -> IPRoute:
    """Bound at once, so that strace tells rtnetlink from other protocols in the first message already."""
    route = IPRoute()
    route.bind(groups=0)
    return route


def _index_with(route: IPRoute, interface: str, address: str, prefixlen: int) -> int | None:
    """Returns the index of the interface if the address is on it."""
    for index in route.link_lookup(ifname=interface):
        found = (read_address(message) for message in route.get_addr(index=index))
        if any(a is not None and (a.address, a.prefixlen) == (address, prefixlen) for a in found):
            return int(index)
    return None


@contextmanager
def _as_os_error() -> Iterator[None]:
    """pyroute2's own errors are not OSErrors; a socket that cannot be bound is a KeyError there."""
    try:
        yield
    except NetlinkError as error:
        raise RtnetlinkError(abs(error.code), f"rtnetlink: {os.strerror(abs(error.code))}") from error
    except NetlinkDecodeError as error:
        raise RtnetlinkError(errno.EBADMSG, f"rtnetlink: an answer cannot be decoded: {error.exception}") from error
    except KeyError as error:
        raise RtnetlinkError(errno.EADDRNOTAVAIL, "rtnetlink: the socket cannot be bound") from error
