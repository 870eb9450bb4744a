"""The interfaces that an advert is captured on: bridges, VLANs, macvlans, loopback; without keepalived."""

from __future__ import annotations

import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.adverts.capture import Capture
from tests.lab.network import command
from tests.lab.poll import poll
from tests.lab.rogue import advert_v2, sending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.vrrp import Advert


NOISE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(20):
    s.sendto(bytes(100), ("10.4.0.3", 112))
"""


SENDER, RECEIVER = "kvsend", "kvrecv"


@pytest.fixture
def pair() -> Iterator[int]:
    """Connects two namespaces, s0 in one and eth0 in the other. Yields the PID of a process in the receiving one."""
    for netns in (SENDER, RECEIVER):
        command(["ip", "netns", "add", netns])
    command(["ip", "-n", SENDER, "link", "add", "s0", "type", "veth", "peer", "name", "eth0", "netns", RECEIVER])
    sleeper = subprocess.Popen(["ip", "netns", "exec", RECEIVER, "sleep", "1000"])
    try:
        batch(SENDER, "link set lo up", "link set s0 up")
        batch(RECEIVER, "link set lo up", "link set eth0 up")
        poll(lambda: command(["ip", "netns", "identify", str(sleeper.pid)]).strip() == RECEIVER, 10, "the namespace")
        yield sleeper.pid
    finally:
        sleeper.kill()
        sleeper.wait()
        for netns in (SENDER, RECEIVER):
            command(["ip", "netns", "del", netns])


def batch(netns: str, *lines: str) -> None:
    command(["ip", "-n", netns, "-batch", "-"], text="\n".join(lines) + "\n")


def captured(capture: Capture, count: int) -> list[Advert]:
    """Reads adverts until there are at least `count`."""
    got: list[Advert] = []

    def enough() -> bool:
        got.extend(capture.read(64))
        return len(got) >= count

    poll(enough, 20, lambda: f"{count} adverts; {got}")
    return got


def send(netns: str, device: str, *messages: bytes) -> None:
    """Sends each message once and returns when all are sent."""
    for message in messages:
        with sending(netns, message, device=device, count=1, interval=0) as rogue:
            assert rogue.wait(120) == 0


def test_a_bridge_port_captures_only_the_adverts_sent_on_the_port_itself(pair: int) -> None:
    batch(SENDER, "addr add 10.4.0.9/24 dev s0")
    batch(
        RECEIVER,
        "link add br0 type bridge mcast_snooping 0",
        "link set eth0 master br0",
        "link set br0 up",
        "addr add 10.4.0.3/24 dev br0",
    )
    capture = Capture.open(pair, is_port=lambda interface: interface == "eth0")
    try:
        poll(lambda: "forwarding" in command(["ip", "-n", RECEIVER, "-d", "link", "show", "eth0"]), 40, "the port")
        send(SENDER, "s0", advert_v2(50, 1), advert_v2(50, 2))
        send(RECEIVER, "br0", advert_v2(50, 3))
        send(RECEIVER, "eth0", advert_v2(50, 4))
        got = captured(capture, 4)
    finally:
        capture.close()
    assert [(a.interface, a.priority, a.outgoing) for a in got] == [
        ("br0", 1, False),
        ("br0", 2, False),
        ("br0", 3, True),
        ("eth0", 4, True),
    ]


def test_a_tagged_packet_is_captured_on_its_vlan_only(pair: int) -> None:
    for netns, link, host in ((SENDER, "s0", 9), (RECEIVER, "eth0", 3)):
        batch(
            netns,
            f"link add link {link} name v7 type vlan id 7",
            "link set v7 up",
            f"addr add 10.4.0.{host}/24 dev v7",
        )
    capture = Capture.open(pair)
    try:
        send(SENDER, "v7", advert_v2(50, 1))
        send(RECEIVER, "v7", advert_v2(50, 2))
        got = captured(capture, 2)
    finally:
        capture.close()
    assert [(a.interface, a.priority, a.outgoing) for a in got] == [("v7", 1, False), ("v7", 2, True)]


def test_a_vmacs_own_advert_is_outgoing_on_both_of_its_interfaces(pair: int) -> None:
    batch(
        RECEIVER,
        "link add link eth0 name vrrp.50 address 00:00:5e:00:01:32 type macvlan mode private",
        "link set vrrp.50 up",
        "addr add 10.4.0.3/24 dev vrrp.50",
    )
    capture = Capture.open(pair)
    try:
        send(RECEIVER, "vrrp.50", advert_v2(50, 3))
        assert {(a.interface, a.outgoing) for a in captured(capture, 2)} == {("vrrp.50", True), ("eth0", True)}
    finally:
        capture.close()


def test_the_loopbacks_echo_is_dropped(pair: int) -> None:
    batch(RECEIVER, "addr add 10.4.0.3/32 dev lo")
    capture = Capture.open(pair)
    try:
        send(RECEIVER, "lo", advert_v2(50, 1), advert_v2(50, 2))
        got = captured(capture, 2)
    finally:
        capture.close()
    assert [(a.priority, a.outgoing) for a in got] == [(1, True), (2, True)]


def test_the_kernel_filter_drops_all_other_packets(pair: int) -> None:
    batch(SENDER, "addr add 10.4.0.9/24 dev s0")
    batch(RECEIVER, "addr add 10.4.0.3/24 dev eth0")
    capture = Capture.open(pair)
    try:
        command(["ip", "netns", "exec", SENDER, sys.executable, "-c", NOISE])
        send(SENDER, "s0", advert_v2(50, 1))
        captured(capture, 1)
        statistics = capture.socket.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS: packets past the filter
    finally:
        capture.close()
    assert struct.unpack("=II", statistics) == (1, 0)


def test_without_cap_net_raw_the_error_names_the_lost_data() -> None:
    code = (
        "import asyncio; from kvtui.backend.adverts import Adverts, CaptureError\n"
        "try: asyncio.run(Adverts(None).start(print))\n"
        "except CaptureError as why: print(why)"
    )
    argv = ["setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw", sys.executable, "-c", code]
    assert command(argv) == (
        "adverts cannot be captured: CAP_NET_RAW is missing: run kvtui as root, or give its container the capability "
        "NET_RAW; without adverts kvtui knows masters only from this node's keepalived and cannot detect split brain\n"
    )
