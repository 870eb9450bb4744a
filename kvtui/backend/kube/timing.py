"""How long to wait for what; one place, so that tests can be quick about it."""

from __future__ import annotations

import random

from kvtui.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds.

    Attributes:
        connect: for a connection, TLS included.
        answer: for the head of an answer, and between two pieces of a list.
        watch: how long the server is asked to keep a watch open; watches that live for ever pile up on one API server.
        pulse: between two questions whether the API still answers.
        pulse_patience: for that answer; a watch on a half-dead connection is silent, just as a quiet one is.
        first: before the first new attempt; doubled each time.
        longest: between two attempts.
        forbidden: between two attempts after 403: rights are seldom given within seconds, and each is logged there.
        renew: between two readings of a kubeconfig, which may run a plugin that asks a distant identity provider.
        publish: between two calls of ``changed``.
    """

    connect: float = 10.0
    answer: float = 30.0
    watch: float = 300.0
    pulse: float = 10.0
    pulse_patience: float = 5.0
    first: float = 0.5
    longest: float = 8.0
    forbidden: float = 30.0
    renew: float = 15.0
    publish: float = 0.05


class Backoff:
    """Growing pauses, each between half and all of its bound, so that many clients do not return in step.

    Args:
        timing: ``first`` and ``longest``.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._bound = timing.first

    def next(self, atleast: float = 0.0) -> float:
        """Seconds to pause now.

        Args:
            atleast: what the server asked for (Retry-After).
        """
        bound, self._bound = self._bound, min(self._bound * 2, self._timing.longest)
        return max(atleast, bound * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing

    def reset(self) -> None:
        """It went well: begin small again."""
        self._bound = self._timing.first
