"""A kernel that answers netlink requests with prepared replies."""

from __future__ import annotations

import errno
import struct

from kvtui.backend.ipvs import genl
from tests.ipvs.messages import encode

FAMILY = 28
MULTI = 2
Reply = list[bytes]
REQUEST_SEQUENCE = 0x7EA5_7EA5  # placeholder for the sequence number of the request


def message(kind: int, payload: bytes, *, flags: int = MULTI, sequence: int = REQUEST_SEQUENCE) -> bytes:
    raw = struct.pack("=IHHII", 16 + len(payload), kind, flags, sequence, 0) + payload
    return raw + bytes(-len(raw) % 4)


def answer(value: int, *, flags: int = MULTI, sequence: int = REQUEST_SEQUENCE) -> bytes:
    return message(FAMILY, bytes(4) + encode([(1, bytes([value]))]), flags=flags, sequence=sequence)


def done(code: int = 0) -> bytes:
    return message(genl.NLMSG_DONE, struct.pack("=i", code))


def error(number: int) -> bytes:
    return message(genl.NLMSG_ERROR, struct.pack("=i", -number) + bytes(16), flags=0)


class ScriptedKernel:
    """Answers each request with the next prepared reply; a reply is a list of datagrams."""

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
            self._waiting.append(datagram.replace(struct.pack("=I", REQUEST_SEQUENCE), sequence))

    def recv_into(self, buffer: bytearray, _size: int, _flags: int) -> int:
        if not self._waiting:
            raise BlockingIOError(errno.EAGAIN, "no datagram")
        datagram = self._waiting.pop(0)
        buffer[: min(len(datagram), len(buffer))] = datagram[: len(buffer)]
        return len(datagram)

    def close(self) -> None:
        self.closed += 1

    def setsockopt(self, *_: object) -> None: ...
    def bind(self, _: object) -> None: ...
    def connect(self, _: object) -> None: ...
