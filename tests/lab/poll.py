"""Waiting for a condition, with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MIN_TIMEOUT = 120.0
"""Seconds that any condition is waited for at least: a limit ends what hangs, and a busy machine is slow."""


class PollTimeoutError(AssertionError):
    """The condition did not become true in time."""


def poll(
    condition: Callable[[], T | None], timeout: float, what: str | Callable[[], str], interval: float | None = None
) -> T:
    """Ask `condition` again and again until it gives something true; `what` says what was waited for.

    The limit is `timeout` seconds, but never less than `MIN_TIMEOUT`. Without `interval` (seconds) it is asked more and
    more seldom, up to twice a second: to ask costs a process in the lab, whose one CPU is what all others wait for.
    """
    timeout = max(timeout, MIN_TIMEOUT)
    began = time.monotonic()
    while True:
        if got := condition():
            return got
        waited = time.monotonic() - began
        if waited > timeout:
            raise PollTimeoutError(f"not within {timeout:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(min(0.5, max(0.05, waited / 6)) if interval is None else interval)
