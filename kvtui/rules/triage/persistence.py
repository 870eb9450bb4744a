"""Persistence that keeps clients on a real server which takes no new ones (keepalived-vip#117).

Both sysctls are 0 by default, and that does no harm until a real server of a persistent virtual server is drained or
removed; only then do these rules speak (ip_vs_core.c, ``ip_vs_check_template``; ip_vs_in).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import RealServerState
from kvtui.rules.triage.kernel import odd
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import group, vips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.rules.triage.condition_history import ConditionHistory

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
NODEST = "net.ipv4.vs.expire_nodest_conn"


def _persistent(
    seen: Observation, *states: RealServerState
) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    for virtual, reals in odd(seen, lambda r: r.state in states):
        if virtual.persistence_timeout:
            yield virtual, reals


def pinned_to_drained(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Returning clients go on reaching a server of weight 0."""
    if (seen.snapshot.sysctls or {}).get(QUIESCENT) != 0:
        return
    for virtual, reals in _persistent(seen, RealServerState.DRAINED, RealServerState.FAILED):
        pinned = [r for r in reals if r.persistent != 0]
        if not pinned:
            continue
        what, subject, _words = group(virtual, pinned)
        counts = [r.persistent for r in pinned if r.persistent is not None]
        number = f"{sum(counts)} persistence templates" if counts else "an unknown number of persistence templates"
        yield Finding(
            "persistence-pins-drained",
            Severity.WARNING,
            f"{subject}: persistence keeps clients on it though its weight is 0",
            (
                f"{number}, each lives {virtual.persistence_timeout} s after the client's last connection (ipvs)",
                f"{QUIESCENT} = 0: a template outlives the drain (sysctl)",
            ),
            f"sysctl -w {QUIESCENT}=1  # or: kvtui drain {pinned[0].address}:{pinned[0].port} --fix-persistence",
            what,
            vips_of(virtual),
        )


def pinned_to_removed(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Connections to a server that left the table hang until they time out."""
    if (seen.snapshot.sysctls or {}).get(NODEST) != 0:
        return
    for virtual, reals in _persistent(seen, RealServerState.REMOVED):
        what, subject, _words = group(virtual, reals)
        yield Finding(
            "persistence-pins-removed",
            Severity.WARNING,
            f"{subject}: clients that persistence has pinned to it hang",
            (
                f"it left the IPVS table; {virtual.name} is persistent for {virtual.persistence_timeout} s (ipvs)",
                f"{NODEST} = 0: packets of its connections are dropped silently until they expire (sysctl)",
            ),
            f"sysctl -w {NODEST}=1",
            what,
            vips_of(virtual),
        )


RULES = (Rule(pinned_to_drained, PASSING), Rule(pinned_to_removed, PASSING))
