"""The netlink socket with a scripted kernel, for rare answers; tests/lab has tests with a real kernel."""

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
from tests.ipvs.scripted import FAMILY, MULTI, REQUEST_SEQUENCE, ScriptedKernel, answer, done, error, message

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
    assert not kernel.replies, "a prepared reply was not requested"


def test_the_family_is_looked_up_in_the_list_of_all_families_without_loading_a_module(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    assert len(kernel.requests) == 1
    _, kind, flags, _, _, command = struct.unpack_from("=IHHIIB", kernel.requests[0])
    assert (kind, flags, command) == (16, genl.NLM_F_REQUEST | genl.NLM_F_DUMP, 3)
    kernel.replies = [[done()]]
    assert channel.dump(4, value) == []
    assert struct.unpack_from("=IH", kernel.requests[1])[1] == FAMILY


def test_a_missing_family_closes_the_socket(kernel: ScriptedKernel) -> None:
    with pytest.raises(FileNotFoundError, match="no generic netlink family VDPA"):
        GenericNetlink("VDPA")
    assert kernel.closed == 1


def test_a_dump_in_several_datagrams(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1) + answer(2), answer(3), done()]]
    assert channel.dump(4, value) == [1, 2, 3]


def test_a_dump_interrupted_by_a_change_is_read_again(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1), answer(2, flags=MULTI | genl.NLM_F_DUMP_INTR), done()], [answer(5), done()]]
    assert channel.dump(4, value) == [5]


def test_a_table_that_changes_during_every_reading_is_an_error(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1, flags=genl.NLM_F_DUMP_INTR), done()] for _ in range(genl.MAX_ATTEMPTS)]
    with pytest.raises(IpvsError, match="changed during 5 readings"):
        channel.dump(4, value)


def test_after_a_truncated_datagram_the_request_is_repeated_with_a_larger_buffer(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    big = b"".join(answer(n % 256) for n in range(4000))
    assert len(big) > genl.BUFFER_BYTES
    kernel.replies = [[big, done()], [big, done()]]
    assert channel.dump(4, value) == [n % 256 for n in range(4000)]


def test_answers_to_an_earlier_request_are_ignored(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
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


def test_a_command_returns_its_answers_up_to_the_acknowledgement(
    channel: GenericNetlink, kernel: ScriptedKernel
) -> None:
    kernel.replies = [[answer(4, flags=0), error(0)]]
    assert channel.ask(4, b"") == [encode([(1, b"\4")])]
    kernel.replies = [[error(errno.ENOENT)]]
    with pytest.raises(FileNotFoundError):
        channel.ask(6, b"")


def test_a_missing_answer_is_a_timeout(channel: GenericNetlink, kernel: ScriptedKernel) -> None:
    kernel.replies = [[answer(1)]]
    with pytest.raises(TimeoutError, match="did not answer within 10 s"):
        channel.dump(4, value)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(answer(1)[:10], id="half a header"),
        pytest.param(struct.pack("=IHHII", 999, FAMILY, 0, REQUEST_SEQUENCE, 0), id="longer than the datagram"),
        pytest.param(struct.pack("=IHHII", 3, FAMILY, 0, REQUEST_SEQUENCE, 0), id="shorter than its header"),
        pytest.param(struct.pack("=IHHII", 16, FAMILY, 0, REQUEST_SEQUENCE, 0), id="no generic header"),
        pytest.param(message(genl.NLMSG_ERROR, b""), id="an error without a number"),
    ],
)
def test_a_datagram_that_is_not_netlink_is_malformed(
    channel: GenericNetlink, kernel: ScriptedKernel, datagram: bytes
) -> None:
    kernel.replies = [[datagram]]
    with pytest.raises(MalformedMessageError):
        channel.dump(4, value)


def test_the_real_kernel_lists_its_families_without_privilege() -> None:
    with pytest.raises(FileNotFoundError, match="no generic netlink family no-such-family"):
        GenericNetlink("no-such-family")
    GenericNetlink("nlctrl").close()
