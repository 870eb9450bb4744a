"""Capture drops repeated packets on bridges, bonds and VMACs and recognizes this node's own (see tests/lab too)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from kvtui.backend.adverts.capture import PACKET_OUTGOING, Capture
from tests.adverts.signed import recorded

if TYPE_CHECKING:
    import socket

MULTICAST = 2
ONE, OTHER = (r.packet for r in recorded()[:2])
PORTS = frozenset({"port1", "port2", "slave1"})
Shown = tuple[bytes, str, int]


class Packets:
    """Stands in for the packet socket."""

    def __init__(self, *shown: Shown) -> None:
        self._shown = list(shown)

    def recvmsg(self, _size: int, _ancillary: int) -> tuple[bytes, list[object], int, tuple[str, int, int, int, bytes]]:
        if not self._shown:
            raise BlockingIOError
        packet, interface, kind = self._shown.pop(0)
        return packet, [], 0, (interface, 0x0800, kind, 1, b"")


def captured(*shown: Shown) -> list[tuple[str, bool]]:
    capture = Capture(cast("socket.socket", Packets(*shown)), PORTS.__contains__)
    return [(a.interface, a.outgoing) for a in capture.read(64)]


def test_an_advert_that_a_bridge_forwards_is_not_our_own() -> None:
    assert captured((ONE, "port1", MULTICAST), (ONE, "br0", MULTICAST), (ONE, "port2", PACKET_OUTGOING)) == [
        ("br0", False)
    ]


def test_an_advert_sent_on_a_bond_is_not_captured_again_on_its_port() -> None:
    assert captured((ONE, "bond0", PACKET_OUTGOING), (ONE, "slave1", PACKET_OUTGOING)) == [("bond0", True)]


def test_an_advert_sent_on_an_interface_that_became_a_port_is_our_own() -> None:
    assert captured((ONE, "port1", PACKET_OUTGOING)) == [("port1", True)]


def test_an_advert_sent_on_a_vmac_is_our_own_on_its_base_interface_too() -> None:
    shown = ((ONE, "vrrp.51", PACKET_OUTGOING), (ONE, "eth0", MULTICAST), (OTHER, "eth0", MULTICAST))
    assert captured(*shown) == [("vrrp.51", True), ("eth0", True), ("eth0", False)]
