"""Tries the checks that a reload brings, before the reload."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.model.check import Check, CheckResult

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping

    from kvtui.backend.checks.runner import Prospect
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

MAX_CHECKS = 20
"""More new or changed checks than this are not tried."""
MAX_SECONDS = 5.0
"""A plan waits no longer for one check, also where keepalived does."""
AT_ONCE = 4
FRESH_SECONDS = 20.0
"""A plan that is made again within this time, as at its confirmation, does not run the checks again."""


class CheckBackend(Protocol):
    """The part of an ``ActionBackend`` that runs checks."""

    def prospect(self, keepalived: Keepalived, check: Check, settings: Mapping[str, str]) -> Prospect:
        """Reads how a check would run; starts nothing. ``settings`` are those of ``global_defs``."""

    async def run_check(self, keepalived: Keepalived, prospect: Prospect) -> CheckResult: ...


def new_checks(old: Conf | None, new: Conf | None) -> tuple[Check, ...]:
    """Returns the checks of the new config that the old one does not have, or not so; none if one is unknown."""
    if old is None or new is None:
        return ()
    known = {c.identity for c in old.checks}
    return tuple(c for c in new.checks if c.identity not in known)


class Trials:
    """Keeps the newest results for a moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: tuple[Hashable, float, tuple[CheckResult, ...]] = (None, 0.0, ())

    async def try_checks(
        self, backend: CheckBackend, keepalived: Keepalived, old: Conf | None, new: Conf | None
    ) -> tuple[CheckResult, ...]:
        """Runs each new or changed check once. ``passed`` is None for one that was not tried."""
        found = new_checks(old, new)
        if not found or new is None:
            return ()
        key = (keepalived.pid, keepalived.start_ticks, new.globals, found)
        if self._last[0] == key and self._clock() - self._last[1] < FRESH_SECONDS:
            return self._last[2]
        turns = asyncio.Semaphore(AT_ONCE)

        async def tried(check: Check) -> CheckResult:
            async with turns:
                return await _tried(backend, keepalived, check, new)

        results = await asyncio.gather(*map(tried, found[:MAX_CHECKS]))
        left = (CheckResult(c, None, f"more than {MAX_CHECKS} checks are new") for c in found[MAX_CHECKS:])
        self._last = (key, self._clock(), (*results, *left))
        return self._last[2]


async def _tried(backend: CheckBackend, keepalived: Keepalived, check: Check, conf: Conf) -> CheckResult:
    limited = replace(check, timeout=min(check.timeout, MAX_SECONDS))
    prospect = await asyncio.to_thread(backend.prospect, keepalived, limited, conf.globals)
    if prospect.unsafe:
        return CheckResult(check, None, prospect.unsafe)
    result = await backend.run_check(keepalived, prospect)
    if check.timeout > MAX_SECONDS and result.seconds >= MAX_SECONDS:  # it may have ended on the signal
        return CheckResult(check, None, f"no result within {MAX_SECONDS:g} s; keepalived waits {check.timeout:g} s")
    return replace(result, check=check)


def trial_notes(results: tuple[CheckResult, ...]) -> Iterator[Note]:
    """Yields what a plan says of them: each failure, and how many pass."""
    yield from (Note(NoteSeverity.WARNING, r.sentence) for r in results if r.passed is False)
    yield from (Note(NoteSeverity.NOTE, r.sentence) for r in results if r.passed is None)
    passed = [r.check.title for r in results if r.passed]
    if passed:
        more = f" and {len(passed) - 3} more" if len(passed) > 3 else ""
        yield Note(NoteSeverity.NOTE, f"tried now, pass: {', '.join(passed[:3])}{more}")
