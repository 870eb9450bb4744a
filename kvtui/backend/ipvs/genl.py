"""A generic netlink socket with what the IPVS family needs (include/uapi/linux/netlink.h, genetlink.h)."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, TypeVar

from kvtui.backend.ipvs import uapi
from kvtui.backend.ipvs.attributes import Buffer, aligned, attributes
from kvtui.backend.ipvs.errors import IpvsError, MalformedMessageError
from kvtui.backend.linux.namespaces import open_in_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

NETLINK_GENERIC = 16
NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN, NLMSG_MIN_TYPE = 2, 3, 4, 0x10
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x01, 0x04, 0x10, 0x300
GENL_ID_CTRL = 0x10
CTRL_CMD_GETFAMILY = 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
VERSION = 1  # of IPVS's commands (IPVS_GENL_VERSION), and one that the controller takes

MESSAGE = Struct("=IHHII")  # struct nlmsghdr: len, type, flags, seq, port
GENERIC = Struct("=BBH")  # struct genlmsghdr: cmd, version, reserved
RESULT = Struct("=i")
SECONDS = Struct("@ll")  # struct timeval
HEADERS = MESSAGE.size + GENERIC.size

BUFFER_BYTES = 1 << 16  # a dump comes in datagrams of at most 32 KiB (netlink_dump in net/netlink/af_netlink.c)
TIMEOUT = 10  # seconds; the kernel usually answers within the call
NOT_PERMITTED = "netlink needs CAP_NET_ADMIN: run kvtui as root, or give its container NET_ADMIN"
MAX_ATTEMPTS = 5  # to read a table that changes meanwhile


class GenericNetlink(AbstractContextManager["GenericNetlink"]):
    """A socket of one family, in the network namespace of the thread that made it. For one thread.

    Attributes:
        family: its number, which changes when the module is loaded anew.
        buffer: one datagram of the kernel.
        needed: bytes of the latest datagram; a smaller buffer is replaced before the next one.

    Raises FileNotFoundError when the kernel has no such family. The lookup lists all families: a request for one by
    name would load its module (ctrl_getfamily in genetlink.c).
    """

    def __init__(self, family: str) -> None:
        self.family = GENL_ID_CTRL
        self.buffer = bytearray(BUFFER_BYTES)
        self.needed = BUFFER_BYTES
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_GENERIC)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, SECONDS.pack(TIMEOUT, 0))
            self._socket.bind((0, 0))
            self._socket.connect((0, 0))  # only the kernel may send to it
            self.family = self._resolve(family)
        except BaseException:
            self._socket.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def dump(self, command: int, decode: Callable[[Buffer, int, int], T], request: bytes = b"") -> list[T]:
        """Returns all that the kernel lists for a command.

        ``decode`` gets buffer, start and end of one message's attributes; it must not keep the buffer. Raises
        PermissionError without CAP_NET_ADMIN, IpvsError when the list changed during each of several attempts, and
        MalformedMessageError: close the socket then.
        """
        for _ in range(MAX_ATTEMPTS):
            self._send(NLM_F_REQUEST | NLM_F_DUMP, command, request)
            answers = self._dumped(decode)
            if answers is not None:
                return answers
        raise IpvsError(f"The table changed during {MAX_ATTEMPTS} readings in a row; try again.")

    def ask(self, command: int, request: bytes) -> list[bytes]:
        """Sends one command and returns the attributes of each answer; raises the kernel's errors as OSError."""
        self._send(NLM_F_REQUEST | NLM_F_ACK, command, request)
        answers: list[bytes] = []
        while True:
            messages, complete = self._receive()
            if not complete:
                raise MalformedMessageError("the answer is larger than any of this family")
            for kind, _, start, end in messages:
                if kind == NLMSG_ERROR:
                    self._raise(start, end)
                    return answers
                answers.append(bytes(self.buffer[start + GENERIC.size : end]))

    def _resolve(self, name: str) -> int:
        families = dict(self.dump(CTRL_CMD_GETFAMILY, _family_id))
        if name not in families:
            raise FileNotFoundError(errno.ENOENT, f"the kernel has no generic netlink family {name}")
        return families[name]

    def _dumped(self, decode: Callable[[Buffer, int, int], T]) -> list[T] | None:
        """Reads one dump; returns None when the table changed meanwhile or a message was lost."""
        answers: list[T] = []
        whole = True
        while True:
            messages, complete = self._receive()
            whole = whole and complete
            for kind, flags, start, end in messages:
                if flags & NLM_F_DUMP_INTR or kind == NLMSG_OVERRUN:
                    whole = False
                if kind == NLMSG_DONE:
                    if end - start >= RESULT.size:
                        self._raise(start, end)
                    return answers if whole else None
                if kind == NLMSG_ERROR:
                    self._raise(start, end)
                elif kind >= NLMSG_MIN_TYPE and whole:
                    answers.append(decode(self.buffer, start + GENERIC.size, end))

    def _send(self, flags: int, command: int, request: bytes) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        header = MESSAGE.pack(HEADERS + len(request), self.family, flags, self._sequence, 0)
        self._socket.send(header + GENERIC.pack(command, VERSION, 0) + request)

    def _receive(self) -> tuple[Iterator[tuple[int, int, int, int]], bool]:
        """Returns the messages of one datagram, and whether it fitted into the buffer, which grows for the next."""
        if self.needed > len(self.buffer):
            self.buffer = bytearray(self.needed)
        try:
            size = self._socket.recv_into(self.buffer, 0, socket.MSG_TRUNC)
        except BlockingIOError:
            raise TimeoutError(errno.ETIMEDOUT, f"the kernel did not answer within {TIMEOUT} s") from None
        self.needed = size
        complete = size <= len(self.buffer)
        return self._messages(min(size, len(self.buffer)), cut=not complete), complete

    def _messages(self, size: int, *, cut: bool) -> Iterator[tuple[int, int, int, int]]:
        """Yields type, flags, start and end of the payload of each message that answers the last request."""
        position = 0
        while position < size:
            if size - position < MESSAGE.size:
                if cut:
                    return
                raise MalformedMessageError(f"{size - position} stray bytes after the last message")
            length, kind, flags, sequence, _ = MESSAGE.unpack_from(self.buffer, position)
            if length < MESSAGE.size or length > size - position:
                if cut:
                    return
                raise MalformedMessageError(f"a message claims {length} bytes of {size - position}")
            if kind >= NLMSG_MIN_TYPE and length < HEADERS:
                raise MalformedMessageError(f"a message of {length} bytes has no generic netlink header")
            if sequence == self._sequence:  # others answer an earlier request that timed out
                yield kind, flags, position + MESSAGE.size, position + length
            position += aligned(length)

    def _raise(self, start: int, end: int) -> None:
        if end - start < RESULT.size:
            raise MalformedMessageError("an error message without a number")
        number = -RESULT.unpack_from(self.buffer, start)[0]
        if number == errno.EPERM:
            raise PermissionError(number, NOT_PERMITTED)
        if number:
            raise OSError(number, os.strerror(number))


