"""Counters of the demo cluster: pure functions of time that never decrease."""

from __future__ import annotations

import math

from msgspec import Struct

from kvtui.model.ipvs import Stats


class Flow(Struct, frozen=True):
    """Traffic of one real server: connections per second, incoming bytes of each; twelve times as many go out.

    ``phase`` (radians) makes real servers differ; with direct routing answers do not pass IPVS.
    """

    rate: float
    size: int
    phase: float
    answers_pass: bool = True

    def connections(self, t: float) -> float:
        """Returns the connections until ``t``: the integral of ``per_second``."""
        swing = 0.6 * self.rate * 20 * (math.cos(self.phase) - math.cos(t / 20 + self.phase))
        ripple = 0.3 * self.rate * 3 * (math.cos(self.phase) - math.cos(t / 3 + self.phase))
        return max(0.0, self.rate * t + swing + ripple)

    def per_second(self, t: float) -> float:
        swing = 0.6 * math.sin(t / 20 + self.phase) + 0.3 * math.sin(t / 3 + self.phase)
        return self.rate * max(0.0, 1 + swing)

    def stats(self, t: float, *, idle: bool = False) -> Stats:
        total, now = int(self.connections(t)), 0.0 if idle else self.per_second(t)
        out = 12 if self.answers_pass else 0
        return Stats(
            connections=total,
            in_packets=total * 9,
            out_packets=total * 11 if out else 0,
            in_bytes=total * self.size,
            out_bytes=total * self.size * out,
            cps=round(now),
            in_pps=round(now * 9),
            out_pps=round(now * 11) if out else 0,
            in_bps=round(now * self.size),
            out_bps=round(now * self.size * out),
        )


def total(parts: list[Stats]) -> Stats:
    names = Stats.__struct_fields__
    return Stats(**{name: sum(getattr(p, name) for p in parts) for name in names})
