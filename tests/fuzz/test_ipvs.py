"""Fuzzed netlink messages and procfs files of IPVS: readers raise their own errors and never hang."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.ipvs import decode, procfs, uapi
from kvtui.backend.ipvs.attributes import attributes
from kvtui.backend.ipvs.errors import MalformedMessageError
from kvtui.backend.ipvs.genl import MAX_ATTEMPTS, GenericNetlink
from tests.fuzz.packets import damaged
from tests.ipvs.messages import Dest, encode
from tests.ipvs.scripted import FAMILY, ScriptedKernel, answer, done, error, message

if TYPE_CHECKING:
    from kvtui.backend.ipvs.attributes import Buffer

DATAGRAMS = damaged(
    st.lists(
        st.sampled_from(
            (
                answer(1),
                answer(2) + answer(3),
                done(),
                done(-1),
                error(1),
                error(0),
                message(FAMILY, bytes(4) + Dest().message()),
                message(FAMILY, bytes(4) + encode([(uapi.CMD_ATTR_SERVICE, b"")])),
            )
        ),
        min_size=1,
        max_size=4,
    ).map(b"".join)
)
LINES = (
    "TCP  0A000001:0050 wlc  ",
    "TCP  [fd00:0000:0000:0000:0000:0000:0000:0001]:01BB sh persistent 60000 40000000",
    "FWM  00000007 rr ",
    "  -> 0A010001:0050      Masq    5      0          0         ",
    "  -> [fd01:0000:0000:0000:0000:0000:0000:0007]:0050      Tunnel  1      0          0         ",
)
CONNECTIONS = (
    b"TCP 0A000064 8A2E 0A000001 0050 0A010001 0050 ESTABLISHED     897\n",
    b"UDP fd00::64 8A2E fd00:0000:0000:0000:0000:0000:0000:0001 0035 fd01::1 0035 UDP         297 sip abc\n",
)
HEADING = (
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port\n"
)


def any_answer(buffer: Buffer, start: int, end: int) -> object:
    return decode.dest(buffer, start, end, 4)


@given(st.lists(DATAGRAMS, max_size=6), st.booleans())
def test_the_socket_answers_or_raises_one_of_its_errors(datagrams: list[bytes], uses_ask: bool) -> None:
    kernel = ScriptedKernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", lambda *_: kernel)
        with GenericNetlink("IPVS") as channel:
            kernel.replies = [datagrams, *([[]] * MAX_ATTEMPTS)]
            with suppress(MalformedMessageError, OSError):  # IpvsError and TimeoutError are OSErrors
                if uses_ask:
                    channel.ask(uapi.CMD_GET_SERVICE, b"")
                else:
                    channel.dump(uapi.CMD_GET_DEST, any_answer)
    assert len(kernel.requests) <= 1 + MAX_ATTEMPTS


@given(st.binary(max_size=400))
def test_attributes_of_noise_are_finite(noise: bytes) -> None:
    found: list[tuple[int, int, int]] = []
    with suppress(MalformedMessageError):
        found += attributes(noise, 0, len(noise))
    assert len(found) <= len(noise) // 4
    assert all(0 <= start <= end <= len(noise) for _, start, end in found)


@given(st.lists(damaged(st.sampled_from([line.encode() for line in LINES])), max_size=8))
def test_the_table_of_procfs(lines: list[bytes]) -> None:
    text = HEADING + "\n".join(line.decode("ascii", "replace") for line in lines)
    with suppress(MalformedMessageError):
        for virtual in procfs.parse_table(text, 100):
            assert virtual.family in {4, 6}


@given(damaged(st.sampled_from(CONNECTIONS)))
def test_a_connection_of_procfs(line: bytes) -> None:
    with suppress(MalformedMessageError):
        connection = procfs.parse_connection(line)
        assert len(connection.state) <= len(line)


@given(st.integers(0, 0xFFFFFFFF), st.binary(max_size=64))
def test_a_message_with_a_wrong_length(length: int, rest: bytes) -> None:
    raw = struct.pack("=IHHII", length, FAMILY, 2, 0x7EA5_7EA5, 0) + rest
    kernel = ScriptedKernel()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", lambda *_: kernel)
        with GenericNetlink("IPVS") as channel:
            kernel.replies = [[raw, done()], *([[]] * MAX_ATTEMPTS)]
            with suppress(MalformedMessageError, OSError):
                channel.dump(uapi.CMD_GET_DEST, any_answer)
