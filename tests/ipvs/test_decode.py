from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.attributes import attributes
from kvtui.backend.ipvs.decode import DEST, SERVICE
from kvtui.backend.ipvs.errors import MalformedMessage
from kvtui.backend.ipvs.layout import Message
from kvtui.model.ipvs import ForwardingMethod, Protocol, RealServer, ServiceKey, Stats, VirtualServer
from tests.ipvs.messages import PAD, Attribute, Dest, encode, service_attributes, service_message, stats64

# Answers of Linux 6.1.176 (um, which pads 64-bit values) behind their netlink and generic netlink headers.
ECHO_8080_PERSISTENT = bytes.fromhex(
    "5401010006000100020000000600020006000000140003000a000001000000000000000000000000060004001f90000007000600727200000c"
    "00070003000000ffffffff080008003200000008000900ffffffff60000a000800010005000000080002000a000000080003000a0000000c00"
    "04007d0200000000000004000b000c000500ea05000000000000080006000000000008000700010000000800080001000000080009002100"
    "000008000a004f000000a0000c000c000100050000000000000004000b000c0002000a0000000000000004000b000c0003000a000000000000"
    "0004000b000c0004007d0200000000000004000b000c000500ea0500000000000004000b000c000600000000000000000004000b000c000700"
    "010000000000000004000b000c000800010000000000000004000b000c000900210000000000000004000b000c000a004f00000000000000"
)
ECHO_REAL_SERVER = bytes.fromhex(
    "7c010200140001000a090001000000000000000000000000060002001f9000000800030000000000080004000100000005000d000000000006"
    "000e000000000006000f00000000000800050000000000080006000000000008000700000000000800080005000000080009000100000006"
    "000b000200000064000a000800010005000000080002000a000000080003000a00000004000b000c0004007d0200000000000004000b000c00"
    "0500ea05000000000000080006000000000008000700010000000800080001000000080009002100000008000a004f000000a0000c000c0001"
    "00050000000000000004000b000c0002000a0000000000000004000b000c0003000a0000000000000004000b000c0004007d02000000000000"
    "04000b000c000500ea0500000000000004000b000c000600000000000000000004000b000c000700010000000000000004000b000c00080001"
    "0000000000000004000b000c000900210000000000000004000b000c000a004f00000000000000"
)
ECHO_STATS = Stats(5, 10, 10, 637, 1514, 0, 1, 1, 33, 79)

COUNTER = st.one_of(st.just(0), st.integers(0, 2**64 - 1))
COUNTERS = st.tuples(*[COUNTER] * 10)
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


def fresh(message: Message) -> Message:
    return Message(message.fields, message.stats64.kind, message.stats.kind)


def service(raw: bytes) -> VirtualServer:
    return decode.service(raw, 0, len(raw))


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


def test_the_second_message_of_a_kind_is_read_by_its_layout_not_by_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    message = fresh(DEST)
    first = message.read(ECHO_REAL_SERVER, 4, len(ECHO_REAL_SERVER))
    monkeypatch.setattr(Message, "walk", lambda *_: pytest.fail("walked"))
    assert message.read(ECHO_REAL_SERVER, 4, len(ECHO_REAL_SERVER)) == first


