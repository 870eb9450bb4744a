"""Keeps the traffic of VIPs, virtual servers and real servers: the last minute, five minutes and hour.

Each of them has one array of fixed size, so that memory does not grow with time. Servers that are gone are forgotten.
"""

from __future__ import annotations

from array import array
from enum import IntEnum
from itertools import chain
from math import floor, isnan, log10, nan
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, KeysView

    from kvtui.model.ipvs import Stats
    from kvtui.model.observation import Observation, VirtualServerView

MIN_SECONDS = 0.8
"""Minimum time between two samples: events add observations between two ticks."""
MAX_HELD_SECONDS = 10.0
"""After a longer time without a sample there is a gap, unless samples usually come that far apart."""


class Channel(IntEnum):
    """One quantity of a server; rates are per second."""

    CONNECTIONS = 0
    IN_BYTES = 1
    OUT_BYTES = 2
    ACTIVE = 3  # open connections: in ESTABLISHED; of UDP, which has no such state, all


Sample = tuple[float, float, float, float]
"""A value for each channel."""


class Span(Struct, frozen=True):
    """A length of time that a chart shows, in steps of ``step`` seconds."""

    label: str
    seconds: int
    step: int

    @property
    def samples(self) -> int:
        return self.seconds // self.step


SPANS = (Span("1m", 60, 1), Span("5m", 300, 3), Span("1h", 3600, 30))
"""A step of each is a whole number of steps of the one before."""

MAX_SAMPLES = SPANS[0].samples
_WIDTH = len(Channel)
_STARTS = tuple(sum(s.samples for s in SPANS[:i]) * _WIDTH for i in range(len(SPANS)))
_UNKNOWN = array("f", [nan]) * _WIDTH
_SHORT = _UNKNOWN * MAX_SAMPLES
_LONG = _UNKNOWN * sum(s.samples for s in SPANS)


class History:
    """Samples by the keys of ``samples``.

    Args:
        max_real_servers: with more, real servers have no history.
        max_long: with more real servers, only the last minute of each is kept.
    """

    def __init__(self, max_real_servers: int = 2000, max_long: int = 500) -> None:
        self._rings: dict[Hashable, array[float]] = {}
        self._last: float | None = None
        self._gap = 0.0
        self._clock = 0.0
        self._steps = [0] * len(SPANS)
        """Number of the newest step of each span, since the first sample."""
        self._peaks: dict[Hashable, tuple[float, int]] = {}
        """The most connections/s of the last minute, and the step of that, when ``top`` last looked."""
        self._peaks_at = 0
        self._max_real_servers = max_real_servers
        self._max_long = max_long

    def add(self, observation: Observation) -> None:
        now = observation.snapshot.time
        gap = 0.0 if self._last is None else now - self._last
        if self._last is not None and 0 <= gap < MIN_SECONDS:
            return
        if gap < 0:  # the clock was set back
            gap = SPANS[0].step
        is_held = gap <= max(MAX_HELD_SECONDS, 2 * self._gap)
        self._last, self._gap = now, gap
        self._clock += gap
        values = samples(observation, self._max_real_servers)
        if self._rings.keys() != values.keys():
            self._set_keys(values.keys())
        self._store(values, is_held=is_held)

    def _set_keys(self, keys: KeysView[tuple[Hashable, ...]]) -> None:
        reals = sum(isinstance(key[0], tuple) for key in keys)
        for gone in self._rings.keys() - keys:
            del self._rings[gone]
        for key in keys - self._rings.keys():
            is_short = reals > self._max_long and isinstance(key[0], tuple)
            self._rings[key] = array("f", _SHORT if is_short else _LONG)

    def _store(self, values: dict[tuple[Hashable, ...], Sample], *, is_held: bool) -> None:
        newest = int(self._clock)
        missed = range(max(self._steps[0] + 1, newest - MAX_SAMPLES + 1), newest)
        places = [step % MAX_SAMPLES * _WIDTH for step in missed]
        place = newest % MAX_SAMPLES * _WIDTH
        unknown = (nan, nan, nan, nan)
        for key, sample in values.items():  # a second of 10,000 real servers has 2,000 of them: no calls
            ring = self._rings[key]
            for gap in places:
                ring[gap], ring[gap + 1], ring[gap + 2], ring[gap + 3] = sample if is_held else unknown
            ring[place], ring[place + 1], ring[place + 2], ring[place + 3] = sample
        self._steps[0] = newest
        for coarse in range(1, len(SPANS)):
            self._average(coarse)

    def _average(self, coarse: int) -> None:
        """Fills the steps of a coarser span that are complete, from the samples of the finer one."""
        span, finer = SPANS[coarse], SPANS[coarse - 1]
        ratio = span.step // finer.step
        done = (self._steps[coarse - 1] + (coarse == 1)) // ratio  # the newest step of the minute is known already
        for step in range(max(self._steps[coarse], done - span.samples), done):
            place = _STARTS[coarse] + step % span.samples * _WIDTH
            # ratio divides the finer span's samples: they lie one after the other
            start = _STARTS[coarse - 1] + step * ratio % finer.samples * _WIDTH
            end = start + ratio * _WIDTH
            if step * ratio <= self._steps[coarse - 1] - finer.samples:
                start = end  # overwritten since: a gap
            for ring in self._rings.values():
                if len(ring) > len(_SHORT):
                    ring[place : place + _WIDTH] = _mean(ring[start:end])
        self._steps[coarse] = max(done, self._steps[coarse])

    def of(self, key: Hashable) -> list[float]:
        """Returns the connections/s of the last minute, oldest first, for a sparkline."""
        return [v for v in self.series(key, SPANS[0]) if not isnan(v)]

    def top(self, keys: Iterable[Hashable]) -> float:
        """Returns the end of a scale for the sparklines of all of them.

        Looks at the newest sample of each only, while the highest that it had before is not older than a minute.
        """
        newest = self._steps[0]
        place = newest % MAX_SAMPLES * _WIDTH
        before, self._peaks = self._peaks if newest - self._peaks_at <= 1 else {}, {}
        for key in keys:
            ring = self._rings.get(key)
            if ring is None:
                continue
            peak = before.get(key)
            if peak is not None and ring[place] >= peak[0]:
                peak = (ring[place], newest)
            elif peak is None or not newest - MAX_SAMPLES < peak[1] < newest:
                peak = _peak(ring, newest)
            self._peaks[key] = peak
        self._peaks_at = newest
        return nice_top(max((value for value, _ in self._peaks.values()), default=0.0))

    def series(self, key: Hashable, span: Span, channel: Channel = Channel.CONNECTIONS) -> list[float]:
        """Returns a value for each step of the span, oldest first; NaN where nothing is known."""
        ring, number = self._rings.get(key), SPANS.index(span)
        if ring is None or (number and len(ring) <= len(_SHORT)):
            return [nan] * span.samples
        start, end = _STARTS[number], _STARTS[number] + span.samples * _WIDTH
        values = ring[start + channel : end : _WIDTH].tolist()
        oldest = (self._steps[number] + (number == 0)) % span.samples
        return values[oldest:] + values[:oldest]

    def latest(self, key: Hashable, channel: Channel = Channel.CONNECTIONS) -> float:
        return self.series(key, SPANS[0], channel)[-1]


