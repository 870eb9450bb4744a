"""A chart as lines of text: a title, an axis, and the values as an area of braille, blocks or ASCII."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from math import ceil, isnan, nan
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.units import per_second
from kvtui.rules.timeline.history import SPANS, Channel, nice_top, server_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from kvtui.model.observation import Observation, RealServerView
    from kvtui.rules.timeline.history import History, Span

AXIS_WIDTH = 5  # columns for a number and the axis itself
MIN_AXIS_COLUMNS = 24  # a narrower chart has no axis
LEFT_DOTS = (0x00, 0x40, 0x44, 0x46, 0x47)
"""Bits of braille (U+2800) for 0 to 4 dots in the left column of a cell, from below."""
RIGHT_DOTS = (0x00, 0x80, 0xA0, 0xB0, 0xB8)
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_LEVELS = " .:#"


class Form(StrEnum):
    """The characters of a chart."""

    BRAILLE = "braille"
    BLOCKS = "blocks"  # fonts of terminals with 16 colours often lack braille
    ASCII = "ascii"


class ChartPart(StrEnum):
    """The part of a chart that a piece of a line belongs to, for its colour."""

    TITLE = "title"
    AXIS = "axis"
    AREA = "area"
    NOTE = "note"


Line = tuple[tuple[str, ChartPart], ...]


class Chart(Struct, frozen=True):
    title: str
    values: Sequence[float]  # oldest first, equally spaced; NaN where nothing is known
    span: str  # length of time, such as `5m`
    note: str = ""  # text after the title
    spans: str = ""  # all lengths to choose from, the one shown in brackets; empty if there is no choice

    @property
    def now(self) -> float:
        return self.values[-1] if self.values else nan

    @property
    def highest(self) -> float:
        return _highest(self.values)

    @property
    def top(self) -> float:
        highest = self.highest
        return nice_top(0.0 if isnan(highest) else highest)


def _highest(values: Sequence[float]) -> float:
    return max((v for v in values if not isnan(v)), default=nan)


def number(value: float) -> str:
    return "?" if isnan(value) else per_second(value)


def title_line(chart: Chart, width: int) -> Line:
    """Returns the title with the present value and the highest one; what does not fit is left out."""
    head = f"{chart.title}  {number(chart.now)}  max {number(chart.highest)}"
    spans = next((s for s in (chart.spans, chart.span) if s and len(head) + len(s) < width), "")
    note = f"  {chart.note}" if chart.note else ""
    while note and len(head) + len(note) + len(spans) >= width:
        note = note.rpartition("  ")[0]
    head = head[:width]
    between = note + " " * (width - len(head) - len(note) - len(spans))
    return ((head, ChartPart.TITLE), (between, ChartPart.NOTE), (spans, ChartPart.NOTE))


def chart_lines(chart: Chart, width: int, height: int, form: Form) -> list[Line]:
    """Returns ``height`` lines of ``width`` columns: title, area, from five lines on the times; or all in one line."""
    if height == 1:
        return [((chart_line(chart, width, form).ljust(width), ChartPart.AREA),)]
    lines = [title_line(chart, width)]
    has_times, has_axis = height >= 5, width >= MIN_AXIS_COLUMNS
    rows = height - len(lines) - has_times
    room = width - AXIS_WIDTH - 1 if has_axis else width
    top = chart.top
    labels = {0: number(top), rows - 1: "0"} if rows > 1 else {0: number(top)}
    if rows >= 4 and rows % 2 == 0:
        labels[rows // 2] = number(top / 2)
    area = plot(chart.values, room, rows, top, form)
    tick, bar = ("|", "|") if form is Form.ASCII else ("┤", "│")
    for row, text in enumerate(area):
        axis = labels.get(row, "").rjust(AXIS_WIDTH) + (tick if row in labels else bar) if has_axis else ""
        lines.append(((axis, ChartPart.AXIS), (text, ChartPart.AREA)))
    if has_times:
        dash = "-" if form is Form.ASCII else "─"
        first, last = f"-{chart.span} ", " now"
        times = first + dash * max(0, room - len(first) - len(last)) + last
        lines.append(((times.rjust(width)[:width], ChartPart.AXIS),))
    return lines


def plot(values: Sequence[float], width: int, rows: int, top: float, form: Form) -> list[str]:
    """Returns the values as rows of ``width`` characters, the uppermost first; only zero is blank.

    So a node without traffic sends nothing while time goes by.
    """
    across, levels = (2, 4) if form is Form.BRAILLE else (1, 8 if form is Form.BLOCKS else 3)
    heights = [_height(v, rows * levels, top) for v in resampled(values, width * across)]
    lines = []
    for row in range(rows):
        below = (rows - 1 - row) * levels
        steps = [min(levels, max(0, h - below)) for h in heights]
        if form is Form.BRAILLE:
            cells = zip(steps[::2], steps[1::2], strict=True)
            lines.append("".join(chr(0x2800 + LEFT_DOTS[a] + RIGHT_DOTS[b]) if a or b else " " for a, b in cells))
        else:
            characters = BLOCKS if form is Form.BLOCKS else ASCII_LEVELS
            lines.append("".join(characters[step] for step in steps))
    return lines


def _height(value: float, levels: int, top: float) -> int:
    return 0 if isnan(value) or value <= 0 else max(1, min(levels, ceil(value / top * levels - 0.5)))


def resampled(values: Sequence[float], count: int) -> list[float]:
    """Returns ``count`` values; where several fall into one, the highest, so that no peak disappears."""
    if not values or count <= 0:
        return [nan] * max(0, count)
    return [
        values[first] if first + 1 >= end else _highest(values[first:end]) for first, end in _ranges(len(values), count)
    ]


@lru_cache(maxsize=64)
def _ranges(available: int, count: int) -> tuple[tuple[int, int], ...]:
    edges = [i * available // count for i in range(count + 1)]
    return tuple(pairwise(edges))


def chart_line(chart: Chart, width: int, form: Form) -> str:
    """Returns a chart in one line: title, present and highest value, area, span."""
    head = f"{chart.title:<8} {number(chart.now):>5}  max {number(chart.highest):<5} "
    tail = f"  {chart.span}"
    room = width - len(head) - len(tail)
    if room < 4:
        return head.rstrip()[:width]
    return head + plot(chart.values, room, 1, chart.top, form)[0] + tail


# --- charts of the traffic of a VIP, a virtual server or a real server


def spans_text(span: Span) -> str:
    return " ".join(f"[{s.label}]" if s is span else s.label for s in SPANS)


def connections_chart(history: History, key: Hashable, span: Span) -> Chart:
    return Chart("conn/s", _with_now(history, key, span, Channel.CONNECTIONS), span.label, spans=spans_text(span))


def bytes_chart(history: History, key: Hashable, span: Span) -> Chart:
    """Returns the chart of bytes in both directions; the present value of each is its note.

    With direct routing and tunnels IPVS does not see the answers: out is 0.
    """
    incoming, outgoing = (_with_now(history, key, span, c) for c in (Channel.IN_BYTES, Channel.OUT_BYTES))
    both = [i + o for i, o in zip(incoming, outgoing, strict=True)]
    parts = (("in", incoming[-1]), ("out", outgoing[-1]))
    note = "  ".join(f"{name} {per_second(value)}" for name, value in parts if not isnan(value))
    return Chart("bytes/s", both, span.label, note)


def traffic_charts(history: History, key: Hashable, span: Span) -> tuple[Chart, Chart]:
    return (connections_chart(history, key, span), bytes_chart(history, key, span))


def _with_now(history: History, key: Hashable, span: Span, channel: Channel) -> list[float]:
    """Returns the values of a span; the newest step of a longer one is not complete, and is the present value."""
    values = history.series(key, span, channel)
    if span is SPANS[0]:
        return values
    now = history.latest(key, channel)
    return [*values[1:], nan if isnan(now) else now]


# --- how a drained real server empties


def drained(observation: Observation, target: str) -> dict[Hashable, RealServerView]:
    """Returns the drained real servers of this name (``ADDRESS`` or ``ADDRESS:PORT``), by their keys in the history."""
    return {
        (server_key(virtual.protocol.value, virtual.name), real.key): real
        for virtual in observation.virtual_servers or ()
        for real in virtual.real_servers
        if real.weight == 0 and target in {real.address, endpoint(*real.key)}
    }


def drain_chart(history: History, keys: Sequence[Hashable], span: Span) -> Chart:
    return Chart("open connections", _open(history, keys, span), span.label, spans=spans_text(span))


def drain_text(history: History, reals: dict[Hashable, RealServerView]) -> str:
    """Returns the connections that are left, and how long they take from their maximum on at the same rate."""
    from kvtui.actions.drain.drain_progress import Left  # noqa: PLC0415 - the first frame does without the actions

    counts = [(r.active or 0, r.inactive or 0, r.persistent or 0) for r in reals.values()]
    left = Left(*map(sum, zip(*counts, strict=True)))
    known = [(float(second), round(v)) for second, v in enumerate(_open(history, [*reals], SPANS[0])) if not isnan(v)]
    highest = max((count for _second, count in known), default=0)
    since = max((n for n, (_second, count) in enumerate(known) if count == highest), default=0)
    return left.with_estimate(known[since:])


def _open(history: History, keys: Sequence[Hashable], span: Span) -> list[float]:
    series = [history.series(key, span, Channel.ACTIVE) for key in keys]
    return [sum(values) for values in zip(*series, strict=True)] if series else [nan] * span.samples
