"""What the ConfigMap asks, what the file says and what keepalived runs, where they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.rules.triage.rule import Rule

RULES: tuple[Rule, ...] = ()
