"""Findings from the adverts of other nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Severity
from tests.kit import NODES, NOW, VIP, advertiser, instance, keepalived
from tests.triage.case import backup, conf, master, only, suspected

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.vrrp import Advertiser


def heard(node: int = 2, *, count: int = 100, bad: int = 0, **advert: Any) -> Advertiser:
    """Returns node number ``node``, its advert changed."""
    known = advertiser(node)
    return replace(known, last=replace(known.last, **advert), count=count, bad=bad)


def unicast(*peers: str) -> Conf:
    base = conf()
    return replace(base, instances=(replace(base.instances[0], unicast_peers=peers),))


def test_another_router_with_our_vrid() -> None:
    found = only(backup(advertisers=(heard(addresses=("192.0.2.9",)),)))

    assert (found.id, found.severity) == ("vrid-collision", Severity.CRITICAL)
    assert found.title == "10.4.0.5 uses VRID 50 on eth0 for other addresses"
    assert found.evidence[1:3] == ("its addresses: 192.0.2.9 (adverts)", f"those of vips here: {VIP}")


def test_different_lists_of_vips_are_reported_with_the_difference() -> None:
    found = only(backup(advertisers=(heard(addresses=(VIP, "10.4.0.51")),)))

    assert (found.id, found.severity, found.vips) == ("vip-lists-differ", Severity.CRITICAL, ("10.4.0.51",))
    assert found.evidence[1] == "only there: 10.4.0.51"


@pytest.mark.parametrize(
    ("version", "start"),
    [
        ("2.2.7", "each rejects the other's adverts, so both become master"),
        ("2.3.3", "keepalived 2.3.3 accepts such adverts: one node stays master"),
        ("2.2.8", "keepalived 2.2.7 rejects such adverts, so both become master; 2.3.3 accepts such adverts"),
        (None, "keepalived 2.2.7 rejects such adverts"),
    ],
)
def test_the_effect_of_different_lists_depends_on_the_version(version: str | None, start: str) -> None:
    found = only(backup(advertisers=(heard(addresses=(VIP, "10.4.0.51")),), keepalived=(keepalived(version=version),)))

    assert found.evidence[2].startswith(start)


def test_the_order_of_addresses_does_not_matter() -> None:
    two = instance(vips=(instance().vips[0], replace(instance().vips[0], address="10.4.0.51")))

    assert "vip-lists-differ" not in suspected(
        backup(instances=(two,), advertisers=(heard(addresses=("10.4.0.51", VIP)),))
    )


def test_a_silent_node_is_not_compared() -> None:
    assert suspected(backup(advertisers=(advertiser(2), heard(1, addresses=("192.0.2.9",), received=1.0)))) == {}


def test_another_version() -> None:
    found = only(backup(advertisers=(heard(version=2, auth_type=0),)))

    assert (found.id, found.severity) == ("vrrp-version-differs", Severity.CRITICAL)


@pytest.mark.parametrize(
    ("ours", "theirs", "header", "differs"),
    [
        (None, 0, False, False),
        ("PASS", 1, False, False),
        ("AH", 2, True, False),
        (None, 1, False, True),
        ("PASS", 0, False, True),
        ("PASS", 2, True, True),
    ],
)
def test_another_authentication(ours: str | None, theirs: int, header: bool, differs: bool) -> None:
    second = instance(version=2, auth_type=ours)
    peer = heard(version=2, auth_type=theirs, authentication_header=header)

    assert ("vrrp-auth-differs" in suspected(backup(instances=(second,), advertisers=(peer,)))) is differs


def test_another_interval_is_worse_in_version_2() -> None:
    third = only(backup(advertisers=(heard(interval=2.0),)))
    second = suspected(
        backup(instances=(instance(version=2),), advertisers=(heard(interval=2.0, version=2, auth_type=0),))
    )

    assert (third.id, third.severity) == ("advert-interval-differs", Severity.WARNING)
    assert second["advert-interval-differs"].severity is Severity.CRITICAL


def test_bad_adverts_are_reported_with_their_error() -> None:
    noisy = heard(bad=7, error="checksum 0x1234 is wrong", checksum_ok=False)
    found = only(backup(advertisers=(noisy,)))

    assert (found.id, found.severity) == ("bad-adverts", Severity.WARNING)
    assert found.evidence[0] == "7 of 100 adverts were bad: checksum 0x1234 is wrong (adverts)"


def test_one_bad_advert_is_not_reported() -> None:
    assert suspected(backup(advertisers=(heard(bad=1),))) == {}
    assert suspected(backup(advertisers=(replace(heard(bad=7), bad_at=NOW - 120),))) == {}  # it has been fixed


def test_a_unicast_peer_that_is_not_ours() -> None:
    peers = unicast(NODES[1])
    found = only(backup(conf=peers, running=peers, advertisers=(heard(destination=NODES[0]),)))

    assert (found.id, found.severity) == ("unicast-peers-wrong", Severity.CRITICAL)
    assert found.title == "10.4.0.5 is not a unicast_peer in vips: it does not hear this node"


def test_a_unicast_peer_of_ours() -> None:
    peers = unicast(NODES[1], NODES[2])

    assert suspected(backup(conf=peers, running=peers, advertisers=(heard(destination=NODES[0]),))) == {}


def test_unicast_to_a_node_that_multicasts() -> None:
    assert only(backup(advertisers=(heard(destination=NODES[0]),))).id == "unicast-peers-wrong"


def test_multicast_to_a_node_that_unicasts() -> None:
    peers = unicast(NODES[1], NODES[2])

    assert only(backup(conf=peers, running=peers)).title == "10.4.0.5 multicasts in vips: it does not hear this node"


def test_the_masters_own_adverts_are_not_reported() -> None:
    peers = unicast(NODES[1], NODES[2])

    assert suspected(master(conf=peers, running=peers)) == {}