def nice_top(highest: float) -> float:
    """Returns the end of an axis: 1, 2 or 5 times a power of ten, so that it seldom changes."""
    if highest <= 1:
        return 1.0
    power = 10.0 ** floor(log10(highest))
    return next((f * power for f in (1, 2, 5) if f * power >= highest), 10 * power)


def _peak(ring: array[float], newest: int) -> tuple[float, int]:
    """Returns the most connections/s of the last minute and the step of that."""
    minute = ring[Channel.CONNECTIONS : MAX_SAMPLES * _WIDTH : _WIDTH]
    highest = max(chain((0.0,), minute))  # NaN is not greater than anything, so it never replaces the 0.0
    return highest, newest - (newest - minute.index(highest)) % MAX_SAMPLES if highest else newest


def _mean(samples: array[float]) -> array[float]:
    """Returns the mean of each channel of samples that lie one after the other; NaN where nothing is known."""
    if not samples:
        return _UNKNOWN
    first, raw = samples[:_WIDTH], samples.tobytes()
    if raw == first.tobytes() * (len(samples) // _WIDTH):  # traffic seldom changes within seconds
        return first
    means = array("f")
    for channel in Channel:
        known = [v for v in samples[channel::_WIDTH] if not isnan(v)]
        means.append(sum(known) / len(known) if known else nan)
    return means


def samples(observation: Observation, max_real_servers: int) -> dict[tuple[Hashable, ...], Sample]:
    """Returns the traffic by ("vip", address), by ``server_key``, and by (``server_key``, real server)."""
    values: dict[tuple[Hashable, ...], Sample] = {}
    servers = observation.virtual_servers or ()
    reals = sum(len(v.real_servers) for v in servers)
    for virtual in servers:
        key = server_key(virtual.protocol.value, virtual.name)
        opened = _opened(virtual)
        values[key] = sample = _sample(virtual.stats, sum(opened))
        if virtual.address:
            one, two, three, four = values.get(("vip", virtual.address), (0.0, 0.0, 0.0, 0.0))
            values["vip", virtual.address] = (one + sample[0], two + sample[1], three + sample[2], four + sample[3])
        if reals <= max_real_servers:
            for real, active in zip(virtual.real_servers, opened, strict=True):
                values[key, real.key] = _sample(real.stats, active)
    return values


def _opened(virtual: VirtualServerView) -> list[int]:
    if virtual.protocol is Protocol.UDP:
        return [(real.active or 0) + (real.inactive or 0) for real in virtual.real_servers]
    return [real.active or 0 for real in virtual.real_servers]


def _sample(stats: Stats | None, active: int) -> Sample:
    return (stats.cps, stats.in_bps, stats.out_bps, active) if stats else (0.0, 0.0, 0.0, active)


def server_key(protocol: str, name: str) -> tuple[str, str]:
    return (protocol, name)
