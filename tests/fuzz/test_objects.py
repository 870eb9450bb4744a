"""Fuzzed objects of the Kubernetes API and of pyroute2: readers read them or raise an expected error."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.exceptions import NetlinkDecodeError
from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from kvtui.backend.kube import parse
from kvtui.backend.route.table import read_address, read_link
from tests.fuzz.packets import damaged
from tests.kube import objects

KINDS = {
    parse.configmap: objects.configmap({"10.4.0.50": "default/nginx:NAT"}),
    parse.service: objects.service("nginx", ports=((80, 8080), (81, "http"))),
    parse.slice_of: objects.endpointslice("nginx", objects.endpoint("10.0.0.1", "pod-1")),
    parse.endpoints: objects.endpoints("nginx", ("10.0.0.1",)),
    parse.pod: objects.pod("nginx-1"),
    parse.node: objects.node("n", "10.0.0.1"),
}
EXPECTED = (KeyError, TypeError, AttributeError, ValueError)
"""The errors for which the watcher skips an object (kvtui/backend/kube/watcher.py)."""
ODD: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.just([])
    | st.just({})
    | st.just([{}])
    | st.just([None])
)


@st.composite
def odd(draw: st.DrawFn, value: Any) -> Any:
    """Draws a JSON value with some parts missing or of another type."""
    if draw(st.integers(0, 9)) == 0:
        return draw(ODD)
    if isinstance(value, dict):
        return {key: draw(odd(inner)) for key, inner in value.items() if draw(st.integers(0, 9))}
    if isinstance(value, list):
        return [draw(odd(inner)) for inner in value]
    return value


@pytest.mark.parametrize("read", KINDS, ids=lambda read: read.__name__)
@given(data=st.data())
def test_an_object_of_the_api(read: Any, data: st.DataObject) -> None:
    obj = data.draw(odd(KINDS[read]))
    try:
        found = read(obj)
    except EXPECTED:
        return
    msgspec.json.encode(found)


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


LINK = (
    struct.pack("=BBHiII", 0, 0, 1, 2, 0x1043, 0) + attribute(3, b"eth0\0") + attribute(18, attribute(1, b"macvlan\0"))
)
ADDRESS = struct.pack("=BBBBI", 2, 24, 0x80, 0, 2) + attribute(1, bytes(4)) + attribute(2, b"\x0a\x04\0\x32")


@given(st.sampled_from((16, 17, 20, 21)), damaged(st.sampled_from((LINK, ADDRESS))))
def test_a_message_of_pyroute2(kind: int, body: bytes) -> None:
    try:
        messages = tuple(MarshalRtnl().parse(struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body))
    except (struct.error, ValueError, KeyError, NetlinkDecodeError):
        return  # pyroute2 refuses it; RouteMonitor then reads the table again
    for message in messages:
        if message["header"]["error"] is None and "index" in message:
            (read_link if kind < 20 else read_address)(message)
