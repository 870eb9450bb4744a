"""Sources that contradict each other: then what one of them lacks is not called absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain.owner import MAX_ADVERTISED
from kvtui.rules.phrases import listed
from kvtui.rules.triage.routers import InstanceRouter, describe, each_router
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.instances import listened_since, unexplained_adverts

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def own_adverts_unexplained(observation: Observation) -> Findings:
    """Adverts leave this node for a VRID that no keepalived, dump or config known here has (keepalived#1928)."""
    snapshot = observation.snapshot
    nowhere = (
        "kvtui finds no keepalived here"
        if snapshot.chosen is None
        else "neither keepalived's dump nor its config has it"
    )
    known = [str(i.vrid) for i in observation.vrrp_instances or ()]
    for advertiser in unexplained_adverts(snapshot):
        last = advertiser.last
        yield finding(
            "sources-contradict",
            Severity.WARNING,
            f"This node advertises VRID {last.vrid}, but {nowhere}",
            describe(advertiser, snapshot.time),
            f"its addresses: {listed(sorted(last.addresses)) or 'none'} (adverts)",
            f"VRIDs of the keepalived that kvtui reads: {listed(known) or 'none'} (dump, conf)",
            "so another keepalived sends them, or kvtui's reading is old or incomplete",
            remedy="ps -eo pid,ppid,etime,args | grep '[k]eepalived'  # then: kvtui --pid PID; in a pod: hostPID: true",
            about=f"VRID {last.vrid}",
            vips=last.addresses,
        )


def own_addresses_differ(router: InstanceRouter) -> Findings:
    """This node's adverts carry other addresses than keepalived's dump or config has: that reading is old."""
    sent = frozenset(router.own.last.addresses) if router.own and router.own_live else frozenset()
    known = frozenset(router.instance.advertised)
    if not sent or sent == known or len(router.instance.advertised) > MAX_ADVERTISED:
        return
    yield router.finding(
        "sources-contradict",
        Severity.WARNING,
        f"This node advertises other VIPs for {router.instance.name} than keepalived's dump or config has",
        f"only in its adverts: {listed(sorted(sent - known)) or 'none'} (adverts)",
        f"not in its adverts: {listed(sorted(known - sent)) or 'none'} (dump, conf)",
        "so kvtui's reading is old, or another keepalived sends them: what is missing here may exist",
        remedy="kvtui status  # how old is each source? kvtui requests a dump as root and without --read-only",
        vips=sorted(sent ^ known),
    )


def master_without_a_trace(router: InstanceRouter) -> Findings:
    """Keepalived's dump says MASTER, but the VIPs are on no interface and no advert leaves (keepalived-vip#54)."""
    snapshot = router.snapshot
    if router.instance.state is not VrrpState.MASTER or router.view.state is not VrrpState.UNKNOWN:
        return
    if snapshot.addresses is None or listened_since(snapshot, router.instance) is None or router.own_live:
        return
    dump = snapshot.source(SourceName.VRRP).age(router.now)
    yield router.finding(
        "sources-contradict",
        Severity.CRITICAL,
        f"keepalived says that it is MASTER of {router.instance.name}, but holds no VIP and sends no advert",
        f"MASTER {'' if dump is None else f'{dump:.0f} s ago '}(dump)",
        f"{listed(router.vips)} on no interface (addresses)",
        "no advert of this node (adverts)",
        remedy=f"{log_command(snapshot)}  # what happened last? A keepalived that hangs must be restarted",
    )


RULES = (
    Rule(own_adverts_unexplained, ROLLOUT_SECONDS),
    Rule(each_router(own_addresses_differ), ROLLOUT_SECONDS),
    Rule(each_router(master_without_a_trace), ROLLOUT_SECONDS),
)
