"""A cluster whose roll-out of ``auth_hmac`` (keepalived 2.4) is half done, or went wrong, as the adverts show it.

keepalived verifies each signature in every mode, sends none in receive-only, and rejects unsigned adverts in enforce
only; without auth_hmac it rejects signed ones by their length (vrrp.c; measured with 2.4.3). Only its counters tell an
invalid HMAC: see ``rejections``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.keepalived import parse_version
from kvtui.model.vrrp import AuthHmac, HmacMode
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import describe
from kvtui.rules.vrrp.instances import AUTH_HMAC_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.triage.routers import Router

MIN_REPLAYS = 2
DEFAULT_WINDOW = 5
"""Seconds; of an instance whose config is not known."""
REPLAY_SECONDS = 60.0
"""Replays this long ago are over."""
START = (
    "set mode receive-only in auth_hmac on every node that signs, then: kvtui reload; configure auth_hmac with the "
    "same keys on all nodes; then mode permissive on all, then enforce on all"
)
"""From each state of a roll-out: nodes that do not sign accept each other at once."""


def own_hmac(router: Router) -> AuthHmac | None:
    """Returns the instance's auth_hmac; where its config is not known, what this node's own signed adverts tell."""
    signed = router.own.last.hmac if router.own else None
    if router.view.auth_hmac is not None or signed is None:
        return router.view.auth_hmac
    return AuthHmac(HmacMode.PERMISSIVE, signed.key_id, None, DEFAULT_WINDOW)


def unsigned_sender(_observation: Observation, router: Router) -> Iterator[Finding]:
    """Another node does not sign its adverts, but this node signs (auth_hmac mode permissive) or requires it."""
    mine = own_hmac(router)
    if mine is None or mine.mode is HmacMode.RECEIVE_ONLY:
        return
    enforced = mine.mode is HmacMode.ENFORCE
    for other in router.other_masters:
        if other.last.hmac or other.last.error:
            continue
        rejected = "this node rejects them: both become master"
        accepted = "this node accepts them; without auth_hmac, that node rejects the signed adverts of this one"
        yield Finding(
            "hmac-unsigned",
            Severity.CRITICAL if enforced else Severity.WARNING,
            f"{other.last.source} does not sign its adverts, but {router.instance.name} on this node "
            f"{'requires it' if enforced else 'signs'} (auth_hmac mode {mine.mode.value})",
            (describe(other, router.now), f"they carry no signature: {rejected if enforced else accepted}"),
            START if enforced else f"on {other.last.source}: set mode permissive in auth_hmac; if it has none, {START}",
            router.instance.name,
            router.vips,
        )


def unexpected_signature(observation: Observation, router: Router) -> Iterator[Finding]:
    """Another node signs its adverts (auth_hmac), but this node has no auth_hmac: it rejects them by their length."""
    chosen, conf = observation.snapshot.chosen_keepalived, observation.snapshot.effective_conf
    if chosen is None or conf is None or conf.instance(router.instance.name) is None or own_hmac(router):
        return
    version = parse_version(chosen.version or "")
    old = version is not None and version < AUTH_HMAC_VERSION
    for other in router.other_masters:
        if other.last.hmac is None:
            continue
        yield Finding(
            "hmac-not-configured",
            Severity.CRITICAL,
            f"{other.last.source} signs its adverts, but {router.instance.name} on this node has no auth_hmac",
            (
                describe(other, router.now),
                f"signed with key {other.last.hmac.key_id}; this node rejects them as too long: both become master",
            ),
            f"{START}{' (keepalived here is too old: 2.4 or later has it)' if old else ''}",
            router.instance.name,
            router.vips,
        )


def unknown_key(_observation: Observation, router: Router) -> Iterator[Finding]:
    """Another node signs its adverts with an auth_hmac key id that this node does not have."""
    mine = own_hmac(router)
    if mine is None or mine.key_ids is None:
        return
    for other in router.other_masters:
        if other.last.hmac is None or other.last.hmac.key_id in mine.key_ids:
            continue
        key = other.last.hmac.key_id
        yield Finding(
            "hmac-unknown-key",
            Severity.CRITICAL,
            f"{other.last.source} signs its adverts with key {key}, which {router.instance.name} on this node lacks",
            (
                describe(other, router.now),
                f"keys here: {listed(str(k) for k in sorted(mine.key_ids))}, active {mine.active_key} (conf)",
                "this node rejects these adverts in every mode: both become master",
            ),
            f"add key {key} to auth_hmac here, then: kvtui reload; a new key goes to all nodes first, then active_key",
            router.instance.name,
            router.vips,
        )


def stale_signature(_observation: Observation, router: Router) -> Iterator[Finding]:
    """The clock of another node differs from this node's by more than auth_hmac's time_window, or by half of it."""
    mine = own_hmac(router)
    if mine is None or mine.time_window is None:
        return
    for other in router.other_masters:
        if other.last.hmac is None:
            continue
        skew = other.last.received - other.last.hmac.signed_at
        stale = abs(skew) > mine.time_window
        if abs(skew) <= mine.time_window / 2:
            continue
        yield Finding(
            "hmac-stale",
            Severity.CRITICAL if stale else Severity.WARNING,
            f"{other.last.source} signs its adverts {abs(skew):.1f} s {'late' if skew > 0 else 'early'}: "
            + ("this node rejects them" if stale else "the clocks drift apart"),
            (
                describe(other, router.now),
                f"time_window of {router.instance.name}: {mine.time_window} s; keepalived rejects what is older (conf)",
            ),
            "chronyc tracking  # on both nodes, or timedatectl: which clock is wrong?",
            router.instance.name,
            router.vips,
        )


def malformed_signature(_observation: Observation, router: Router) -> Iterator[Finding]:
    """Another node signs its adverts in a way that this keepalived does not know."""
    if own_hmac(router) is None:
        return
    for other in router.other_masters:
        if other.last.hmac is None or not other.last.hmac.malformed:
            continue
        yield Finding(
            "hmac-malformed",
            Severity.CRITICAL,
            f"{other.last.source} signs its adverts in scheme {other.last.hmac.scheme}, which keepalived here rejects",
            (describe(other, router.now), "scheme 1 is HMAC-SHA256; both nodes become master"),
            f"keepalived --version  # on {other.last.source}; use the same version on all nodes",
            router.instance.name,
            router.vips,
        )


def replayed(_observation: Observation, router: Router) -> Iterator[Finding]:
    """Signed adverts of another node (auth_hmac) arrive again: somebody replays them, or its clock was set back."""
    for other in router.others:
        if other.replayed < MIN_REPLAYS or router.now - (other.replayed_at or 0.0) > REPLAY_SECONDS:
            continue
        yield Finding(
            "hmac-replay",
            Severity.WARNING,
            f"Signed adverts of {other.last.source} for {router.instance.name} arrive again",
            (
                f"{other.replayed} adverts whose sequence did not grow, the last {_ago(other, router)} ago (adverts)",
                "keepalived rejects them; after its clock was set back, that of the sender too",
            ),
            f"tcpdump -eni {shell_word(router.instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'  # whose "
            "MAC address sends them? On the sender: chronyc tracking",
            router.instance.name,
            router.vips,
        )


def _ago(other: Advertiser, router: Router) -> str:
    return f"{max(0.0, router.now - (other.replayed_at or router.now)):.0f} s"
