"""Hostile and valid packets in decoder, tracker and rules: none raises an error or makes memory grow without limit."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from kvtui.backend.adverts.capture import RecentPackets
from kvtui.backend.adverts.decode import CHECKSUM_VARIANTS, believable, decode
from kvtui.backend.adverts.tracker import MAX_ADVERTISERS, MAX_TRANSITIONS, AdvertTracker
from kvtui.rules.vrrp.claims import claimants, stable_master
from tests.adverts.signed import recorded
from tests.fuzz.packets import Built, built, damaged

if TYPE_CHECKING:
    from collections.abc import Iterable

SEEDS = [one.packet for one in recorded()]
PACKETS = damaged(st.sampled_from(SEEDS) | built().map(Built.packet))
PRINTED = set(string.printable) - set("\t\n\r\x0b\x0c")
HUGE, MAX_ERROR_CHARACTERS = 8192, 200


@given(built())
def test_a_decoded_advert_equals_the_built_one(one: Built) -> None:
    advert = decode(one.packet(), received=1.0, interface="eth0", outgoing=False)
    assert advert is not None
    assert (advert.vrid, advert.priority, advert.version) == (one.vrid, one.priority, one.version)
    assert (advert.source, advert.destination, advert.ttl) == (one.source, one.destination, one.ttl)
    if advert.carp:  # a version 2 advert cannot have CARP's length
        raise AssertionError(one)
    assert (advert.error, advert.addresses) == ("", one.addresses)
    assert advert.interval == (one.interval / 100 if one.version == 3 else one.interval)
    assert advert.authentication_header == one.ah
    trailer = advert.hmac
    assert one.trailer == (trailer and (trailer.scheme, trailer.key_id, trailer.reserved, trailer.sequence))


@given(PACKETS)
@example(b"")
@example(b"\x45" + bytes(HUGE))
@example(b"\x60" + bytes(HUGE))
@example(b"\x4f" + b"\xff" * HUGE)
def test_no_packet_raises_or_gives_a_long_error(packet: bytes) -> None:
    advert = decode(packet, received=1.0, interface="eth0", outgoing=False)
    if advert is None:
        return
    assert len(advert.addresses) <= 255
    assert len(advert.error) <= MAX_ERROR_CHARACTERS
    assert set(advert.error + advert.source + advert.destination) <= PRINTED
    assert not believable(advert) or advert.error in {"", *CHECKSUM_VARIANTS}


PLAIN = Built(
    six=False,
    version=3,
    vrid=50,
    priority=100,
    interval=100,
    source="10.9.0.1",
    destination="224.0.0.18",
    ttl=255,
    addresses=("10.9.0.50",),
    trailer=None,
    ah=False,
    padding=0,
)


def feed(tracker: AdvertTracker, packets: Iterable[tuple[bytes, float, bool, str]]) -> float:
    now = 1_800_000_000.0
    for packet, wait, outgoing, interface in packets:
        now += wait
        due = tracker.next_silence()
        if due is not None and due <= now:
            tracker.check_silence(now)
        advert = decode(packet, received=now, interface=interface, outgoing=outgoing)
        if advert is not None:
            tracker.record(advert)
    return now


@given(
    st.lists(
        st.tuples(
            PACKETS, st.sampled_from((0.0, 0.001, 1.0, 3.7, 400.0)), st.booleans(), st.sampled_from(("eth0", "br0"))
        ),
        max_size=40,
    )
)
def test_the_tracker_accepts_every_sequence(packets: list[tuple[bytes, float, bool, str]]) -> None:
    tracker = AdvertTracker()
    now = feed(tracker, packets)
    known = tracker.advertisers()
    assert len(known) <= len(packets)
    for one in known:
        assert one.count + one.replayed <= len(packets)
        assert 0 <= one.bad <= one.count
        assert one.since is not None
        assert one.since <= one.last.received <= now
    masters = claimants(known, now)
    assert all(m.believed and not m.stepped_down for m in masters)
    assert stable_master(known, now) in {None, *masters}
    assert not tracker.check_silence(now) or tracker.transitions()


def test_memory_for_senders_is_limited() -> None:
    tracker, recent, first = AdvertTracker(), RecentPackets(), b""
    for number in range(3 * MAX_ADVERTISERS):
        source = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        one = replace(PLAIN, vrid=1 + number % 255, source=source)
        first = first or one.packet()
        advert = decode(one.packet(), received=float(number), interface="eth0", outgoing=False)
        assert advert is not None
        tracker.record(advert)
        recent.add(one.packet(), float(number), "eth0", outgoing=False)
    assert len(tracker.advertisers()) == MAX_ADVERTISERS
    assert len(tracker.transitions()) <= MAX_TRANSITIONS
    assert recent.add(one.packet(), float(number), "eth0", outgoing=False).repeated
    assert recent.add(first, 0.0, "eth0", outgoing=False).first, "the oldest packets are forgotten"
