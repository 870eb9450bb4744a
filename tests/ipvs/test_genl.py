"""The socket against a scripted kernel, for what a real one does too seldom to wait for (that is in tests/lab)."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.ipvs import genl
from kvtui.backend.ipvs.errors import IpvsError, MalformedMessageError
from kvtui.backend.ipvs.genl import GenericNetlink
from tests.ipvs.messages import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.backend.ipvs.attributes import Buffer

FAMILY = 28
MULTI = 2
Reply = list[bytes]
THE_REQUEST_S = 0x7EA5_7EA5  # stands for the sequence number of the request


def message(kind: int, payload: bytes, *, flags: int = MULTI, sequence: int = THE_REQUEST_S) -> bytes:
    raw = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload
    return raw + bytes(-len(raw) % 4)


def answer(value: int, *, flags: int = MULTI, sequence: int = THE_REQUEST_S) -> bytes:
    return message(FAMILY, bytes(4) + encode([(1, bytes([value]))]), flags=flags, sequence=sequence)


def done(code: int = 0) -> bytes:
    return message(genl.NLMSG_DONE, struct.pack("=i", code))


def error(number: int) -> bytes:
    return message(genl.NLMSG_ERROR, struct.pack("=i", -number) + bytes(16), flags=0)


def value(buffer: Buffer, start: int, _end: int) -> int:
    return buffer[start + 4]


class ScriptedKernel:
    """Answers each request with the next of the prepared replies, a reply being the datagrams in order."""

    def __init__(self) -> None:
        self.replies: list[Reply] = [[self.controller(b"IPVS", FAMILY) + self.controller(b"nlctrl", 16), done()]]
        self.requests: list[bytes] = []
        self.closed = 0
        self._waiting: list[bytes] = []

    @staticmethod
    def controller(name: bytes, number: int) -> bytes:
        return message(16, struct.pack("=BBH", 1, 2, 0) + encode([(2, name + b"\0"), (1, struct.pack("=H", number))]))

    def send(self, request: bytes) -> None:
        self.requests.append(request)
        sequence = request[8:12]
        for datagram in self.replies.pop(0):
            self._waiting.append(datagram.replace(struct.pack("=I", THE_REQUEST_S), sequence))

    def recv_into(self, buffer: bytearray, _size: int, _flags: int) -> int:
        if not self._waiting:
            raise BlockingIOError(errno.EAGAIN, "nothing came")
        datagram = self._waiting.pop(0)
        buffer[: min(len(datagram), len(buffer))] = datagram[: len(buffer)]
        return len(datagram)

    def close(self) -> None:
        self.closed += 1

    def setsockopt(self, *_: object) -> None: ...
    def bind(self, _: object) -> None: ...
    def connect(self, _: object) -> None: ...


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> ScriptedKernel:
    scripted = ScriptedKernel()
    monkeypatch.setattr(socket, "socket", lambda *_: scripted)
    return scripted


@pytest.fixture
def channel(kernel: ScriptedKernel) -> Iterator[GenericNetlink]:
    with GenericNetlink("IPVS") as opened:
        yield opened
    assert kernel.closed == 1
    assert not kernel.replies, "a prepared reply was not asked for"


def test_the_family_is_found_in_the_list_of_all_so_that_no_module_is_loaded(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    assert len(kernel.requests) == 1
    _, kind, flags, _, _, command = struct.unpack_from("=IHHIIB", kernel.requests[0])
    assert (kind, flags, command) == (16, genl.NLM_F_REQUEST | genl.NLM_F_DUMP, 3)
    kernel.replies = [[done()]]
    assert channel.dump(4, value) == []
    assert struct.unpack_from("=IH", kernel.requests[1])[1] == FAMILY


def test_a_family_that_is_not_there_closes_the_socket(kernel: ScriptedKernel) -> None:
    with pytest.raises(FileNotFoundError, match="no generic netlink family VDPA"):
        GenericNetlink("VDPA")
    assert kernel.closed == 1


def test_a_dump_in_several_datagrams(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1) + answer(2), answer(3), done()]]
    assert channel.dump(4, value) == [1, 2, 3]


def test_a_dump_that_was_interrupted_by_a_change_is_read_again(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1), answer(2, flags=MULTI | genl.NLM_F_DUMP_INTR), done()], [answer(5), done()]]
    assert channel.dump(4, value) == [5]


def test_a_table_that_never_rests_is_said_to_be_changing(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1, flags=genl.NLM_F_DUMP_INTR), done()] for _ in range(genl.MAX_ATTEMPTS)]
    with pytest.raises(IpvsError, match="changed during 5 readings"):
        channel.dump(4, value)


def test_a_datagram_larger_than_the_buffer_is_asked_for_again_with_a_larger_one(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    big = b"".join(answer(n % 256) for n in range(4000))
    assert len(big) > genl.BUFFER_BYTES
    kernel.replies = [[big, done()], [big, done()]]
    assert channel.dump(4, value) == [n % 256 for n in range(4000)]


def test_leftovers_of_an_earlier_request_are_not_taken_for_answers(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    kernel.replies = [[answer(9, sequence=77) + answer(1), done()]]
    assert channel.dump(4, value) == [1]


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.EPERM, PermissionError, "netlink needs CAP_NET_ADMIN"),
        (errno.ESRCH, ProcessLookupError, "No such process"),
        (errno.EBUSY, OSError, "Device or resource busy"),
    ],
)
@pytest.mark.parametrize("last", [error, lambda number: done(-number)], ids=["ERROR", "DONE"])
def test_the_kernel_s_errors(
    channel: GenericNetlink,
    kernel: ScriptedKernel,
    last: Callable[[int], bytes],
    number: int,
    kind: type[OSError],
    text: str,
) -> None:
    kernel.replies = [[last(number)]]
    with pytest.raises(kind, match=text) as raised:
        channel.dump(4, value)
    assert raised.value.errno == number


def test_a_command_gives_its_answers_up_to_the_acknowledgement(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(4, flags=0), error(0)]]
    assert channel.ask(4, b"") == [encode([(1, b"\4")])]
    kernel.replies = [[error(errno.ENOENT)]]
    with pytest.raises(FileNotFoundError):
        channel.ask(6, b"")


def test_silence_is_a_timeout_not_a_hang(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1)]]
    with pytest.raises(TimeoutError, match="did not answer within 10 s"):
        channel.dump(4, value)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(answer(1)[:10], id="half a header"),
        pytest.param(struct.pack("=IHHII", 999, FAMILY, 0, THE_REQUEST_S, 0), id="longer than what came"),
        pytest.param(struct.pack("=IHHII", 3, FAMILY, 0, THE_REQUEST_S, 0), id="shorter than its header"),
        pytest.param(struct.pack("=IHHII", 16, FAMILY, 0, THE_REQUEST_S, 0), id="no generic header"),
        pytest.param(message(genl.NLMSG_ERROR, b""), id="an error without a number"),
    ],
)
def test_what_is_not_netlink_is_malformed(channel: GenericNetlink, kernel: ScriptedKernel, datagram: bytes) -> None:
    kernel.replies = [[datagram]]
    with pytest.raises(MalformedMessageError):
        channel.dump(4, value)


def test_the_real_kernel_lists_its_families_without_privilege() -> None:
    with pytest.raises(FileNotFoundError, match="no generic netlink family no-such-family"):
        GenericNetlink("no-such-family")
    GenericNetlink("nlctrl").close()
