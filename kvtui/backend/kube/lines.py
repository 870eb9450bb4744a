"""A stream of bytes → lines, as they come, in linear time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.kube.errors import Nonsense

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 16 << 20
"""Bytes: etcd keeps no object larger than 1.5 MiB; JSON may escape each byte by six."""


class Lines:
    """Feed it pieces; it gives whole lines. What is left at the end was cut off and is never an event."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that this piece completes; empty lines are left out.

        Raises:
            Nonsense: a line is endless.
        """
        *whole, rest = piece.split(b"\n")
        for end in whole:
            line = b"".join([*self._parts, end]) if self._parts else end
            self._parts.clear()
            self._held = 0
            if line:
                yield line
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
            if self._held > LONGEST:
                raise Nonsense("the API sends an event that does not end")
