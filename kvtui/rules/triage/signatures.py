"""A cluster whose roll-out of ``auth_hmac`` (keepalived 2.4) is half done, or went wrong, as the adverts show it.

keepalived verifies each signature in every mode, sends none in receive-only, and rejects unsigned adverts in enforce
only; without auth_hmac it rejects signed ones by their length (vrrp.c; measured with 2.4.3). Only its counters tell an
invalid HMAC: see ``rejections``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.vrrp import Advertiser, AuthHmac, HmacMode, HmacTrailer
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import InstanceRouter, describe
from kvtui.rules.vrrp.instances import AUTH_HMAC_VERSION

if TYPE_CHECKING:
    from kvtui.rules.triage.rule import Findings

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


def own_hmac(router: InstanceRouter) -> AuthHmac | None:
    """Returns the instance's auth_hmac; where its config is not known, what this node's own signed adverts tell."""
    signed = router.own.last.hmac if router.own else None
    if router.view.auth_hmac is not None or signed is None:
        return router.view.auth_hmac
    return AuthHmac(HmacMode.PERMISSIVE, signed.key_id, None, DEFAULT_WINDOW)


def _signed(router: InstanceRouter) -> list[tuple[Advertiser, HmacTrailer]]:
    return [(a, a.last.hmac) for a in router.other_masters if a.last.hmac is not None]


def unsigned_sender(router: InstanceRouter) -> Findings:
    """Another node does not sign its adverts, but this node signs (auth_hmac mode permissive) or requires it."""
    mine = own_hmac(router)
    if mine is None or mine.mode is HmacMode.RECEIVE_ONLY:
        return
    enforced = mine.mode is HmacMode.ENFORCE
    rejected = "this node rejects them: both become master"
    accepted = "this node accepts them; without auth_hmac, that node rejects the signed adverts of this one"
    for other in router.other_masters:
        if other.last.hmac or other.last.error:
            continue
        yield router.finding(
            "hmac-unsigned",
            Severity.CRITICAL if enforced else Severity.WARNING,
            f"{other.last.source} does not sign its adverts, but {router.instance.name} on this node "
            f"{'requires it' if enforced else 'signs'} (auth_hmac mode {mine.mode.value})",
            describe(other, router.now),
            f"they carry no signature: {rejected if enforced else accepted}",
            remedy=(
                START
                if enforced
                else f"on {other.last.source}: set mode permissive in auth_hmac; if it has none, {START}"
            ),
        )


def unexpected_signature(router: InstanceRouter) -> Findings:
    """Another node signs its adverts (auth_hmac), but this node has no auth_hmac: it rejects them by their length."""
    if router.snapshot.chosen_keepalived is None or router.configured is None or own_hmac(router):
        return
    old = router.version is not None and router.version < AUTH_HMAC_VERSION
    for other, hmac in _signed(router):
        yield router.finding(
            "hmac-not-configured",
            Severity.CRITICAL,
            f"{other.last.source} signs its adverts, but {router.instance.name} on this node has no auth_hmac",
            describe(other, router.now),
            f"signed with key {hmac.key_id}; this node rejects them as too long: both become master",
            remedy=f"{START}{' (keepalived here is too old: 2.4 or later has it)' if old else ''}",
        )


def unknown_key(router: InstanceRouter) -> Findings:
    """Another node signs its adverts with an auth_hmac key id that this node does not have."""
    mine = own_hmac(router)
    if mine is None or mine.key_ids is None:
        return
    for other, hmac in _signed(router):
        key = hmac.key_id
        if key not in mine.key_ids:
            yield router.finding(
                "hmac-unknown-key",
                Severity.CRITICAL,
                f"{other.last.source} signs its adverts with key {key}, which {router.instance.name} on this node "
                "lacks",
                describe(other, router.now),
                f"keys here: {listed(str(k) for k in sorted(mine.key_ids))}, active {mine.active_key} (conf)",
                "this node rejects these adverts in every mode: both become master",
                remedy=f"add key {key} to auth_hmac here, then: kvtui reload; a new key goes to all nodes first, then "
                "active_key",
            )


def stale_signature(router: InstanceRouter) -> Findings:
    """The clock of another node differs from this node's by more than auth_hmac's time_window, or by half of it."""
    mine = own_hmac(router)
    if mine is None or mine.time_window is None:
        return
    for other, hmac in _signed(router):
        skew = other.last.received - hmac.signed_at
        if abs(skew) <= mine.time_window / 2:
            continue
        stale = abs(skew) > mine.time_window
        yield router.finding(
            "hmac-stale",
            Severity.CRITICAL if stale else Severity.WARNING,
            f"{other.last.source} signs its adverts {abs(skew):.1f} s {'late' if skew > 0 else 'early'}: "
            + ("this node rejects them" if stale else "the clocks drift apart"),
            describe(other, router.now),
            f"time_window of {router.instance.name}: {mine.time_window} s; keepalived rejects what is older (conf)",
            remedy="chronyc tracking  # on both nodes, or timedatectl: which clock is wrong?",
        )


def malformed_signature(router: InstanceRouter) -> Findings:
    """Another node signs its adverts in a way that this keepalived does not know."""
    for other, hmac in _signed(router):
        if hmac.malformed and own_hmac(router) is not None:
            yield router.finding(
                "hmac-malformed",
                Severity.CRITICAL,
                f"{other.last.source} signs its adverts in scheme {hmac.scheme}, which keepalived here rejects",
                describe(other, router.now),
                "scheme 1 is HMAC-SHA256; both nodes become master",
                remedy=f"keepalived --version  # on {other.last.source}; use the same version on all nodes",
            )


def replayed(router: InstanceRouter) -> Findings:
    """Signed adverts of another node (auth_hmac) arrive again: somebody replays them, or its clock was set back."""
    for other in router.others:
        age = router.now - (other.replayed_at or 0.0)
        if other.replayed < MIN_REPLAYS or age > REPLAY_SECONDS:
            continue
        yield router.finding(
            "hmac-replay",
            Severity.WARNING,
            f"Signed adverts of {other.last.source} for {router.instance.name} arrive again",
            f"{other.replayed} adverts whose sequence did not grow, the last {max(0.0, age):.0f} s ago (adverts)",
            "keepalived rejects them; after its clock was set back, that of the sender too",
            remedy=f"tcpdump -eni {shell_word(router.instance.interface or 'any')} 'ip proto 112 or ip6 proto 112'  # "
            "whose MAC address sends them? On the sender: chronyc tracking",
        )
