"""Decoding of netlink messages about IPVS."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.decode import DEST
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.backend.ipvs.layout import MessageLayout
from kvtui.model.ipvs import ForwardingMethod, Protocol, RealServer, Stats, VirtualServer
from tests.ipvs.messages import PAD, Attribute, Dest, encode
from tests.ipvs.recorded import COUNTERS, ECHO_REAL_SERVER, fresh, service

# Answers of Linux 6.1.176 (um, which pads 64-bit values) without their netlink and generic netlink headers.
ECHO_8080_PERSISTENT = bytes.fromhex(
    "5401010006000100020000000600020006000000140003000a000001000000000000000000000000060004001f90000007000600727200000c"
    "00070003000000ffffffff080008003200000008000900ffffffff60000a000800010005000000080002000a000000080003000a0000000c00"
    "04007d0200000000000004000b000c000500ea05000000000000080006000000000008000700010000000800080001000000080009002100"
    "000008000a004f000000a0000c000c000100050000000000000004000b000c0002000a0000000000000004000b000c0003000a000000000000"
    "0004000b000c0004007d0200000000000004000b000c000500ea0500000000000004000b000c000600000000000000000004000b000c000700"
    "010000000000000004000b000c000800010000000000000004000b000c000900210000000000000004000b000c000a004f00000000000000"
)
ECHO_STATS = Stats(5, 10, 10, 637, 1514, 0, 1, 1, 33, 79)
U32 = st.integers(0, 2**32 - 1)
DESTS = st.builds(
    Dest,
    address=st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16),
    port=st.integers(0, 65535),
    method=st.integers(0, 4),
    weight=st.integers(0, 65535),
    upper=U32,
    lower=U32,
    active=U32,
    inactive=U32,
    persistent=U32,
    family=st.sampled_from([None, 2, 10]),
    tunnel=st.none() | st.tuples(st.integers(0, 2), st.integers(0, 65535), st.integers(0, 3)),
    counters=COUNTERS,
    wide=st.booleans(),
    padded=st.booleans(),
)
UNKNOWN = st.tuples(st.integers(20, 0x3FFF), st.binary(max_size=9))


def dest(raw: bytes, family: int = 4) -> RealServer:
    return decode.dest(raw, 0, len(raw), family)


def test_a_recorded_service() -> None:
    assert service(ECHO_8080_PERSISTENT) == VirtualServer(
        protocol=Protocol.TCP,
        address="10.0.0.1",
        port=8080,
        fwmark=None,
        family=4,
        scheduler="rr",
        flags=("hashed", "persistent"),
        persistence_timeout=50,
        stats=ECHO_STATS,
    )


def test_a_recorded_real_server() -> None:
    assert dest(ECHO_REAL_SERVER) == RealServer(
        address="10.9.0.1",
        port=8080,
        method=ForwardingMethod.MASQ,
        weight=1,
        active=0,
        inactive=5,
        persistent=1,
        upper_threshold=0,
        lower_threshold=0,
        stats=ECHO_STATS,
    )


def test_the_second_message_of_a_kind_is_read_by_its_layout_without_a_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    message = fresh(DEST)
    first = message.read(ECHO_REAL_SERVER, 4, len(ECHO_REAL_SERVER))
    monkeypatch.setattr(MessageLayout, "walk", lambda *_: pytest.fail("walked"))
    assert message.read(ECHO_REAL_SERVER, 4, len(ECHO_REAL_SERVER)) == first


@pytest.mark.parametrize("padded", [False, True], ids=["aligned as on x86-64", "aligned as on um"])
def test_a_kernel_s_layout_is_known_after_one_message(padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    message = fresh(DEST)
    one = encode(Dest(padded=padded).attributes())
    two = encode(Dest(padded=padded, weight=7, port=443, counters=(2**63, *range(9))).attributes())
    message.read(one, 0, len(one))
    wanted = message.walk(two, 0, len(two))
    monkeypatch.setattr(MessageLayout, "walk", lambda *_: pytest.fail("walked"))
    assert message.read(two, 0, len(two)) == wanted
    assert wanted[3] == 7
    assert wanted[13:] == (2**63, *range(9))


@given(DESTS, DESTS, st.randoms(use_true_random=False), st.lists(UNKNOWN, max_size=3))
def test_layout_and_walk_agree_on_any_order_of_attributes(
    one: Dest, two: Dest, random: object, unknown: list[Attribute]
) -> None:
    message = fresh(DEST)
    shuffled = [*one.attributes(), *unknown]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    order = {kind: place for place, (kind, _) in enumerate(shuffled)}
    again = sorted(two.attributes(), key=lambda attribute: order.get(attribute[0], 99))
    for raw in (encode(shuffled), encode(again), encode(shuffled), encode(again), encode(two.attributes())):
        assert message.read(raw, 0, len(raw)) == message.walk(raw, 0, len(raw))


@given(DESTS, st.integers(0, 3))
def test_a_real_server_is_decoded_exactly(built: Dest, times: int) -> None:
    for _ in range(times):
        dest(Dest(weight=3).message())
    six = built.family == 10 or (built.family is None and len(built.address) == 16)
    raw = built.address.ljust(16, b"\0")
    kind, port, flags = built.tunnel or (0, 0, 0)
    narrow = [c if built.wide or n in (3, 4) else c & 0xFFFFFFFF for n, c in enumerate(built.counters)]
    got = dest(built.message(), family=6 if six else 4)
    assert got == RealServer(
        address=socket.inet_ntop(socket.AF_INET6, raw) if six else socket.inet_ntop(socket.AF_INET, raw[:4]),
        port=built.port,
        method=uapi.FORWARDING_METHODS[built.method],
        weight=built.weight,
        active=built.active,
        inactive=built.inactive,
        persistent=built.persistent,
        upper_threshold=built.upper,
        lower_threshold=built.lower,
        stats=Stats(*narrow),
        tunnel_type=kind,
        tunnel_port=port,
        tunnel_flags=flags,
    )


@given(DESTS, st.data())
def test_a_truncated_real_server_is_a_clear_error(built: Dest, data: st.DataObject) -> None:
    raw = encode(built.attributes())
    end = data.draw(st.integers(0, len(raw) - 1))
    message = fresh(DEST)
    message.read(raw, 0, len(raw))
    try:
        values = message.read(raw[:end], 0, end)
    except MalformedMessageError as error:
        assert str(error)  # noqa: PT017 - some cuts leave a complete, shorter message
    else:
        # such a message may lack the address family, as on old kernels; then both ways lack it
        assert values == message.walk(raw[:end], 0, end)


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_a_malformed_message(noise: bytes, as_body: bool) -> None:
    raw = encode([(uapi.CMD_ATTR_DEST, noise)]) if as_body else noise
    with pytest.raises(MalformedMessageError):
        dest(raw)
    raw = encode([(uapi.CMD_ATTR_SERVICE, noise)]) if as_body else noise
    with pytest.raises(MalformedMessageError):
        service(raw)


@given(DESTS, st.data())
def test_layout_and_walk_agree_after_one_changed_byte(built: Dest, data: st.DataObject) -> None:
    raw = bytearray(encode(built.attributes()))
    message = fresh(DEST)
    message.read(bytes(raw), 0, len(raw))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        wanted = message.walk(raw, 0, len(raw))
    except MalformedMessageError:
        with pytest.raises(MalformedMessageError):
            message.read(raw, 0, len(raw))
    else:
        assert message.read(raw, 0, len(raw)) == wanted


def test_the_last_of_two_equal_attributes_wins_as_in_the_kernel_s_parser() -> None:
    twice = [*Dest(weight=1).attributes(), (uapi.DestAttr.WEIGHT, struct.pack("=i", 9))]
    raw = encode([(uapi.CMD_ATTR_DEST, encode(twice))])
    assert [dest(raw).weight, dest(raw).weight] == [9, 9]


def test_64_bit_counters_win_over_32_bit_counters() -> None:
    counters = (2**32 + 5, 2**40, 2**41, 2**50, 2**51, 1, 2, 3, 4, 5)
    assert dest(Dest(counters=counters).message()).stats == Stats(*counters)


def test_an_old_kernel_s_32_bit_counters_are_used() -> None:
    counters = (7, 2**32 - 1, 8, 2**40, 2**41, 1, 2, 3, 4, 5)
    old = Dest(counters=counters, wide=False, tunnel=None, family=None, address=bytes(15) + b"\1")
    got = dest(old.message(), family=6)
    assert got.stats == Stats(*counters)
    assert got.address == "::1"


def test_missing_counters_are_none_not_zero() -> None:
    bare = [a for a in Dest().attributes() if a[0] not in (uapi.DestAttr.STATS, uapi.DestAttr.STATS64)]
    raw = encode([(uapi.CMD_ATTR_DEST, encode(bare))])
    assert [dest(raw).stats, dest(raw).stats] == [None, None]


@pytest.mark.parametrize("lost", range(1, 10))
def test_a_real_server_without_a_field_is_an_error_that_names_it(lost: int) -> None:
    names = {int(field.kind): field.kind.name for field in DEST.fields}
    raw = encode([(uapi.CMD_ATTR_DEST, encode([a for a in Dest().attributes() if a[0] != lost]))])
    with pytest.raises(MalformedMessageError, match=names[lost]):
        dest(raw)


def test_a_missing_counter_is_an_error() -> None:
    cut = encode([*[(n, bytes(8)) for n in range(1, 10)], PAD])
    bare = [a for a in Dest().attributes() if a[0] != uapi.DestAttr.STATS64]
    raw = encode([(uapi.CMD_ATTR_DEST, encode([*bare, (uapi.DestAttr.STATS64, cut)]))])
    with pytest.raises(MalformedMessageError, match="STATS64 without counter 10"):
        dest(raw)


def test_a_field_of_another_size_is_an_error_that_names_it() -> None:
    wide = [(k, v + bytes(4)) if k == uapi.DestAttr.WEIGHT else (k, v) for k, v in Dest().attributes()]
    with pytest.raises(MalformedMessageError, match=r"WEIGHT.*8 bytes instead of 4"):
        dest(encode([(uapi.CMD_ATTR_DEST, encode(wide))]))


@pytest.mark.parametrize("method", [5, 6, 7])
def test_an_unknown_forwarding_method_is_not_guessed(method: int) -> None:
    with pytest.raises(MalformedMessageError, match=f"forwarding method {method}"):
        dest(Dest(method=method).message())


def test_flags_beyond_the_forwarding_method_are_masked_out() -> None:
    assert dest(Dest(method=0x0103).message()).method is ForwardingMethod.DIRECT
