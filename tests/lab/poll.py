"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class PollTimeoutError(AssertionError):
    """The condition did not become true in time."""


def poll(condition: Callable[[], T | None], timeout: float, what: str | Callable[[], str], interval: float = 0.1) -> T:
    """Ask `condition` again and again until it gives something true; `what` says what was waited for."""
    deadline = time.monotonic() + timeout
    while True:
        if got := condition():
            return got
        if time.monotonic() > deadline:
            raise PollTimeoutError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(interval)
