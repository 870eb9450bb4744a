"""Signed adverts of keepalived 2.4 are valid and have the key id and the time of their signature."""

from __future__ import annotations

import pytest

from kvtui.backend.adverts.decode import believable, decode
from kvtui.model.vrrp import Advert, HmacTrailer
from tests.adverts.signed import adverts, recorded

HMAC_BYTES, TRAILER_BYTES = 16, 28


def cut(packet: bytes, length: int) -> bytes:
    """Returns the IPv4 packet with another length, also in its header."""
    return (packet[:2] + length.to_bytes(2, "big") + packet[4:]).ljust(length, b"\0")[:length]


def read(packet: bytes) -> Advert:
    advert = decode(packet, received=0.0, interface="eth0", outgoing=False)
    assert advert is not None
    return advert


def test_all_recorded_adverts_are_valid() -> None:
    for one in recorded():
        advert = one.decoded()
        assert (advert.error, advert.checksum_ok, believable(advert)) == ("", True, True), one


@pytest.mark.parametrize(
    ("instance", "version", "vips", "key_id"),
    [
        ("v3", 3, ("10.9.0.51",), 1),
        ("v2", 2, ("10.9.0.52", "10.9.1.52"), 1),
        ("v3six", 3, ("fd00:9::53",), 1),
        ("v2six", 2, ("fd00:9::54",), 1),
        ("keys", 3, ("10.9.0.55",), 2),
        ("file", 3, ("10.9.0.56",), 200),
        ("unknown", 3, ("10.9.0.58",), 9),
        ("unicast", 3, ("10.9.0.61",), 1),
    ],
)
def test_addresses_and_key_of_a_signed_advert(instance: str, version: int, vips: tuple[str, ...], key_id: int) -> None:
    advert = adverts(instance)[0]
    assert (advert.version, advert.priority, advert.interval, advert.addresses) == (version, 110, 1.0, vips)
    assert advert.hmac is not None
    assert (advert.hmac.scheme, advert.hmac.key_id, advert.hmac.malformed) == (1, key_id, False)
    assert abs(advert.received - advert.hmac.signed_at) < 1


@pytest.mark.parametrize(("instance", "outgoing"), [("missing", False), ("rollout", False), ("old", True)])
def test_an_unsigned_advert_has_no_trailer(instance: str, outgoing: bool) -> None:
    assert [a.hmac for a in adverts(instance, outgoing=outgoing)] == [None]


def test_a_replayed_advert_has_the_same_sequence_and_an_old_time() -> None:
    trailers = [a.hmac for a in adverts("replayed") if a.hmac and not a.hmac.malformed]
    assert len(trailers) == 3
    assert trailers[1].sequence == trailers[2].sequence
    last = adverts("replayed")[-1]
    assert last.hmac is not None
    assert 9 < last.received - last.hmac.signed_at < 12


def test_a_trailer_of_an_unknown_scheme_is_malformed() -> None:
    assert [a.hmac.scheme for a in adverts("replayed") if a.hmac and a.hmac.malformed] == [7]
    assert HmacTrailer(1, 1, 0, reserved=1).malformed


@pytest.mark.parametrize("instance", ["v3", "v2"])
@pytest.mark.parametrize("length", [*range(1, TRAILER_BYTES), TRAILER_BYTES + 1, TRAILER_BYTES * 2])
def test_a_trailer_of_another_length_is_not_a_trailer(instance: str, length: int) -> None:
    packet = next(r.packet for r in recorded() if r.instance == instance)
    advert = read(cut(packet, len(packet) - TRAILER_BYTES + length))
    assert (advert.hmac, advert.addresses) == (None, ())
    assert "are needed for the" in advert.error


@pytest.mark.parametrize("instance", ["v3", "v2"])
def test_without_its_trailer_the_checksum_still_holds(instance: str) -> None:
    packet = next(r.packet for r in recorded() if r.instance == instance)
    advert = read(cut(packet, len(packet) - TRAILER_BYTES))
    assert (advert.error, advert.hmac) == ("", None)


def test_the_checksum_covers_the_trailer_over_ipv6_only() -> None:
    for instance, error in (("v3", ""), ("v2", ""), ("v3six", "checksum"), ("v2six", "checksum")):
        packet = next(r.packet for r in recorded() if r.instance == instance)
        broken = packet[:-HMAC_BYTES] + bytes(HMAC_BYTES)
        assert read(broken).error.startswith(error), instance
        assert bool(read(broken).error) == bool(error), instance
