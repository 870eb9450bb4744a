"""Captures adverts of real keepalived processes in another network namespace."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
import warnings
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from kvtui.backend.adverts import Adverts
from kvtui.backend.adverts.decode import decode
from kvtui.model.vrrp import AddressFamily, Advert, Advertiser
from kvtui.rules.vrrp.claims import claimants
from tests.lab.rogue import advert_v2, sending
from tests.lab.spec import ClusterSpec

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy's import uses what cryptography has deprecated
    from scapy.layers.inet import IP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.ipsec import AH
    from scapy.layers.vrrp import VRRP, VRRPv3
    from scapy.utils import rdpcap

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.lab.cluster import Cluster
    from tests.lab.conftest import MakeCluster
    from tests.lab.node import Node

V4, V6 = AddressFamily.V4, AddressFamily.V6
PASSWORD = "sesame12"  # noqa: S105 - of the test
QUIET = ClusterSpec(requests_per_second=0.0, advert_int=1)
BOTH = replace(QUIET, ipv6=True)
UNICAST = replace(QUIET, unicast=True)
SIMPLE = replace(QUIET, vrrp_version=2, extra_instance=f"authentication {{\n auth_type PASS\n auth_pass {PASSWORD}\n}}")
DIGEST = replace(QUIET, vrrp_version=2, extra_instance=f"authentication {{\n auth_type AH\n auth_pass {PASSWORD}\n}}")

TCPDUMP_ADVERT = re.compile(
    r"VRRPv(\d), Advertisement.*?vrid (\d+), prio (\d+),.*?intvl (\d+)(c?)s,.*?addrs(?:\(\d+\))?: (\S+)", re.DOTALL
)
"""Version, VRID, priority, interval, its unit, and the addresses of an advert in tcpdump -v's output."""


