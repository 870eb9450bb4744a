"""Sources that contradict each other: then what one of them lacks is not called absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain.owner import MAX_ADVERTISED
from kvtui.rules.phrases import listed
from kvtui.rules.triage.routers import describe, each_router
from kvtui.rules.triage.rule import ROLLOUT, Rule
from kvtui.rules.triage.words import log_command
from kvtui.rules.vrrp.instances import listened_since, unexplained_adverts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.routers import Router


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


def own_addresses_differ(_observation: Observation, router: Router) -> Iterator[Finding]:
    """This node's adverts carry other addresses than keepalived's dump or config has: that reading is old."""
    sent = frozenset(router.own.last.addresses) if router.own and router.own_live else frozenset()
    known = router.instance.advertised
    if not sent or sent == {*known} or len(known) > MAX_ADVERTISED:
        return
    yield Finding(
        "sources-contradict",
        Severity.WARNING,
        f"This node advertises other VIPs for {router.instance.name} than keepalived's dump or config has",
        (
            f"only in its adverts: {listed(sorted(sent - {*known})) or 'none'} (adverts)",
            f"not in its adverts: {listed(sorted({*known} - sent)) or 'none'} (dump, conf)",
            "so kvtui's reading is old, or another keepalived sends them: what is missing here may exist",
        ),
        "kvtui status  # how old is each source? kvtui requests a dump as root and without --read-only",
        router.instance.name,
        tuple(sorted(sent ^ {*known})),
    )


def master_without_a_trace(observation: Observation, router: Router) -> Iterator[Finding]:
    """Keepalived's dump says MASTER, but the VIPs are on no interface and no advert leaves (keepalived-vip#54)."""
    snapshot = observation.snapshot
    if router.instance.state is not VrrpState.MASTER or router.view.state is not VrrpState.UNKNOWN:
        return
    if snapshot.addresses is None or listened_since(snapshot, router.instance) is None or router.own_live:
        return
    dump = snapshot.source(SourceName.VRRP).age(router.now)
    yield Finding(
        "sources-contradict",
        Severity.CRITICAL,
        f"keepalived says that it is MASTER of {router.instance.name}, but holds no VIP and sends no advert",
        (
            f"MASTER {'' if dump is None else f'{dump:.0f} s ago '}(dump)",
            f"{listed(router.vips)} on no interface (addresses)",
            "no advert of this node (adverts)",
        ),
        f"{log_command(observation)}  # what happened last? A keepalived that hangs must be restarted",
        router.instance.name,
        router.vips,
    )


RULES = (
    Rule(own_adverts_unexplained, ROLLOUT),
    Rule(each_router(own_addresses_differ), ROLLOUT),
    Rule(each_router(master_without_a_trace), ROLLOUT),
)
