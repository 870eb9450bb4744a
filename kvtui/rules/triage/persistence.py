"""Persistence that keeps clients on a drained or removed real server (keepalived-vip#117).

Both sysctls are 0 by default. That is harmless until a real server of a persistent virtual server is drained or
removed; only then these rules report it (ip_vs_core.c: ``ip_vs_check_template``, ``ip_vs_in``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import RealServerState
from kvtui.rules.ipvsadm import address_word
from kvtui.rules.triage.kernel import unusual_reals
from kvtui.rules.triage.rule import PASSING, Rule
from kvtui.rules.triage.words import group, real_name, vips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
NODEST = "net.ipv4.vs.expire_nodest_conn"


def _persistent(
    observation: Observation, *states: RealServerState
) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    for virtual, reals in unusual_reals(observation, lambda r: r.state in states):
        if virtual.persistence_timeout:
            yield virtual, reals


def pinned_to_drained(observation: Observation) -> Iterator[Finding]:
    """Returning clients still reach a server with weight 0."""
    if (observation.snapshot.sysctls or {}).get(QUIESCENT) != 0:
        return
    for virtual, reals in _persistent(observation, RealServerState.DRAINED, RealServerState.FAILED):
        pinned = [r for r in reals if r.persistent != 0]
        if not pinned:
            continue
        target, subject = group(virtual, pinned)
        counts = [r.persistent for r in pinned if r.persistent is not None]
        number = f"{sum(counts)} persistence templates" if counts else "an unknown number of persistence templates"
        yield Finding(
            "persistence-pins-drained",
            Severity.WARNING,
            f"{subject}: persistence sends returning clients to it although its weight is 0",
            (
                f"{number}; each expires {virtual.persistence_timeout} s after the client's last connection (ipvs)",
                f"{QUIESCENT} = 0: templates stay valid after the drain (sysctl)",
            ),
            f"sysctl -w {QUIESCENT}=1  # or: kvtui drain {address_word(real_name(pinned[0]))} --fix-persistence",
            target,
            vips_of(virtual),
        )


def pinned_to_removed(observation: Observation) -> Iterator[Finding]:
    """Connections to a removed server hang until they time out."""
    if (observation.snapshot.sysctls or {}).get(NODEST) != 0:
        return
    for virtual, reals in _persistent(observation, RealServerState.REMOVED):
        target, subject = group(virtual, reals)
        yield Finding(
            "persistence-pins-removed",
            Severity.WARNING,
            f"{subject}: connections of its persistent clients hang",
            (
                f"not in the IPVS table; {virtual.name} is persistent for {virtual.persistence_timeout} s (ipvs)",
                f"{NODEST} = 0: the kernel drops packets of its connections until they expire (sysctl)",
            ),
            f"sysctl -w {NODEST}=1",
            target,
            vips_of(virtual),
        )


RULES = (Rule(pinned_to_drained, PASSING), Rule(pinned_to_removed, PASSING))
