"""Foreign senders that use a master's VRID, and splits of two nodes: triage names the cause on each side."""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.lab.rogue import advert_v2, sending
from tests.lab.spec import NGINX, ClusterSpec
from tests.lab.watching import watching

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lab.cluster import Cluster

    MakeCluster = Callable[[ClusterSpec], Cluster]

QUIET = ClusterSpec(services=(NGINX,), requests_per_second=0, advert_int=1)
SECRET = "authentication {\n auth_type PASS\n auth_pass lab1\n }"  # noqa: S105 - of the test
WITH_PASSWORD = replace(QUIET, vrrp_version=2, extra_instance=SECRET)
CARP = bytes([0x21, QUIET.vrid, 0, 7, 0, 1, 0, 0]) + bytes(28)
"""A CARP packet (FreeBSD's netinet/ip_carp.h) whose vhid is the cluster's VRID."""


def with_bytes(message: bytes, at: int, new: bytes) -> bytes:
    """Returns the advert with new bytes at this offset and a valid checksum."""
    message = message[:at] + new + message[at + len(new) :]
    bare = message[:6] + b"\0\0" + message[8:]
    total = sum(struct.unpack(f"!{len(bare) // 2}H", bare))
    total = (total >> 16) + (total & 0xFFFF)
    return bare[:6] + struct.pack("!H", ((total >> 16) + total & 0xFFFF) ^ 0xFFFF) + bare[8:]


NO_PASSWORD, OTHER_PASSWORD = advert_v2(QUIET.vrid, 90), advert_v2(QUIET.vrid, 90, b"other")
FOREIGN_SENDERS = {
    "carp-sender": (QUIET, CARP),
    "vrrp-version-differs": (QUIET, NO_PASSWORD),
    "vrid-collision": (QUIET, with_bytes(NO_PASSWORD, 8, socket.inet_aton("10.4.0.99"))),
    "vrrp-auth-differs": (WITH_PASSWORD, NO_PASSWORD),
    "adverts-rejected": (WITH_PASSWORD, OTHER_PASSWORD),
    "advert-interval-differs": (WITH_PASSWORD, with_bytes(advert_v2(QUIET.vrid, 90, b"lab1"), 5, b"\3")),
    "bad-adverts": (WITH_PASSWORD, advert_v2(QUIET.vrid, 90, b"lab1")[:6] + b"\1\2" + OTHER_PASSWORD[8:]),
}


@pytest.mark.long
@pytest.mark.lab(timeout=900)
@pytest.mark.parametrize("spec", [QUIET, WITH_PASSWORD], ids=["version 3", "version 2 with a password"])
async def test_each_foreign_sender_is_reported_with_its_cause(make_cluster: MakeCluster, spec: ClusterSpec) -> None:
    cluster = make_cluster(spec)
    master = cluster.master()
    backup = next(n for n in cluster.nodes if n is not master)
    for netns in (cluster.network.client, backup.netns):  # also from a peer's own address
        for name, (where, message) in FOREIGN_SENDERS.items():
            if where == spec:
                async with watching(master) as watch:
                    with sending(netns, message, interval=0.7):
                        await watch.until(name)
                cluster.wait_settled()  # rejected adverts may silence a master for some time


@pytest.mark.long
@pytest.mark.lab(timeout=900)
@pytest.mark.parametrize(
    ("spec", "edit", "ids"),
    [
        (QUIET, ("virtual_ipaddress {", "virtual_ipaddress {\n10.4.0.77"), ("two-masters", "vip-lists-differ")),
        (WITH_PASSWORD, ("lab1", "lab2"), ("two-masters", "adverts-rejected")),
        (QUIET, ("vrrp_version 3", "vrrp_version 2"), ("two-masters", "vrrp-version-differs")),
    ],
    ids=["VIPs", "password", "version"],
)
async def test_both_sides_of_a_split_name_the_cause(
    make_cluster: MakeCluster, spec: ClusterSpec, edit: tuple[str, str], ids: tuple[str, ...]
) -> None:
    """One node has another value. It and the second master report the difference until the value is right again."""
    cluster = make_cluster(spec)
    odd = cluster.master()
    if odd.version.text == "2.3.3" and "vip-lists-differ" in ids:
        ids = ("vip-lists-differ",)  # 2.3.3 accepts other VIPs, so no split occurs
    text = odd.conf_path.read_text()
    odd.reload(text.replace(*edit))
    other = next(n for n in cluster.nodes if n.name == "node-b")  # the second best
    async with watching(odd) as here, watching(other) as there:
        await asyncio.gather(here.until(*ids), there.until(*ids))
        odd.reload(text)
        await asyncio.gather(here.until_no_findings(), there.until_no_findings())
