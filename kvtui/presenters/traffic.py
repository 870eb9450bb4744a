"""Charts of the traffic of a VIP, a virtual server or a real server."""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING

from kvtui.model.units import per_second
from kvtui.presenters.chart import Chart
from kvtui.rules.timeline.history import SPANS, Channel

if TYPE_CHECKING:
    from collections.abc import Hashable

    from kvtui.rules.timeline.history import History, Span


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
