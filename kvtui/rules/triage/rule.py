"""The type of a triage rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

Find = Callable[["Observation", "ConditionHistory"], "Iterator[Finding]"]

PASSING = 2.0
"""Seconds that an election, a health check or a restart takes: one or two adverts, a dump, the start of a child."""
ROLLOUT = 3.0
"""Seconds until a change reaches every node: keepalived-vip syncs at most every 2 s, then reloads."""


class Rule(Struct, frozen=True):
    """One rule.

    Attributes:
        find: returns the problems in one observation; pure.
        after: seconds that a problem must persist to be reported; 0 for problems that an election, a reload or a
            flapping check does not cause.
    """

    find: Find
    after: float = 0.0
