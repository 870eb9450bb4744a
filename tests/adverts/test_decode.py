"""scapy is the oracle: it builds the packets that kvtui decodes and computes their checksums."""

from __future__ import annotations

import struct
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.adverts.decode import WITH_GROUP_ADDRESS, WITHOUT_PSEUDO_HEADER, believable, decode
from kvtui.model.vrrp import AddressFamily, Advert, Advertiser

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy imports deprecated parts of cryptography
    from scapy.layers.inet import IP, IPOption_Router_Alert
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
    from scapy.layers.ipsec import AH
    from scapy.layers.vrrp import VRRP, VRRPv3
    from scapy.packet import Packet, Raw
    from scapy.utils import checksum

V4: dict[str, Any] = {"src": "10.4.0.3", "dst": "224.0.0.18", "ttl": 255}
V6: dict[str, Any] = {"src": "fe80::3", "dst": "ff02::12", "hlim": 255}
SECRET = b"hunter22"


def read(packet: Packet | bytes) -> Advert | None:
    return decode(bytes(packet), received=12.5, interface="eth0", outgoing=False)


def good(packet: Packet | bytes) -> Advert:
    advert = read(packet)
    assert advert is not None
    assert advert.error == ""
    assert advert.checksum_ok is True
    return advert


def bad(packet: Packet | bytes) -> Advert:
    advert = read(packet)
    assert advert is not None
    assert advert.error
    return advert


def v2(**fields: Any) -> Packet:
    usual: dict[str, Any] = {"vrid": 50, "priority": 101, "addrlist": ["10.4.0.50", "10.4.0.51"], "adv": 1}
    return VRRP(**usual | fields)


def v3(**fields: Any) -> Packet:
    usual: dict[str, Any] = {"vrid": 50, "priority": 101, "addrlist": ["10.4.0.50"], "adv": 100}
    return VRRPv3(**usual | fields)


def test_version_2() -> None:
    secret1, secret2 = struct.unpack("!II", SECRET)
    assert read(IP(**V4) / v2(authtype=1, auth1=secret1, auth2=secret2)) == Advert(
        received=12.5,
        interface="eth0",
        source="10.4.0.3",
        destination="224.0.0.18",
        outgoing=False,
        version=2,
        vrid=50,
        priority=101,
        interval=1.0,
        addresses=("10.4.0.50", "10.4.0.51"),
        auth_type=1,
        ttl=255,
        checksum_ok=True,
        authentication_header=False,
        error="",
    )


def test_version_3_over_ipv4() -> None:
    advert = good(IP(**V4) / v3(adv=4095))
    assert (advert.version, advert.interval, advert.auth_type) == (3, 40.95, None)
    assert advert.addresses == ("10.4.0.50",)


def test_version_3_over_ipv6() -> None:
    advert = good(IPv6(**V6) / v3(addrlist=["fe80::50", "fd00:10:4::50"], adv=3))
    assert (advert.source, advert.destination, advert.family) == ("fe80::3", "ff02::12", AddressFamily.V6)
    assert (advert.interval, advert.addresses) == (0.03, ("fe80::50", "fd00:10:4::50"))


@given(
    version=st.sampled_from((2, 3)),
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(0, 255),
    source=st.ip_addresses(v=4),
    addresses=st.lists(st.ip_addresses(v=4), max_size=20),
)
def test_kvtui_decodes_every_advert_that_scapy_builds(
    version: int, vrid: int, priority: int, interval: int, source: object, addresses: list[object]
) -> None:
    texts = [str(a) for a in addresses]
    build = v2 if version == 2 else v3
    ip = IP(src=str(source), dst="224.0.0.18", ttl=255)
    advert = good(ip / build(vrid=vrid, priority=priority, adv=interval, addrlist=texts))
    assert (advert.version, advert.vrid, advert.priority) == (version, vrid, priority)
    assert advert.interval == pytest.approx(interval if version == 2 else interval / 100)
    assert (advert.source, list(advert.addresses)) == (str(source), texts)


