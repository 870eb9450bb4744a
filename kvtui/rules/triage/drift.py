"""What the ConfigMap asks, what the file says and what keepalived runs, where they differ (``rules.mapping.drift``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.rules.identity_cache import Remembered
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.mapping.drift import Difference, DifferenceKind, drift
from kvtui.rules.mapping.expected import expected
from kvtui.rules.triage.rule import ROLLOUT, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory

MOST = 6
"""Differences that are told; the rest is counted."""
AT_START = frozenset({"priority", "unicast_peer"})
"""What the controller works out once: nodes that came since are no fault of the config."""

_known: Remembered[tuple[Difference, ...] | None] = Remembered(4)


def differences(seen: Observation, conf: Conf | None) -> tuple[Difference, ...] | None:
    """Where a config is not what the ConfigMap asks; None when that cannot be told."""
    kube = seen.snapshot.kube
    if kube is None or conf is None:
        return None
    settings = settings_of(seen.snapshot)

    def compare() -> tuple[Difference, ...] | None:
        wanted = expected(kube, settings)
        return drift(wanted, conf) if wanted.read else None

    return _known.get((kube, conf), settings, compare)


def is_overwritten(seen: Observation) -> bool:
    """The file is what the controller writes, keepalived runs something else: a hand edit that was reloaded is lost.

    keepalived-vip writes its file on every sync, and sends SIGHUP only when the text is not what it wrote last.
    """
    file, running = seen.snapshot.conf, seen.snapshot.running
    if file is None or running is None or file.digest == running.digest:
        return False
    return differences(seen, file) == () and bool(differences(seen, running))


def overwritten(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """What was edited by hand runs on until the next SIGHUP or restart, and is in no file any more."""
    if not is_overwritten(seen) or seen.snapshot.conf is None:
        return
    chosen = seen.snapshot.chosen_keepalived
    who = chosen.controller.name if chosen and chosen.controller else "the controller"
    found = differences(seen, seen.snapshot.running) or ()
    yield Finding(
        "config-overwritten",
        Severity.WARNING,
        f"{who} has overwritten {seen.snapshot.conf.path}: what keepalived runs is in no file any more",
        (
            "the file is what the ConfigMap asks (conf, Kubernetes); keepalived runs with differences:",
            *_told(found),
            "the next SIGHUP or restart makes the file run",
        ),
        "kvtui --dry-run reload  # shows what would change; keep what you want by the ConfigMap, not by the file",
        seen.snapshot.conf.path,
        _vips(found),
    )


def not_expected(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """What the ConfigMap asks does not run (keepalived-vip#84, #87; contrib#2736)."""
    running, file = seen.snapshot.running, seen.snapshot.conf
    runs = running or file
    found = differences(seen, runs)
    if not found or runs is None or is_overwritten(seen):
        return
    at_start = all(d.kind is DifferenceKind.INSTANCE_VALUE and d.value in AT_START for d in found)
    written = running is None or differences(seen, file)
    yield Finding(
        "running-not-expected",
        Severity.INFO if at_start else Severity.WARNING,
        f"keepalived does not run what the ConfigMap asks: {len(found)} difference{'s' if len(found) > 1 else ''}",
        (
            *_told(found),
            f"{'neither does the file say so' if written else 'the file says so, it is not reloaded'} (conf)",
        ),
        "kvtui render  # what the controller should have written; then its log: why did it not? Restart its pod"
        if written
        else "kvtui reload",
        runs.path,
        _vips(found),
    )


def _told(found: tuple[Difference, ...]) -> Iterator[str]:
    yield from (d.text for d in found[:MOST])
    if len(found) > MOST:
        yield f"and {len(found) - MOST} more"


def _vips(found: tuple[Difference, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d.vip for d in found if d.vip))


RULES = (Rule(overwritten, ROLLOUT), Rule(not_expected, ROLLOUT))
