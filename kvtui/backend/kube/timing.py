"""How long to wait for what; one place, so that tests can be quick about it."""

from __future__ import annotations

import random

from msgspec import Struct


class Timing(Struct, frozen=True):
    """All in seconds."""

    connect: float = 10.0  # for a connection, TLS included
    answer: float = 30.0  # for the head of an answer, and between two pieces of a list
    watch: float = 300.0  # that the server keeps a watch open: watches that never end pile up on one API server
    silence_timeout: float = 150.0  # without event or bookmark: the watch is opened again; the API sends one a minute
    probe: float = 10.0  # between two health probes
    probe_timeout: float = 5.0  # for a probe's answer
    probe_failing: float = 0.5  # between two probes while the API cannot be reached, so that changes are soon on screen
    first_pause: float = 0.5  # before the first new attempt; doubled each time
    max_pause: float = 8.0  # between two attempts
    refused: float = 1.0  # between two attempts after a 403 that may pass
    pending: float = 10.0  # that a 403 may last: an API server answers 403 until it has loaded its rights
    forbidden: float = 30.0  # at most so long between two attempts after a 403 that persists; each is logged there
    renew: float = 15.0  # between two readings of a kubeconfig, which may run a plugin
    plugin: float = 60.0  # that an exec plugin may take; some ask a distant identity provider
    publish: float = 0.05  # between two calls of ``changed``
    alive: float = 5.0  # between two signs of life of the API's process; four missing ones, and it is started again


class Backoff:
    """Growing pauses, each between half and all of its bound, so that many clients do not return in step."""

    def __init__(self, first_pause: float, max_pause: float) -> None:
        self._first_pause, self._max_pause = first_pause, max_pause
        self._bound = first_pause

    def next(self, at_least: float = 0.0) -> float:
        """Returns the seconds to pause now; ``at_least`` is what the server asked for (Retry-After)."""
        bound, self._bound = self._bound, min(self._bound * 2, self._max_pause)
        return max(at_least, bound * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        self._bound = self._first_pause