@pytest.mark.parametrize("padded", [False, True], ids=["as x86-64 aligns", "as um aligns"])
def test_each_kernel_s_layout_is_learnt_after_one_message(padded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    message = fresh(DEST)
    one = encode(Dest(padded=padded).attributes())
    two = encode(Dest(padded=padded, weight=7, port=443, counters=(2**63, *range(9))).attributes())
    message.read(one, 0, len(one))
    wanted = message.walk(two, 0, len(two))
    monkeypatch.setattr(Message, "walk", lambda *_: pytest.fail("walked"))
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
    except MalformedMessage as error:
        assert str(error)  # noqa: PT017 - some cuts leave a whole, shorter message
    else:
        # such a message lacks what old kernels do not send (the address family): then both ways lack it
        assert values == message.walk(raw[:end], 0, end)


@given(st.binary(max_size=200), st.booleans())
def test_noise_is_a_clear_error_or_nothing_else(noise: bytes, as_body: bool) -> None:
    raw = encode([(uapi.CMD_ATTR_DEST, noise)]) if as_body else noise
    with pytest.raises(MalformedMessage):
        dest(raw)
    raw = encode([(uapi.CMD_ATTR_SERVICE, noise)]) if as_body else noise
    with pytest.raises(MalformedMessage):
        service(raw)


@given(DESTS, st.data())
def test_one_changed_byte_gives_the_same_from_layout_and_walk(built: Dest, data: st.DataObject) -> None:
    raw = bytearray(encode(built.attributes()))
    message = fresh(DEST)
    message.read(bytes(raw), 0, len(raw))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        wanted = message.walk(raw, 0, len(raw))
    except MalformedMessage:
        with pytest.raises(MalformedMessage):
            message.read(raw, 0, len(raw))
    else:
        assert message.read(raw, 0, len(raw)) == wanted


def test_an_attribute_that_comes_twice_counts_as_the_kernel_s_own_parser_counts_it() -> None:
    twice = [*Dest(weight=1).attributes(), (uapi.DEST_ATTR_WEIGHT, struct.pack("=i", 9))]
    raw = encode([(uapi.CMD_ATTR_DEST, encode(twice))])
    assert [dest(raw).weight, dest(raw).weight] == [9, 9]


def test_64_bit_counters_win_over_the_32_bit_ones_beside_them() -> None:
    counters = (2**32 + 5, 2**40, 2**41, 2**50, 2**51, 1, 2, 3, 4, 5)
    assert dest(Dest(counters=counters).message()).stats == Stats(*counters)


def test_an_old_kernel_s_32_bit_counters_are_better_than_none() -> None:
    counters = (7, 2**32 - 1, 8, 2**40, 2**41, 1, 2, 3, 4, 5)
    old = Dest(counters=counters, wide=False, tunnel=None, family=None, address=bytes(15) + b"\1")
    got = dest(old.message(), family=6)
    assert got.stats == Stats(*counters)
    assert got.address == "::1"


def test_no_counters_at_all_are_none_not_zero() -> None:
    bare = [a for a in Dest().attributes() if a[0] not in (uapi.DEST_ATTR_STATS, uapi.DEST_ATTR_STATS64)]
    raw = encode([(uapi.CMD_ATTR_DEST, encode(bare))])
    assert [dest(raw).stats, dest(raw).stats] == [None, None]


@pytest.mark.parametrize("lost", range(1, 10))
def test_a_real_server_without_a_field_is_an_error_that_names_it(lost: int) -> None:
    names = {field.kind: field.name for field in DEST.fields}
    raw = encode([(uapi.CMD_ATTR_DEST, encode([a for a in Dest().attributes() if a[0] != lost]))])
    with pytest.raises(MalformedMessage, match=names[lost]):
        dest(raw)


def test_counters_that_are_not_ten_are_an_error() -> None:
    cut = encode([*[(n, bytes(8)) for n in range(1, 10)], PAD])
    bare = [a for a in Dest().attributes() if a[0] != uapi.DEST_ATTR_STATS64]
    raw = encode([(uapi.CMD_ATTR_DEST, encode([*bare, (uapi.DEST_ATTR_STATS64, cut)]))])
    with pytest.raises(MalformedMessage, match="STATS64 without counter 10"):
        dest(raw)


def test_a_field_of_another_size_is_an_error_that_names_it() -> None:
    wide = [(k, v + bytes(4)) if k == uapi.DEST_ATTR_WEIGHT else (k, v) for k, v in Dest().attributes()]
    with pytest.raises(MalformedMessage, match=r"WEIGHT.*8 bytes instead of 4"):
        dest(encode([(uapi.CMD_ATTR_DEST, encode(wide))]))


@pytest.mark.parametrize("method", [5, 6, 7])
def test_an_unknown_forwarding_method_is_not_guessed(method: int) -> None:
    with pytest.raises(MalformedMessage, match=f"forwarding method {method}"):
        dest(Dest(method=method).message())


def test_flags_beyond_the_forwarding_method_are_masked_out() -> None:
    assert dest(Dest(method=0x0103).message()).method is ForwardingMethod.DIRECT


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(
    ("built", "wanted"),
    [
        pytest.param(
            {"protocol": 17, "flags": 6, "scheduler": b"rr"},
            VirtualServer(Protocol.UDP, "10.0.0.1", 80, None, 4, "rr", ("hashed", "ops")),
            id="UDP one-packet",
        ),
        pytest.param(
            {"protocol": 132, "scheduler": b"none"},
            VirtualServer(Protocol.SCTP, "10.0.0.1", 80, None, 4, "none", ("hashed",)),
            id="SCTP without scheduler",
        ),
        pytest.param(
            {"protocol": 17, "flags": 7, "timeout": 60, "netmask": b"\xff\xff\xff\x00", "engine": b"sip"},
            VirtualServer(Protocol.UDP, "10.0.0.1", 80, None, 4, "wlc", ("hashed", "ops", "persistent"), 60, "sip", 24),
            id="persistence engine",
        ),
        pytest.param(
            {
                "af": 10,
                "address": bytes([0xFD, *bytes(14), 1]),
                "flags": 0x1B,
                "timeout": 600,
                "netmask": b"\x40\0\0\0",
            },
            VirtualServer(
                Protocol.TCP,
                "fd00::1",
                80,
                None,
                6,
                "wlc",
                ("hashed", "persistent", "sched-flag-1", "sched-flag-2"),
                600,
                None,
                64,
            ),
            id="IPv6 with a granularity",
        ),
        pytest.param(
            {"af": 10, "fwmark": 8, "flags": 0x23, "timeout": 50, "netmask": b"\x80\0\0\0"},
            VirtualServer(
                Protocol.FWMARK, None, None, 8, 6, "wlc", ("hashed", "persistent", "sched-flag-3"), 50, None, None
            ),
            id="fwmark",
        ),
        pytest.param(
            {"flags": 2, "timeout": 300, "netmask": b"\xff\xff\0\0"},
            VirtualServer(Protocol.TCP, "10.0.0.1", 80, None, 4, "wlc", ("hashed",)),
            id="what persistence would be is nothing while it is off",
        ),
    ],
)
def test_services(built: dict[str, object], wanted: VirtualServer, padded: bool) -> None:
    counters = (1, 2, 3, 4, 5, 6, 7, 8, 9, 2**40)
    raw = service_message(service_attributes(counters=counters, padded=padded, **built))  # type: ignore[arg-type]  # a table
    for _ in range(2):  # walked, then by its layout
        got = service(raw)
        assert got.stats == Stats(*counters)
        assert got == VirtualServer(**{**{f: getattr(wanted, f) for f in wanted.__slots__}, "stats": got.stats})


@given(st.data())
def test_services_too_are_the_same_from_layout_and_walk(data: st.DataObject) -> None:
    message = fresh(SERVICE)
    for _ in range(3):
        built = service_attributes(
            scheduler=data.draw(st.sampled_from([b"rr", b"wlc", b"none", b"sh"])),
            engine=data.draw(st.sampled_from([None, b"sip"])),
            fwmark=data.draw(st.sampled_from([None, 7])),
            counters=data.draw(COUNTERS),
            padded=data.draw(st.booleans()),
        )
        raw = encode(data.draw(st.permutations(built)) if data.draw(st.booleans()) else built)
        assert message.read(raw, 0, len(raw)) == message.walk(raw, 0, len(raw))


@pytest.mark.parametrize(
    ("built", "sentence"),
    [
        ({"protocol": 51}, "a service of protocol 51"),
        ({"af": 7}, "a service of address family 7"),
    ],
)
def test_a_service_that_cannot_be_is_an_error(built: dict[str, int], sentence: str) -> None:
    with pytest.raises(MalformedMessage, match=sentence):
        service(service_message(service_attributes(**built)))  # type: ignore[arg-type]  # a table of cases


def test_a_service_without_a_name_is_an_error() -> None:
    unnamed = [a for a in service_attributes() if a[0] != uapi.SVC_ATTR_PORT]
    with pytest.raises(MalformedMessage, match="neither FWMARK nor PROTOCOL, ADDR and PORT"):
        service(service_message(unnamed))


def test_an_unknown_attribute_before_the_service_is_skipped() -> None:
    raw = encode([(9, b"x")]) + service_message(service_attributes(port=443))
    assert service(raw).port == 443


def test_a_layout_is_not_used_for_a_message_that_differs_in_one_header() -> None:
    message = fresh(DEST)
    plain = Dest(tunnel=None).attributes()
    other = [(uapi.DEST_ATTR_TUN_TYPE, b"\2") if k == uapi.DEST_ATTR_ADDR_FAMILY else (k, v) for k, v in plain]
    raw = encode(
        [(uapi.DEST_ATTR_TUN_PORT, b"\x17\xc0") if k == uapi.DEST_ATTR_ADDR_FAMILY else (k, v) for k, v in plain]
    )
    assert len(encode(other)) == len(raw) == len(encode(plain))
    for one in (encode(plain), encode(other), raw):
        message.read(one, 0, len(one))
    assert message.read(encode(plain), 0, len(raw))[9:11] == (2, 0)
    assert message.read(encode(other), 0, len(raw))[9:11] == (None, 2)
    assert message.read(raw, 0, len(raw))[9:12] == (None, 0, struct.unpack("=H", b"\x17\xc0")[0])


@pytest.mark.parametrize(
    "key",
    [
        (Protocol.TCP, "10.0.0.1", 8080, 0),
        (Protocol.UDP, "fd00::1", 53, 0),
        (Protocol.SCTP, "10.0.0.1", 0, 0),
        (Protocol.FWMARK, "", 0, 7),
        (Protocol.FWMARK, "::", 0, 8),
    ],
)
def test_a_request_names_the_service_that_an_answer_has(key: ServiceKey) -> None:
    raw = decode.selector(key)
    kind, start, end = next(attributes(raw, 0, len(raw)))
    assert kind == uapi.CMD_ATTR_SERVICE
    named = [(k, raw[a:b]) for k, a, b in attributes(raw, start, end)]
    rest = [a for a in service_attributes() if a[0] > uapi.SVC_ATTR_FWMARK]
    assert service(service_message([*named, *rest])).key == key


def test_what_is_written_back_is_what_was_read_without_what_is_measured() -> None:
    built = Dest(method=2, weight=3, upper=9, lower=4, tunnel=(1, 6080, 1), counters=tuple(range(10)))
    raw = built.message()
    kept = decode.settable(raw, 0, len(raw))
    assert list(kept) == [1, 2, 3, 4, 13, 14, 15, 5, 6, 11]
    assert kept == {k: v for k, v in built.attributes() if k in kept}


def test_stats64_helper_pads_like_the_recorded_message() -> None:
    assert stats64([5, 10, 10, 637, 1514, 0, 1, 1, 33, 79], padded=True) == ECHO_REAL_SERVER[-156:]
