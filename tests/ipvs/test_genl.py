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
from tests.ipvs.scripted import FAMILY, MULTI, THE_REQUEST_S, ScriptedKernel, answer, done, error, message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.backend.ipvs.attributes import Buffer


def value(buffer: Buffer, start: int, _end: int) -> int:
    return buffer[start + 4]


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