def _family_id(buffer: Buffer, start: int, end: int) -> tuple[str, int]:
    found = {kind: bytes(buffer[first:last]) for kind, first, last in attributes(buffer, start, end)}
    try:
        name = found[CTRL_ATTR_FAMILY_NAME].rstrip(b"\0").decode("ascii", "replace")
        return name, Struct("=H").unpack(found[CTRL_ATTR_FAMILY_ID][:2])[0]
    except KeyError as missing:
        raise MalformedMessageError(f"a generic netlink family without attribute {missing}") from None


def net_folder(proc: Path, pid: int | None) -> Path:
    return proc / ("self" if pid is None else str(pid)) / "net"


def require_ipvs(proc: Path, pid: int | None) -> None:
    """Checks that ip_vs is loaded, without netlink, which could load it; raises IpvsError."""
    net = net_folder(proc, pid)
    try:
        (net / "ip_vs").stat()
    except (FileNotFoundError, ProcessLookupError):
        loaded = (proc / "self/net/ip_vs").exists()  # then it is a zombie, which has no network namespace
        if pid is not None and (loaded or not net.parent.exists()):
            raise IpvsError(f"Process {pid}, whose IPVS table kvtui reads, has ended.") from None
        why = f"ip_vs is not loaded in this kernel: {net}/ip_vs does not exist. Run `modprobe ip_vs` on the node."
        raise IpvsError(why) from None
    except PermissionError as error:
        raise IpvsError(f"{net}/ip_vs cannot be read: {error}. Run kvtui as root.") from error


def open_channel(pid: int | None) -> GenericNetlink:
    """Raises IpvsError or, without permission to enter the namespace, PermissionError. Call ``require_ipvs`` first."""
    try:
        return open_in_network(pid, lambda: GenericNetlink(uapi.GENL_NAME))
    except FileNotFoundError as error:
        if pid is not None and not Path(f"/proc/{pid}").exists():
            raise IpvsError(f"Process {pid} has ended.") from error
        raise IpvsError(f"ip_vs does not answer by netlink: {error}.") from error
    except ProcessLookupError as error:
        raise IpvsError(f"Process {pid} has ended.") from error