class Listening:
    """``Adverts`` that counts its ``changed`` calls."""

    def __init__(self, pid: int) -> None:
        self.adverts = Adverts(pid)
        self.calls = 0

    def changed(self) -> None:
        self.calls += 1

    async def until(self, condition: Callable[[], bool], what: str, timeout: float = 120) -> None:
        """Runs the loop until the condition is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (
                f"not in {timeout} s: {what}; {self.transitions()}, {self.adverts.tracker.advertisers()}"
            )
            await asyncio.sleep(0.02)

    def transitions(self, vrid: int = 50) -> list[str]:
        return [t.what for t in self.adverts.tracker.transitions() if t.vrid == vrid]

    def master(self, vrid: int = 50, family: AddressFamily = V4) -> Advert:
        found = self.claimants(vrid, family)
        assert found, self.adverts.tracker.advertisers()
        return found[0].last

    def master_is(self, source: str) -> bool:
        return [a.last.source for a in self.claimants()][:1] == [source]

    def claimants(self, vrid: int = 50, family: AddressFamily = V4) -> tuple[Advertiser, ...]:
        peers = tuple(a for a in self.adverts.tracker.advertisers() if (a.last.vrid, a.last.family) == (vrid, family))
        return claimants(peers, time.time())

    def of(self, source: str) -> Advertiser:
        return next(a for a in self.adverts.tracker.advertisers() if a.last.source == source)


@asynccontextmanager
async def listening(node: Node) -> AsyncIterator[Listening]:
    heard = Listening(node.keepalived_pid)
    await heard.adverts.start(heard.changed)
    try:
        yield heard
    finally:
        heard.adverts.close()


def as_sent(advert: Advert) -> Advert:
    """Removes the fields that depend on the receiver."""
    return structs.replace(advert, received=0.0, outgoing=False)


FROM_C = Advert(
    received=0.0,
    interface="eth0",
    source="10.4.0.5",
    destination="224.0.0.18",
    outgoing=False,
    version=3,
    vrid=50,
    priority=102,
    interval=1.0,
    addresses=("10.4.0.50", "10.4.0.51"),
)


@pytest.fixture
def both(make_cluster: MakeCluster) -> Cluster:
    return make_cluster(BOTH)


@pytest.mark.lab(spec=BOTH)
@pytest.mark.parametrize(("name", "own"), [("node-a", False), ("node-c", True)])
async def test_peers_and_own_adverts_over_ipv4_and_ipv6(both: Cluster, name: str, own: bool) -> None:
    async with listening(both.node(name)) as heard:
        assert await heard.adverts.wait_for({50, 51}, 40) == {50, 51}
        four, six = heard.master(), heard.master(51, V6)
        assert (four.outgoing, six.outgoing) == (own, own)
        assert as_sent(four) == FROM_C
        links = both.node("node-c").exec(["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"]).stdout
        source = re.search(r"inet6 (fe80:\S+)/64", links)
        assert source
        assert as_sent(six) == structs.replace(
            FROM_C, vrid=51, source=source[1], destination="ff02::12", addresses=("fd00:10:4::50",)
        )
        assert abs(time.time() - four.received) < 60  # the kernel's clock, in seconds since the epoch


@pytest.mark.lab(spec=BOTH)
async def test_repeated_adverts_are_not_reported_as_changes(both: Cluster) -> None:
    async with listening(both.node("node-b")) as heard:
        await heard.until(
            lambda: all(a.count >= 4 for a in heard.adverts.tracker.advertisers()) and heard.calls > 0, "adverts"
        )
        assert len(heard.adverts.tracker.advertisers()) == 2
        assert heard.calls <= 2  # one for each virtual router
        assert [a.bad for a in heard.adverts.tracker.advertisers()] == [0, 0]


@pytest.mark.lab(spec=BOTH)
async def test_waiting_for_an_unused_vrid_ends(both: Cluster) -> None:
    async with listening(both.node("node-b")) as heard:
        assert await heard.adverts.wait_for({50}, 120) == {50}
        assert await heard.adverts.wait_for({50, 99}, 2) == {50}


TO_B = (["10.4.0.5 → 10.4.0.4 is master"], ["10.4.0.5 → 10.4.0.3 is master", "10.4.0.3 → 10.4.0.4 is master"])
"""The backups of priority 100 and 101 time out 4 ms apart: in a slow kernel the worse one may be master briefly."""


@pytest.mark.lab(spec=BOTH)
async def test_a_stopped_master_steps_down(both: Cluster) -> None:
    async with listening(both.node("node-a")) as heard:
        await heard.adverts.wait_for({50, 51}, 40)
        both.node("node-c").stop()
        await heard.until(lambda: heard.master_is("10.4.0.4"), "the takeover")
        assert heard.transitions()[:2] == ["10.4.0.5 is master", "10.4.0.5 stepped down (priority 0)"]
        assert heard.transitions()[2:] in TO_B
        assert heard.master().priority == 101
        assert heard.of("10.4.0.5").stepped_down


@pytest.mark.lab(spec=BOTH)
async def test_a_killed_master_is_replaced_without_stepping_down(both: Cluster) -> None:
    async with listening(both.node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        both.node("node-c").kill()
        await heard.until(lambda: heard.master_is("10.4.0.4"), "the takeover")
        # only a slow kernel leaves time for the silence
        changes = [what for what in heard.transitions() if what != "10.4.0.5 fell silent, nobody advertises"]
        assert changes[0] == "10.4.0.5 is master"
        assert changes[1:] in TO_B


@pytest.mark.lab(spec=BOTH)
async def test_a_lowered_priority_is_reported(both: Cluster) -> None:
    node = both.node("node-c")
    async with listening(node) as heard:
        await heard.adverts.wait_for({50}, 40)
        node.reload(node.conf_path.read_text().replace("priority 102", "priority 50"))
        await heard.until(lambda: heard.master_is("10.4.0.4"), "the takeover")
        assert heard.transitions()[:2] == ["10.4.0.5 is master", "10.4.0.5 changed priority 102 → 50"]
        assert heard.transitions()[2:] in TO_B
        assert len(heard.claimants()) == 1


@pytest.mark.lab(spec=BOTH)
async def test_the_silence_of_the_last_master_is_reported(both: Cluster) -> None:
    async with listening(both.node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        for node in both.nodes[:2]:
            node.stop()
        both.node("node-c").kill()
        calls = heard.calls
        await heard.until(lambda: "10.4.0.5 fell silent, nobody advertises" in heard.transitions(), "silence")
        assert heard.calls > calls


@pytest.mark.lab(spec=BOTH)
async def test_two_masters(both: Cluster) -> None:
    async with listening(both.node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        # not every second: keepalived restarts its advert timer with each packet of its VRID, so a packet that
        # repeatedly arrives just before the timer fires silences the master
        with sending(both.network.client, advert_v2(50, 7), interval=1.4):
            await heard.until(
                lambda: "two masters: 10.4.0.5 (priority 102) and 10.4.0.100 (priority 7)" in heard.transitions(),
                "two masters",
            )
            assert [a.last.source for a in heard.claimants()] == ["10.4.0.5", "10.4.0.100"]
            assert heard.master().source == "10.4.0.5"
        await heard.until(lambda: "10.4.0.5 is the only master again" in heard.transitions(), "one master again")


@pytest.mark.lab(spec=BOTH)
async def test_adverts_of_another_vrid_are_captured(both: Cluster) -> None:
    async with listening(both.node("node-a")) as heard:
        with sending(both.network.client, advert_v2(77, 100)):
            assert await heard.adverts.wait_for({77, 50}, 40) == {77, 50}
        assert (77, V4) in {(a.last.vrid, a.last.family) for a in heard.adverts.tracker.advertisers()}
        assert heard.of("10.4.0.100").last.addresses == ("10.4.0.50",)


@pytest.mark.lab(spec=UNICAST)
async def test_unicast(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(UNICAST)
    async with listening(cluster.node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        assert as_sent(heard.master()) == structs.replace(FROM_C, destination="10.4.0.3")
    async with listening(cluster.node("node-c")) as heard:
        await heard.until(
            lambda: bool(heard.adverts.tracker.advertisers()) and heard.of("10.4.0.5").count >= 4, "adverts"
        )
        assert heard.master().outgoing
        assert heard.master().destination in {"10.4.0.3", "10.4.0.4"}
        assert len(heard.adverts.tracker.advertisers()) == 1  # a backup sends no adverts


@pytest.mark.lab(spec=SIMPLE)
async def test_version_2_with_a_password(make_cluster: MakeCluster) -> None:
    async with listening(make_cluster(SIMPLE).node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        assert as_sent(heard.master()) == structs.replace(FROM_C, version=2, auth_type=1)
        assert PASSWORD not in repr(heard.adverts.tracker.advertisers()) + repr(heard.adverts.tracker.transitions())


@pytest.mark.lab(spec=DIGEST)
async def test_version_2_behind_an_authentication_header(make_cluster: MakeCluster) -> None:
    async with listening(make_cluster(DIGEST).node("node-a")) as heard:
        await heard.adverts.wait_for({50}, 40)
        assert as_sent(heard.master()) == structs.replace(FROM_C, version=2, auth_type=2, authentication_header=True)


@pytest.mark.parametrize("spec", [BOTH, SIMPLE, DIGEST], ids=["v3", "password", "authentication-header"])
def test_scapy_and_tcpdump_read_the_same(make_cluster: MakeCluster, spec: ClusterSpec, tmp_path: Path) -> None:
    pcap = tmp_path / "adverts.pcap"
    only = "ip proto 112 or ip proto 51 or ip6 proto 112"
    make_cluster(spec).node("node-b").exec(
        ["tcpdump", "-Z", "root", "-nni", "eth0", "-c", "6", "-w", str(pcap), only], check=True
    )
    text = subprocess.check_output(["tcpdump", "-nnvr", str(pcap)], text=True, stderr=subprocess.DEVNULL)
    printed = TCPDUMP_ADVERT.findall(text)
    mine = [decode(bytes(p.payload), received=0, interface="eth0", outgoing=False) for p in rdpcap(str(pcap))]
    assert len(mine) == len(printed) == 6
    for frame, advert, (version, vrid, priority, interval, cents, addresses) in zip(
        rdpcap(str(pcap)), mine, printed, strict=True
    ):
        assert advert is not None
        assert advert.error == ""
        assert (advert.version, advert.vrid, advert.priority) == (int(version), int(vrid), int(priority))
        assert advert.interval == int(interval) / (100 if cents else 1)
        assert advert.addresses == tuple(addresses.split(","))
        ip = frame[IPv6] if IPv6 in frame else frame[IP]
        layer = VRRPv3 if version == "3" else VRRP
        theirs = VRRP(bytes(ip[AH].payload)) if AH in ip else ip[layer]
        assert (advert.source, advert.destination) == (ip.src, ip.dst)
        assert (advert.vrid, advert.priority, advert.addresses) == (
            theirs.vrid,
            theirs.priority,
            tuple(theirs.addrlist),
        )
