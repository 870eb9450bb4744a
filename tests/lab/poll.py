"""Waits for a condition with a deadline, instead of a fixed sleep."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
MIN_TIMEOUT = 120.0
"""Minimum timeout in seconds. A timeout only ends a hang, and a busy machine is slow."""


class PollTimeoutError(AssertionError):
    """The condition did not become true in time."""


def poll(
    condition: Callable[[], T | None], timeout: float, what: str | Callable[[], str], interval: float | None = None
) -> T:
    """Calls `condition` until its result is true, and returns the result; `what` describes it in the error.

    The timeout is `timeout` seconds, but at least `MIN_TIMEOUT`. Without `interval` (seconds) the interval grows to
    half a second: a call often costs a process, and the lab has one CPU.
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
