"""Which interfaces are ports of a bridge or a bond: their packets are seen again on the bridge or bond itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kvtui.backend.addresses import rtnetlink

if TYPE_CHECKING:
    import socket

PORTS = frozenset(("bridge", "bond", "team"))
"""IFLA_INFO_SLAVE_KIND; a ``vrf``'s members keep their own IP traffic."""
TRUSTED = 10.0
"""Seconds that an answer is believed: interfaces seldom change sides."""


class Ports:
    """Asks the kernel about one interface at a time, seldom.

    Args:
        questions: a NETLINK_ROUTE socket in the same network namespace; closed with this.
    """

    def __init__(self, questions: socket.socket) -> None:
        self._questions = questions
        self._known: dict[str, tuple[float, bool]] = {}

    def has(self, interface: str) -> bool:
        """Whether the interface is such a port; False when the kernel does not say."""
        now = time.monotonic()
        at, answer = self._known.get(interface, (-TRUSTED, False))
        if now - at < TRUSTED:
            return answer
        try:
            link = rtnetlink.link_named(self._questions, interface)
        except OSError:
            link = None
        if len(self._known) > 1000:  # names of pods' interfaces come and go
            self._known.clear()
        answer = link is not None and link.port in PORTS
        self._known[interface] = (now, answer)
        return answer

    def close(self) -> None:
        """Close the socket."""
        self._questions.close()
