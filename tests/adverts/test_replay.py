"""Replayed signed adverts: keepalived rejects them, so they make no node master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.adverts.tracker import AdvertTracker
from tests.adverts.signed import adverts, recorded

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advert


def fed(*sequence: Advert) -> AdvertTracker:
    tracker = AdvertTracker()
    for advert in sequence:
        tracker.record(advert)
    return tracker


def signed(at: float, *, signed_at: float | None = None, **changes: object) -> Advert:
    advert = adverts("v3")[0]
    assert advert.hmac is not None
    trailer = replace(advert.hmac, sequence=int((at if signed_at is None else signed_at) * 65536) << 16)
    return replace(advert, received=at, hmac=trailer, **changes)


def test_recorded_replays_are_counted_and_not_believed() -> None:
    # The recording has no genuine adverts between them; the first advert is the master's.
    tracker = fed(*(one.decoded() for one in recorded() if one.instance == "replayed" and not one.outgoing))
    (one,) = tracker.advertisers()
    assert (one.replayed, one.count) == (2, 2)  # the advert with an unknown scheme has the same sequence
    assert one.replayed_at is not None


def test_a_replay_does_not_revive_a_silent_master() -> None:
    old = signed(1000.0)
    tracker = fed(old, signed(1001.0), replace(old, received=1100.0))
    (one,) = tracker.advertisers()
    assert (one.last.received, one.replayed, one.replayed_at) == (1001.0, 1, 1100.0)
    assert one.silent(1101.0)


def test_the_first_replay_is_a_change() -> None:
    tracker = fed(signed(1000.0))
    again = replace(signed(1000.0), received=1000.5)
    assert [tracker.record(again), tracker.record(replace(again, received=1000.6))] == [True, False]


def test_copies_for_unicast_peers_are_not_replays() -> None:
    one, other = signed(1000.0, destination="10.9.0.2"), signed(1000.0, destination="10.9.0.3")
    assert [a.replayed for a in fed(one, other).advertisers()] == [0]


def test_own_adverts_are_not_replays() -> None:
    own = signed(1000.0, outgoing=True)
    assert [a.replayed for a in fed(own, own).advertisers()] == [0]


def test_a_sender_whose_clock_was_set_back_is_believed() -> None:
    tracker = fed(signed(1000.0, signed_at=9000.0), signed(1001.0))
    (one,) = tracker.advertisers()
    assert (one.last.received, one.replayed) == (1001.0, 0)
