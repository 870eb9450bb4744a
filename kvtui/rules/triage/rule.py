"""What a rule is."""

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
"""Seconds that an election, a health check or a restart may need: an advert or two, a dump, a child's start."""
ROLLOUT = 3.0
"""Seconds that a change needs to reach every node: keepalived-vip syncs at most once in 2 s, then reloads."""


class Rule(Struct, frozen=True):
    """One rule.

    Attributes:
        find: gives what it pending_findings in one observation; pure.
        after: seconds for which a suspicion must have held without a pause to be a finding; 0 for what no election,
            reload or flap brings about in passing.
    """

    find: Find
    after: float = 0.0