def test_an_advert_behind_an_authentication_header() -> None:
    header = AH(nh=112, payloadlen=4, spi=0x0A040003, seq=1, icv=b"\x5a" * 12)
    advert = good(IP(**V4, proto=51) / header / Raw(bytes(v2(authtype=2))))
    assert advert.authentication_header
    assert (advert.auth_type, advert.vrid, advert.addresses) == (2, 50, ("10.4.0.50", "10.4.0.51"))


def test_ip_options_are_skipped() -> None:
    assert good(IP(**V4, options=[IPOption_Router_Alert()]) / v2()).vrid == 50


def test_ipv6_extension_headers_are_skipped() -> None:
    # scapy computes VRRP's checksum only from the layer directly below. So take it from a packet without the headers.
    message = bytes(IPv6(**V6) / v3(addrlist=["fe80::50"]))[40:]
    packet = IPv6(**V6, nh=0) / IPv6ExtHdrHopByHop(nh=60) / IPv6ExtHdrDestOpt(nh=112) / Raw(message)
    assert good(packet).addresses == ("fe80::50",)


def test_padding_of_the_ethernet_frame_is_ignored() -> None:
    assert good(bytes(IP(**V4) / v3()) + b"\0" * 14).addresses == ("10.4.0.50",)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45" + b"\0" * 10,
        bytes(IP(**V4, proto=17) / Raw(b"x" * 20)),
        bytes(IP(**V4, proto=51) / AH(nh=50, payloadlen=4, icv=b"\0" * 12) / Raw(b"x" * 20)),
        bytes(IP(**V4, flags="MF") / v2()),
        bytes(IP(**V4, frag=3) / v2()),
        bytes(IPv6(**V6, nh=44) / IPv6ExtHdrFragment(nh=112) / Raw(b"x" * 20)),
        bytes(IPv6(**V6, nh=58) / Raw(b"x" * 20)),
    ],
)
def test_other_packets_and_fragments_are_not_adverts(packet: bytes) -> None:
    assert read(packet) is None


@pytest.mark.parametrize(
    "packet",
    [
        IP(**V4) / v2(chksum=0xBEEF),
        IP(**V4) / v3(chksum=0xBEEF),
        IPv6(**V6) / v3(addrlist=["fe80::50"], chksum=0xBEEF),
    ],
)
def test_a_wrong_checksum(packet: Packet) -> None:
    advert = bad(packet)
    assert (advert.error, advert.checksum_ok) == ("checksum 0xbeef is wrong", False)
    assert not believable(advert)


def test_a_v3_checksum_without_pseudo_header_is_recognised() -> None:
    plain = checksum(bytes(IP(**V4) / v3(chksum=0))[20:])
    advert = bad(IP(**V4) / v3(chksum=plain))
    assert (advert.error, advert.checksum_ok) == (WITHOUT_PSEUDO_HEADER, False)
    assert advert.addresses == ("10.4.0.50",)
    assert believable(advert)  # a cluster set to v3_checksum_as_v2 is a working cluster


def test_a_unicast_v3_checksum_over_the_multicast_group_is_recognised() -> None:
    old = IP(bytes(IP(**V4) / v3())).payload.chksum
    advert = bad(IP(src="10.4.0.3", dst="10.4.0.4", ttl=255) / v3(chksum=old))
    assert (advert.error, advert.checksum_ok) == (WITH_GROUP_ADDRESS, False)


def test_keepaliveds_version_2_over_ipv6_has_no_authentication_data() -> None:
    message = bytes([0x21, 50, 100, 1, 0, 1, 0, 0]) + bytes.fromhex("fe80" + "00" * 13 + "50")
    header = bytes(IPv6(**V6, nh=112, plen=len(message)))
    pseudo = header[8:40] + struct.pack("!II", len(message), 112)
    message = message[:6] + struct.pack("!H", checksum(pseudo + message)) + message[8:]
    assert good(header + message).addresses == ("fe80::50",)


