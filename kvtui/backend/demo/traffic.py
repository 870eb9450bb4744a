"""Counters of the demo cluster: pure functions of time that never decrease."""

from __future__ import annotations

from math import cos, sin
from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Stats

if TYPE_CHECKING:
    from kvtui.backend.demo.services import Service


def stats(service: Service, phase: float, t: float, *, idle: bool) -> Stats:
    """Returns the counters of one of its real servers after ``t`` seconds of traffic.

    ``phase`` (radians) makes real servers differ. Twelve times as many bytes go out as come in; with direct routing
    answers do not pass IPVS.
    """
    rate = service.rate / len(service.reals)
    slow, fast = t / 20 + phase, t / 3 + phase
    now = 0.0 if idle else rate * max(0.0, 1 + (0.6 * sin(slow) + 0.3 * sin(fast)))
    # the integral of the rate
    swing = 0.6 * rate * 20 * (cos(phase) - cos(slow))
    ripple = 0.3 * rate * 3 * (cos(phase) - cos(fast))
    count = int(max(0.0, rate * t + swing + ripple))
    answers = service.method is not ForwardingMethod.DIRECT
    return Stats(
        connections=count,
        in_packets=count * 9,
        out_packets=count * 11 * answers,
        in_bytes=count * service.size,
        out_bytes=count * service.size * 12 * answers,
        cps=round(now),
        in_pps=round(now * 9),
        out_pps=round(now * 11) * answers,
        in_bps=round(now * service.size),
        out_bps=round(now * service.size * 12 * answers),
    )


def total(parts: list[Stats]) -> Stats:
    names = Stats.__struct_fields__
    return Stats(**{name: sum(getattr(p, name) for p in parts) for name in names})
