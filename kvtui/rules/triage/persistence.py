"""Persistence that keeps clients on a drained or removed real server (keepalived-vip#117).

Both sysctls are 0 by default. That is harmless until a real server of a persistent virtual server is drained or
removed; only then these rules report it (ip_vs_core.c: ``ip_vs_check_template``, ``ip_vs_in``).
"""

from __future__ import annotations

from kvtui.model.finding import Severity
from kvtui.model.observation import Observation, RealServerState
from kvtui.rules.ipvsadm import address_word
from kvtui.rules.triage.reals import unusual_reals
from kvtui.rules.triage.rule import TRANSIENT_SECONDS, Findings, Rule
from kvtui.rules.triage.words import real_name

QUIESCENT = "net.ipv4.vs.expire_quiescent_template"
NODEST = "net.ipv4.vs.expire_nodest_conn"
WEIGHT_0 = frozenset({RealServerState.DRAINED, RealServerState.FAILED})


def pinned_to_drained(observation: Observation) -> Findings:
    """Returning clients still reach a server with weight 0."""
    if (observation.snapshot.sysctls or {}).get(QUIESCENT) != 0:
        return
    for pinned in unusual_reals(
        observation, lambda v, r: bool(v.persistence_timeout) and r.state in WEIGHT_0 and r.persistent != 0
    ):
        counts = [r.persistent for r in pinned.reals if r.persistent is not None]
        number = f"{sum(counts)} persistence templates" if counts else "an unknown number of persistence templates"
        timeout, server = pinned.virtual.persistence_timeout, real_name(pinned.reals[0])
        yield pinned.finding(
            "persistence-pins-drained",
            Severity.WARNING,
            f"{pinned.subject}: persistence sends returning clients to it although its weight is 0",
            f"{number}; each expires {timeout} s after the client's last connection (ipvs)",
            f"{QUIESCENT} = 0: templates stay valid after the drain (sysctl)",
            remedy=f"sysctl -w {QUIESCENT}=1  # or: kvtui drain {address_word(server)} --fix-persistence",
        )


def pinned_to_removed(observation: Observation) -> Findings:
    """Connections to a removed server hang until they time out."""
    if (observation.snapshot.sysctls or {}).get(NODEST) != 0:
        return
    removed = RealServerState.REMOVED
    for pinned in unusual_reals(observation, lambda v, r: bool(v.persistence_timeout) and r.state is removed):
        virtual = pinned.virtual
        yield pinned.finding(
            "persistence-pins-removed",
            Severity.WARNING,
            f"{pinned.subject}: connections of its persistent clients hang",
            f"not in the IPVS table; {virtual.name} is persistent for {virtual.persistence_timeout} s (ipvs)",
            f"{NODEST} = 0: the kernel drops packets of its connections until they expire (sysctl)",
            remedy=f"sysctl -w {NODEST}=1",
        )


RULES = (Rule(pinned_to_drained, TRANSIENT_SECONDS), Rule(pinned_to_removed, TRANSIENT_SECONDS))
