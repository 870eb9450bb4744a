"""Decoding of messages about virtual servers."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.ipvs import decode, uapi
from kvtui.backend.ipvs.attributes import attributes
from kvtui.backend.ipvs.decode import DEST, SERVICE
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.model.ipvs import Protocol, ServiceKey, Stats, VirtualServer
from tests.ipvs.messages import Dest, encode, service_attributes, service_message, stats64
from tests.ipvs.recorded import COUNTERS, ECHO_REAL_SERVER, fresh, service


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
            id="timeout and netmask without the persistent flag",
        ),
    ],
)
def test_services(built: dict[str, object], wanted: VirtualServer, padded: bool) -> None:
    counters = (1, 2, 3, 4, 5, 6, 7, 8, 9, 2**40)
    raw = service_message(service_attributes(counters=counters, padded=padded, **built))  # type: ignore[arg-type]  # a table
    for _ in range(2):  # by a walk, then by its layout
        got = service(raw)
        assert got.stats == Stats(*counters)
        assert got == VirtualServer(**{**{f: getattr(wanted, f) for f in wanted.__struct_fields__}, "stats": got.stats})


@given(st.data())
def test_layout_and_walk_agree_on_services(data: st.DataObject) -> None:
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
def test_an_impossible_service_is_an_error(built: dict[str, int], sentence: str) -> None:
    with pytest.raises(MalformedMessageError, match=sentence):
        service(service_message(service_attributes(**built)))  # type: ignore[arg-type]  # a table of cases


def test_a_service_without_a_name_is_an_error() -> None:
    unnamed = [a for a in service_attributes() if a[0] != uapi.ServiceAttr.PORT]
    with pytest.raises(MalformedMessageError, match="neither FWMARK nor PROTOCOL, ADDR and PORT"):
        service(service_message(unnamed))


def test_an_unknown_attribute_before_the_service_is_skipped() -> None:
    raw = encode([(9, b"x")]) + service_message(service_attributes(port=443))
    assert service(raw).port == 443


def test_a_layout_is_not_used_for_a_message_that_differs_in_one_header() -> None:
    message = fresh(DEST)
    plain = Dest(tunnel=None).attributes()
    other = [(uapi.DestAttr.TUN_TYPE, b"\2") if k == uapi.DestAttr.ADDR_FAMILY else (k, v) for k, v in plain]
    raw = encode(
        [(uapi.DestAttr.TUN_PORT, b"\x17\xc0") if k == uapi.DestAttr.ADDR_FAMILY else (k, v) for k, v in plain]
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
def test_a_request_names_a_service_as_an_answer_does(key: ServiceKey) -> None:
    raw = decode.selector(key)
    kind, start, end = next(attributes(raw, 0, len(raw)))
    assert kind == uapi.CMD_ATTR_SERVICE
    named = [(k, raw[a:b]) for k, a, b in attributes(raw, start, end)]
    rest = [a for a in service_attributes() if a[0] > uapi.ServiceAttr.FWMARK]
    assert service(service_message([*named, *rest])).key == key


def test_settings_are_written_back_unchanged_without_counters() -> None:
    built = Dest(method=2, weight=3, upper=9, lower=4, tunnel=(1, 6080, 1), counters=tuple(range(10)))
    raw = built.message()
    kept = decode.settable(raw, 0, len(raw))
    assert list(kept) == [1, 2, 3, 4, 13, 14, 15, 5, 6, 11]
    assert kept == {k: v for k, v in built.attributes() if k in kept}


def test_stats64_helper_pads_like_the_recorded_message() -> None:
    assert stats64([5, 10, 10, 637, 1514, 0, 1, 1, 33, 79], padded=True) == ECHO_REAL_SERVER[-156:]
