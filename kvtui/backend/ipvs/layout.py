"""Reads all fields of a message in one unpack, or by walking its attributes when its arrangement is new.

A kernel sends the attributes of every real server in the same order. The order differs between kernels, so a ``Layout``
is learnt from the first message, and applies only where all headers (types and lengths) are equal: it returns what the
walk would.
"""

from __future__ import annotations

from operator import itemgetter
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kvtui.backend.ipvs.attributes import aligned, attributes
from kvtui.backend.ipvs.errors import MalformedMessageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from enum import IntEnum

    from kvtui.backend.ipvs.attributes import Buffer

TEXT: Final = "text"
REQUIRED: Final = "required"
COUNTERS: Final = 10
MAX_LENGTHS, MAX_LAYOUTS = 64, 4  # lengths of a kind of message, layouts of one length
STRUCTS = {code: Struct(f"={code}") for code in ("B", "H", "I", "i", "Q", "16s", "I4x")}


class Field(NamedTuple):
    """One attribute of a message; its struct code in native byte order, or ``TEXT``."""

    kind: IntEnum
    code: str
    default: Any = REQUIRED


class MessageLayout:
    """A kind of message: its fields, then ten counters, of STATS64 (64 bits) or else of STATS (32 bits)."""

    def __init__(self, fields: tuple[Field, ...], stats64: int, stats: int) -> None:
        self.fields = fields
        self.stats64 = Counters("STATS64", stats64, "QQQQQQQQQQ")
        self.stats = Counters("STATS", stats, "IIIQQIIIII")  # bytes have always had 64 bits
        self._layouts: dict[int, list[Layout]] = {}

    def read(self, buffer: Buffer, start: int, end: int) -> tuple[Any, ...]:
        """Returns the values of all fields, then of the counters (ten None when the message has none).

        Raises MalformedMessageError when the message is cut off, lacks a field, or has a field of the wrong size.
        """
        for layout in self._layouts.get(end - start, ()):
            values = layout.read(buffer, start)
            if values is not None:
                return values
        values = self.walk(buffer, start, end)
        self._learn(buffer, start, end)
        return values

    def walk(self, buffer: Buffer, start: int, end: int) -> tuple[Any, ...]:
        """Does the same without layouts."""
        found = {kind: (first, last) for kind, first, last in attributes(buffer, start, end)}
        values = [self._value(field, buffer, found.get(field.kind)) for field in self.fields]
        for counters in (self.stats64, self.stats):
            if counters.kind in found:
                return (*values, *counters.walk(buffer, *found[counters.kind]))
        return (*values, *(None,) * COUNTERS)

    @staticmethod
    def _value(field: Field, buffer: Buffer, place: tuple[int, int] | None) -> Any:
        if place is None:
            if field.default is REQUIRED:
                raise MalformedMessageError(f"a message without {field.kind.name}")
            return field.default
        first, last = place
        if field.code is TEXT:
            return bytes(buffer[first:last])
        return exact(field.kind.name, field.code, buffer, first, last)

    def _learn(self, buffer: Buffer, start: int, end: int) -> None:
        known = self._layouts.get(end - start, [])
        if len(known) < MAX_LAYOUTS and len(self._layouts) < MAX_LENGTHS:
            layout = Learner(self, buffer).learn(start, end)
            if layout is not None:
                self._layouts[end - start] = [*known, layout]


class Counters:
    """Ten counters nested in one attribute; their numbers are 1 to 10."""

    def __init__(self, name: str, kind: int, codes: str) -> None:
        self.name = name
        self.kind = kind
        self.codes = dict(enumerate(codes, start=1))

    def walk(self, buffer: Buffer, start: int, end: int) -> list[int]:
        found = {kind: (first, last) for kind, first, last in attributes(buffer, start, end)}
        for number in self.codes:
            if number not in found:
                raise MalformedMessageError(f"{self.name} without counter {number}")
        return [exact(self.name, code, buffer, *found[number]) for number, code in self.codes.items()]


def exact(name: str, code: str, buffer: Buffer, first: int, last: int) -> Any:
    struct = STRUCTS[code]
    if last - first != struct.size:
        raise MalformedMessageError(f"{name} at offset {first} has {last - first} bytes instead of {struct.size}")
    return struct.unpack_from(buffer, first)[0]


class Layout(NamedTuple):
    """One arrangement of attributes, read in a single unpack.

    ``headers`` picks the attributes' headers from the unpacked values, ``pick`` the fields from values and defaults.
    """

    unpack: Callable[[Buffer, int], tuple[Any, ...]]
    headers: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    expected: tuple[Any, ...]
    pick: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    defaults: tuple[Any, ...]

    def read(self, buffer: Buffer, start: int) -> tuple[Any, ...] | None:
        """Returns the values; None when the message, of this length, has another arrangement."""
        values = self.unpack(buffer, start)
        return self.pick(values + self.defaults) if self.headers(values) == self.expected else None


class Learner:
    """Derives a layout from a message that the walk accepted."""

    def __init__(self, message: MessageLayout, buffer: Buffer) -> None:
        self._message = message
        self._buffer = buffer
        self._codes = ["="]
        self._items = 0  # how many values the struct has so far
        self._headers: list[int] = []
        self._places: dict[tuple[int, int], int] = {}  # (attribute, counter or 0) -> index of its value
        self._has_twice = False

    def learn(self, start: int, end: int) -> Layout | None:
        """Returns the layout; None for a message with an attribute twice (the walk uses the last one)."""
        kinds = [kind for kind, _, _ in attributes(self._buffer, start, end)]
        counters = next((c for c in (self._message.stats64, self._message.stats) if c.kind in kinds), None)
        codes = {int(field.kind): field.code for field in self._message.fields}
        self._walk(start, end, codes, counters)
        return None if self._has_twice or len(set(kinds)) < len(kinds) else self._layout(counters, start)

    def _walk(self, start: int, end: int, codes: Mapping[int, str], counters: Counters | None, parent: int = 0) -> None:
        for kind, first, last in attributes(self._buffer, start, end):
            self._codes.append("I")
            self._headers.append(self._items)
            self._items += 1
            code, key = codes.get(kind), (parent or kind, kind if parent else 0)
            if counters is not None and kind == counters.kind:
                self._walk(first, last, counters.codes, None, kind)
            elif code is None:
                self._codes.append(f"{last - first}x")
            else:
                self._has_twice |= key in self._places
                self._codes.append(f"{last - first}s" if code is TEXT else code)
                self._places[key] = self._items
                self._items += 1
            self._codes.append(f"{min(end, first + aligned(last - first)) - last}x")

    def _layout(self, counters: Counters | None, start: int) -> Layout:
        defaults: list[Any] = []
        indices = []
        for field in self._message.fields:
            place = self._places.get((field.kind, 0))
            if place is None:
                place = self._items + len(defaults)
                defaults.append(field.default)
            indices.append(place)
        if counters is None:
            indices += [self._items + len(defaults)] * COUNTERS
            defaults.append(None)
        else:
            indices += [self._places[counters.kind, number] for number in counters.codes]
        struct = Struct("".join(self._codes))
        headers: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(*self._headers)
        expected = headers(struct.unpack_from(self._buffer, start))
        return Layout(struct.unpack_from, headers, expected, itemgetter(*indices), tuple(defaults))