def test_a_ttl_below_255_is_not_believable_on_the_lan_only() -> None:
    advert = good(IP(**V4 | {"ttl": 254}) / v3())
    assert advert.ttl == 254
    assert not believable(advert)
    assert believable(good(IP(src="10.4.0.3", dst="10.9.0.4", ttl=62) / v3()))
    assert not believable(good(IPv6(**V6 | {"hlim": 1}) / v3(addrlist=["fe80::50"])))


def test_a_wrong_address_count_yields_no_addresses() -> None:
    secret1, secret2 = struct.unpack("!II", SECRET)
    advert = bad(IP(**V4) / v2(ipcount=4, authtype=1, auth1=secret1, auth2=secret2))
    assert advert.error == "24 bytes long, but 32 are needed for the 4 addresses it announces"
    assert advert.addresses == ()
    assert advert.checksum_ok is None


def test_a_packet_that_was_cut_off() -> None:
    packet = bytes(IP(**V4) / v2())
    assert bad(packet[:-5]).error == "truncated: 5 bytes are missing"
    assert bad(packet[:22]).vrid == 50


def test_a_message_shorter_than_a_header() -> None:
    advert = bad(IP(**V4, proto=112) / Raw(b"\x31\x32\x64"))
    assert (advert.error, advert.vrid, advert.priority) == ("only 3 bytes long, a VRRP header has 8", 50, 100)


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (IP(**V4) / v2(version=4), "unknown VRRP version 4"),
        (IP(**V4) / v2(type=2), "type 2 is not an advertisement (1)"),
        (IP(**V4) / v2(vrid=0), "VRID 0 is not valid"),
        (IP(**V4, proto=112) / Raw(b"\x21\x05\x00\x07\x00\x01" + b"\xaa" * 30), "this is CARP"),
    ],
)
def test_other_malformations(packet: Packet, error: str) -> None:
    assert bad(packet).error.startswith(error)


@given(st.binary(max_size=120))
def test_arbitrary_bytes_never_raise(noise: bytes) -> None:
    read(noise)


SEEDS = [
    bytes(IP(**V4) / v2(authtype=1)),
    bytes(IP(**V4, proto=51) / AH(nh=112, payloadlen=4, icv=b"\0" * 12) / Raw(bytes(v2()))),
    bytes(IPv6(**V6) / v3(addrlist=["fe80::50"])),
    bytes(IPv6(**V6, nh=0) / IPv6ExtHdrHopByHop(nh=112) / Raw(bytes(24))),
]


@given(st.sampled_from(SEEDS), st.data())
def test_damaged_adverts_never_raise(seed: bytes, data: st.DataObject) -> None:
    packet = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(packet[: data.draw(st.integers(0, len(packet)))]))


@given(st.binary(min_size=8, max_size=8), st.integers(0, 255), st.integers(0, 8))
def test_authentication_data_is_not_kept(secret: bytes, kind: int, count: int) -> None:
    """Adverts with and without a secret decode to equal values, with every address count."""
    secret1, secret2 = struct.unpack("!II", secret)
    with_secret = read(IP(**V4) / v2(ipcount=count, authtype=kind, auth1=secret1, auth2=secret2))
    without = read(IP(**V4) / v2(ipcount=count, authtype=kind, auth1=0, auth2=0))
    assert with_secret == without


def carp(vhid: int, advskew: int, advbase: int = 1) -> bytes:
    """Returns a CARP advertisement (FreeBSD's netinet/ip_carp.h): header, counter and digest."""
    return struct.pack("!BBBBBBH", 0x21, vhid, advskew, 7, 0, advbase, 0) + bytes(8) + bytes(20)


@pytest.mark.parametrize("ip", [IP(**V4, proto=112), IPv6(**V6, nh=112)])
@pytest.mark.parametrize("advskew", [0, 100, 254])
def test_carp_is_not_vrrp_and_its_master_has_not_stepped_down(ip: Packet, advskew: int) -> None:
    advert = bad(ip / Raw(carp(50, advskew)))
    assert (advert.carp, advert.vrid, advert.interval, advert.addresses) == (True, 50, 1.0, ())
    assert "CARP" in advert.error
    assert not believable(advert)
    assert not Advertiser(advert, 0.0, 1).stepped_down
