"""How long to wait for what; one place, so that tests can be quick about it."""

from __future__ import annotations

import random

from msgspec import Struct


class Timing(Struct, frozen=True):
    """Seconds.

    Attributes:
        connect: for a connection, TLS included.
        answer: for the head of an answer, and between two pieces of a list.
        watch: how long the server is asked to keep a watch open; watches that never end pile up on one API server.
        quiet: a watch without any event or bookmark for so long is opened again; the API sends a bookmark a minute.
        probe: between two health probes.
        probe_timeout: for a probe's answer; a watch on a half-dead connection is silent, just as a quiet one is.
        probe_failing: between two probes while the API cannot be reached: what happened meanwhile is soon on screen.
        first: before the first new attempt; doubled each time.
        longest: between two attempts.
        refused: between two attempts after a 403 that may pass.
        pending: how long a 403 may pass: an API server answers 403 until it has loaded its rights.
        forbidden: at most so long between two attempts after a 403 that persists; each is logged there.
        renew: between two readings of a kubeconfig, which may run a plugin that asks a distant identity provider.
        plugin: how long an exec plugin may take; some ask a distant identity provider.
        publish: between two calls of ``changed``.
        alive: between two signs of life of the API's process; four missing ones, and it is started again.
    """

    connect: float = 10.0
    answer: float = 30.0
    watch: float = 300.0
    quiet: float = 150.0
    probe: float = 10.0
    probe_timeout: float = 5.0
    probe_failing: float = 0.5
    first: float = 0.5
    longest: float = 8.0
    refused: float = 1.0
    pending: float = 10.0
    forbidden: float = 30.0
    renew: float = 15.0
    plugin: float = 60.0
    publish: float = 0.05
    alive: float = 5.0


class Backoff:
    """Growing pauses, each between half and all of its bound, so that many clients do not return in step."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._bound = first

    def next(self, at_least: float = 0.0) -> float:
        """Returns the seconds to pause now; ``at_least`` is what the server asked for (Retry-After)."""
        bound, self._bound = self._bound, min(self._bound * 2, self._longest)
        return max(at_least, bound * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        self._bound = self._first
