"""The BPF filter, run by a small interpreter: it passes the packets that the decoder understands and few others."""

from __future__ import annotations

import struct
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.adverts import filter as bpf
from kvtui.backend.adverts.decode import decode

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # scapy imports deprecated parts of cryptography
    from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
    from scapy.layers.ipsec import AH
    from scapy.layers.vrrp import VRRP, VRRPv3
    from scapy.packet import Raw

V4: dict[str, Any] = {"src": "10.4.0.3", "dst": "224.0.0.18", "ttl": 255}
V6: dict[str, Any] = {"src": "fe80::3", "dst": "ff02::12", "hlim": 255}
MESSAGE = Raw(bytes(VRRP(addrlist=["10.4.0.50"])))


def run(packet: bytes, *, protocol: int, tagged: bool = False) -> int:
    """Runs the program and returns its result; a load beyond the packet's end returns 0, as in the kernel."""
    steps = list(struct.iter_unpack("=HBBI", bpf.program()))
    ancillary = {bpf.PROTOCOL: protocol, bpf.VLAN_TAG: int(tagged)}
    a = x = at = 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == bpf.RETURN:
            return int(k)
        if code in (bpf.EQUAL, bpf.ANY_BIT):
            at += yes if (a == k if code == bpf.EQUAL else a & k) else no
        elif code == bpf.LOAD_WORD:
            a = ancillary[k]
        else:
            size = 2 if code == bpf.LOAD_HALF else 1
            start = k + (x if code == bpf.LOAD_BYTE_BEHIND else 0)
            loaded = packet[start : start + size]
            if len(loaded) < size:
                return 0
            if code == bpf.HEADER_LENGTH:
                x = 4 * (loaded[0] & 0x0F)
            else:
                a = int.from_bytes(loaded, "big")


def accepted(packet: bytes) -> bool:
    protocol = bpf.ETH_P_IPV6 if packet[:1] and packet[0] >> 4 == 6 else bpf.ETH_P_IP
    return run(packet, protocol=protocol) == bpf.MAX_PACKET_BYTES


WANTED = [
    IP(**V4) / VRRP(addrlist=["10.4.0.50"]),
    IP(**V4, options=[IPOption_Router_Alert()]) / VRRP(addrlist=["10.4.0.50"]),
    IP(**V4) / VRRPv3(addrlist=["10.4.0.50"]),
    IP(**V4, proto=51) / AH(nh=112, payloadlen=4, icv=bytes(12)) / MESSAGE,
    IP(**V4, proto=51, options=[IPOption_Router_Alert()]) / AH(nh=112, payloadlen=4, icv=bytes(12)) / MESSAGE,
    IPv6(**V6) / VRRPv3(addrlist=["fe80::50"]),
    IPv6(**V6, nh=51) / AH(nh=112, payloadlen=4, icv=bytes(12)) / MESSAGE,
    IPv6(**V6, nh=0) / IPv6ExtHdrHopByHop(nh=112) / MESSAGE,
    IPv6(**V6, nh=60) / IPv6ExtHdrDestOpt(nh=51) / AH(nh=112, payloadlen=4, icv=bytes(12)) / MESSAGE,
]
UNWANTED = [
    IP(**V4) / UDP(dport=112) / Raw(bytes(20)),
    IP(**V4) / TCP(dport=112),
    IP(**V4) / ICMP(),
    IP(**V4, proto=51) / AH(nh=6, payloadlen=4, icv=bytes(12)) / Raw(b"\x70" * 20),
    IP(**V4, flags="MF") / VRRP(addrlist=["10.4.0.50"]),
    IP(**V4, frag=9) / VRRP(addrlist=["10.4.0.50"]),
    IPv6(**V6) / UDP(dport=112) / Raw(b"\x70" * 20),
    IPv6(**V6, nh=44) / IPv6ExtHdrFragment(nh=112) / MESSAGE,
]


@pytest.mark.parametrize("packet", WANTED)
def test_adverts_pass(packet: Any) -> None:
    assert accepted(bytes(packet))
    assert decode(bytes(packet), received=0, interface="eth0", outgoing=False) is not None


@pytest.mark.parametrize("packet", UNWANTED)
def test_other_traffic_does_not_pass(packet: Any) -> None:
    assert not accepted(bytes(packet))
    assert decode(bytes(packet), received=0, interface="eth0", outgoing=False) is None


@pytest.mark.parametrize("packet", WANTED)
def test_tagged_adverts_and_other_protocols_with_the_same_bytes_do_not_pass(packet: Any) -> None:
    for protocol in (bpf.ETH_P_IP, bpf.ETH_P_IPV6):
        assert run(bytes(packet), protocol=protocol, tagged=True) == 0
    assert run(bytes(packet), protocol=0x8847) == 0


SECOND = 40
"""Offset of the next header in the first IPv6 extension header. The decoder follows several, the filter only one."""


@given(
    st.sampled_from([bytes(p) for p in WANTED]), st.integers(0, 47).filter(lambda at: at != SECOND), st.integers(0, 255)
)
def test_every_packet_that_the_decoder_understands_passes(packet: bytes, at: int, value: int) -> None:
    damaged = packet[:at] + bytes([value]) + packet[at + 1 :]
    if decode(damaged, received=0, interface="eth0", outgoing=False) is not None:
        assert accepted(damaged)
