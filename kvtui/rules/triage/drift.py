"""Differences between ConfigMap, config file and running config (``rules.mapping.drift``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.rules.identity_cache import IdentityCache
from kvtui.rules.mapping.controller import settings_of
from kvtui.rules.mapping.drift import Difference, DifferenceKind, drift
from kvtui.rules.mapping.expected import expected
from kvtui.rules.phrases import plural
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import first_of

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation

AT_START = frozenset({"priority", "unicast_peer"})
"""Values that the controller computes only at its start."""

_known: IdentityCache[tuple[Difference, ...] | None] = IdentityCache(4)


def differences(observation: Observation, conf: Conf | None) -> tuple[Difference, ...] | None:
    """Returns the differences between the expected config and ``conf``; None if unknown."""
    kube = observation.snapshot.kube
    if kube is None or conf is None:
        return None
    settings = settings_of(observation.snapshot)

    def compare() -> tuple[Difference, ...] | None:
        wanted = expected(kube, settings)
        return drift(wanted, conf) if wanted.read else None

    return _known.get((kube, conf), settings, compare)


def is_overwritten(observation: Observation) -> bool:
    """Returns whether the controller has overwritten a manual edit that keepalived still runs.

    keepalived-vip writes its file on every sync, but sends SIGHUP only if the text differs from what it wrote last.
    """
    file, running = observation.snapshot.conf, observation.snapshot.running
    if file is None or running is None or file.digest == running.digest:
        return False
    return differences(observation, file) == () and bool(differences(observation, running))


def overwritten(observation: Observation) -> Findings:
    """A manual edit runs until the next reload or restart, but no file has it."""
    snapshot = observation.snapshot
    if not is_overwritten(observation) or snapshot.conf is None:
        return
    who = snapshot.controller.name if snapshot.controller else "the controller"
    changes = differences(observation, snapshot.running) or ()
    yield finding(
        "config-overwritten",
        Severity.WARNING,
        f"{who} has overwritten {snapshot.conf.path}: no file has the running config any more",
        "the file matches the ConfigMap, the running config does not (conf, Kubernetes):",
        *first_of([d.text for d in changes]),
        "the next reload or restart applies the file",
        remedy="kvtui --dry-run reload  # shows what would change; make permanent changes in the ConfigMap",
        about=snapshot.conf.path,
        vips=(d.vip for d in changes),
    )


def not_expected(observation: Observation) -> Findings:
    """Keepalived does not run the config that the ConfigMap requires (keepalived-vip#84, #87; contrib#2736)."""
    running, file = observation.snapshot.running, observation.snapshot.conf
    runs = running or file
    changes = differences(observation, runs)
    if not changes or runs is None or is_overwritten(observation):
        return
    at_start = all(d.kind is DifferenceKind.INSTANCE_VALUE and d.value in AT_START for d in changes)
    file_differs = running is None or differences(observation, file)
    yield finding(
        "running-not-expected",
        Severity.INFO if at_start else Severity.WARNING,
        f"The running config does not match the ConfigMap: {plural(len(changes), 'difference')}",
        *first_of([d.text for d in changes]),
        f"the file {'does not match it either' if file_differs else 'matches it, but is not reloaded'} (conf)",
        remedy=(
            "kvtui render  # the expected config; then read the controller's log, or restart its pod"
            if file_differs
            else "kvtui reload"
        ),
        about=runs.path,
        vips=(d.vip for d in changes),
    )


RULES = (Rule(overwritten, ROLLOUT_SECONDS), Rule(not_expected, ROLLOUT_SECONDS))
