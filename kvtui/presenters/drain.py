"""How a drained real server empties: its curve of open connections, and when the last one will end."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from kvtui.actions.drain.drain_progress import seconds_left
from kvtui.model.ipvs import endpoint
from kvtui.model.units import ago
from kvtui.presenters.chart import Chart, spans_text
from kvtui.rules.timeline.history import SPANS, Channel, server_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from kvtui.model.observation import Observation, RealServerView
    from kvtui.rules.timeline.history import History, Span


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
    """Returns what is left, and how long the rest takes if connections keep ending at the same rate."""
    active, inactive, persistent = (
        sum(count or 0 for count in counts)
        for counts in (
            [r.active for r in reals.values()],
            [r.inactive for r in reals.values()],
            [r.persistent for r in reals.values()],
        )
    )
    left = f"active {active}, inactive {inactive}, persistent {persistent}"
    known = [(float(second), round(v)) for second, v in enumerate(_open(history, [*reals], SPANS[0])) if not isnan(v)]
    most = max((count for _second, count in known), default=0)
    since = max((n for n, (_second, count) in enumerate(known) if count == most), default=0)
    estimate = seconds_left(known[since:]) if known else None
    return left if estimate is None else f"{left} · about {ago(estimate)} left"


def _open(history: History, keys: Sequence[Hashable], span: Span) -> list[float]:
    """Returns the open connections of all of them together."""
    series = [history.series(key, span, Channel.ACTIVE) for key in keys]
    return [sum(values) for values in zip(*series, strict=True)] if series else [float("nan")] * span.samples
