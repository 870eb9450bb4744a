"""Sources that contradict each other: then what one of them lacks is not called absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.rules.phrases import listed
from kvtui.rules.triage.routers import describe
from kvtui.rules.triage.rule import ROLLOUT, Rule
from kvtui.rules.vrrp.instances import unexplained_adverts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation


def own_adverts_unexplained(observation: Observation) -> Iterator[Finding]:
    """Adverts leave this node for a VRID that no keepalived, dump or config known here has (keepalived#1928)."""
    snapshot = observation.snapshot
    for advertiser in unexplained_adverts(snapshot):
        last = advertiser.last
        known = [str(i.vrid) for i in observation.vrrp_instances or ()]
        yield Finding(
            "sources-contradict",
            Severity.WARNING,
            f"This node advertises VRID {last.vrid}, but "
            + (
                "kvtui finds no keepalived here"
                if snapshot.chosen is None
                else "neither keepalived's dump nor its config has it"
            ),
            (
                describe(advertiser, snapshot.time),
                f"its addresses: {listed(sorted(last.addresses)) or 'none'} (adverts)",
                f"VRIDs of the keepalived that kvtui reads: {listed(known) or 'none'} (dump, conf)",
                "so another keepalived sends them, or kvtui's reading is old or incomplete",
            ),
            "ps -eo pid,ppid,etime,args | grep '[k]eepalived'  # then: kvtui --pid PID; in a pod: hostPID: true",
            f"VRID {last.vrid}",
            last.addresses,
        )


RULES = (Rule(own_adverts_unexplained, ROLLOUT),)
