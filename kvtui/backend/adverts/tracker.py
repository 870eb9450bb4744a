"""Tracks advertisers and their transitions from adverts alone. No I/O, no clock.

A virtual router is a VRID of one IP version on one interface (RFC 5798 section 1: "on a LAN"). Its master is
the router that advertises. When a better router takes over, the old master sends at most one more advert; two that both
continue do not receive each other's adverts. ``rules.vrrp.claims`` decides who is master now.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.backend.adverts.decode import believable
from kvtui.model.vrrp import AddressFamily, Advert, Advertiser, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ADVERTISERS = 256
MAX_TRANSITIONS = 200

PAUSE_GAPS = 2.0  # usual gaps without an advert after which its sender has paused
RECENT_GAPS = 6  # gaps between adverts that are kept, to know how slow a busy sender is
RIVAL_OVERLAP_INTERVALS = 0.9
"""Two that both advertise for this long are rivals; the last advert in a takeover comes earlier."""
SILENCE_INTERVALS = 4.5
"""Without an advert for this long, no backup takes over: the slowest waits 4 (RFC 5798 section 6.1)."""
MAX_TIME_WINDOW = 300.0  # seconds (vrrp_auth_hmac.h)
SAME_EVENT_SECONDS = 0.1
"""The same transition within this time is one event, seen on another interface too (macvlan)."""

RouterKey = tuple[int, AddressFamily, str]  # VRID, IP version, interface
Key = tuple[int, AddressFamily, str, str, bool]
"""RouterKey, source, and whether it is CARP: one host may send both."""


class AdvertSender(Struct):
    """An advertiser, since when it advertises without a pause, and the highest sequence of its signed adverts."""

    advertiser: Advertiser
    since: float
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT_GAPS))
    sequence: int = 0


class RouterState(Struct):
    """A virtual router: its master's source address, or a master's that stepped down.

    Attributes:
        orphaned: the holder fell silent and nobody took over.
        disputed: the holder has a rival.
    """

    holder: str | None = None
    previous: str | None = None
    orphaned: bool = False
    disputed: bool = False


class AdvertTracker:
    """Advertisers (above ``MAX_ADVERTISERS`` the longest silent is dropped) and the last ``MAX_TRANSITIONS``."""

    def __init__(self) -> None:
        self.peers: dict[Key, AdvertSender] = {}
        self.routers: dict[RouterKey, RouterState] = {}
        self._transitions: deque[Transition] = deque(maxlen=MAX_TRANSITIONS)

    def advertisers(self) -> tuple[Advertiser, ...]:
        return tuple(replace(peer.advertiser, since=peer.since) for _, peer in sorted(self.peers.items()))

    def transitions(self) -> tuple[Transition, ...]:
        return tuple(self._transitions)

    def _of(self, router: RouterKey) -> list[AdvertSender]:
        return [peer for key, peer in self.peers.items() if key[:3] == router]

    def _rivals(self, key: RouterKey, now: float) -> list[AdvertSender]:
        live = [peer for peer in self._of(key) if _is_live(peer, now) and not _is_late(peer, now)]
        return [peer for peer in live if any(_overlap(peer, other) for other in live if other is not peer)]

    def record(self, advert: Advert) -> bool:
        """Adds an advert (in the order of time); returns whether it is a change.

        A new advertiser, another master, another priority, a step down, or the first bad advert of its sender is one.
        """
        key: Key = (advert.vrid, advert.family, advert.interface, advert.source, advert.carp)
        known = self.peers.get(key)
        before = known.advertiser if known else None
        if known and before and _is_replay(known, advert):
            known.advertiser = replace(before, replayed=before.replayed + 1, replayed_at=advert.received)
            return before.replayed == 0
        peer = self._add(key, known, advert)
        if advert.hmac and not advert.error:
            peer.sequence = advert.hmac.sequence
        now = peer.advertiser
        changed = before is None or before.last.priority != now.last.priority or (before.bad == 0) != (now.bad == 0)
        if believable(advert):
            changed |= self._apply(key[:3], peer, before.last if before else None)
        return changed

    def check_silence(self, now: float, since: float = 0.0) -> bool:
        """Adds a transition for each master that fell silent; returns whether there was one.

        ``since``: before that time adverts may have been missed.
        """
        silent = [(key, router) for due, key, router in self._silences(since) if due <= now]
        for key, router in silent:
            router.orphaned = True
            lost = f"{router.holder} fell silent" if router.holder else f"{router.previous} stepped down"
            self._report(key, now, f"{lost}, nobody advertises")
        return bool(silent)

    def next_silence(self, since: float = 0.0) -> float | None:
        """Returns when the next master counts as silent unless it advertises (seconds since the epoch)."""
        return min((due for due, _, _ in self._silences(since)), default=None)

    def _silences(self, since: float) -> Iterator[tuple[float, RouterKey, RouterState]]:
        for key, router in self.routers.items():
            peer = self.peers.get((*key, router.holder or router.previous or "", False))
            if peer is not None and not router.orphaned:
                heard = max(peer.advertiser.last.received, since)
                yield heard + max(1.0, SILENCE_INTERVALS * _interval(peer)), key, router

    def _add(self, key: Key, known: AdvertSender | None, advert: Advert) -> AdvertSender:
        wrong = int(bool(advert.error) or not believable(advert))
        if known is None:
            if len(self.peers) >= MAX_ADVERTISERS:
                self._forget(min(self.peers, key=lambda k: self.peers[k].advertiser.last.received))
            known = AdvertSender(
                Advertiser(advert, first_seen=advert.received, count=0, believed=False), advert.received
            )
            self.peers[key] = known
            self.routers.setdefault(key[:3], RouterState())
        before = known.advertiser
        bad_at = advert.received if wrong else before.bad_at
        counted = replace(before, count=before.count + 1, bad=before.bad + wrong, bad_at=bad_at)
        if believable(advert):
            if _has_paused(known, advert.received) or before.stepped_down or not believable(before.last):
                known.since = advert.received
            if before.count and _is_live(known, advert.received):
                known.gaps.append(advert.received - before.last.received)
            usual, slowest = advert.priority or before.usual_priority, max(known.gaps, default=0.0)
            counted = replace(counted, last=advert, usual_priority=usual, slowest=slowest, believed=True)
        elif not believable(before.last):
            counted = replace(counted, last=advert)
        known.advertiser = counted
        return known

    def _forget(self, key: Key) -> None:
        del self.peers[key]
        if not self._of(key[:3]):
            del self.routers[key[:3]]

    def _apply(self, key: RouterKey, peer: AdvertSender, before: Advert | None) -> bool:
        """Applies a believable advert to its virtual router; returns whether that changed it."""
        router, advert = self.routers[key], peer.advertiser.last
        if advert.priority == 0:
            return self._step_down(key, router, advert, before)
        holder = self.peers.get((*key, router.holder or "", False))
        if holder is None or _lost_to(holder, peer):
            former = router.holder or router.previous
            self.routers[key] = RouterState(holder=advert.source)
            again = " again" if former == advert.source else ""
            change = f"{former} → " if former and not again else ""
            self._report(key, advert.received, f"{change}{advert.source} is master{again}")
            return True
        changed = False
        if holder is peer and router.orphaned:
            router.orphaned = False
            gap = advert.received - (before.received if before else advert.received)
            self._report(key, advert.received, f"{advert.source} is back after {gap:.0f} s of silence")
            changed = True
        elif holder is peer and before and before.priority != advert.priority:
            what = f"{advert.source} changed priority {before.priority} → {advert.priority}"
            self._report(key, advert.received, what)
            changed = True
        return self._check_rivals(key, router, advert.received) or changed

    def _step_down(self, key: RouterKey, router: RouterState, advert: Advert, before: Advert | None) -> bool:
        if before and before.priority == 0 and router.holder != advert.source:
            return False  # keepalived repeats it
        self._report(key, advert.received, f"{advert.source} stepped down (priority 0)")
        if router.holder in (None, advert.source):
            self.routers[key] = RouterState(previous=advert.source)
        else:
            self._check_rivals(key, router, advert.received)
        return True

    def _check_rivals(self, key: RouterKey, router: RouterState, now: float) -> bool:
        """Adds a transition where a second master appears or disappears; returns whether one did."""
        rivals = sorted(self._rivals(key, now), key=_rank, reverse=True)
        if bool(rivals) == router.disputed:
            return False
        router.disputed = bool(rivals)
        if rivals:
            number = {2: "two", 3: "three"}.get(len(rivals), str(len(rivals)))
            adverts = [rival.advertiser.last for rival in rivals]
            each = " and ".join(f"{advert.source} (priority {advert.priority})" for advert in adverts)
            self._report(key, now, f"{number} masters: {each}")
        else:
            self._report(key, now, f"{router.holder} is the only master again")
        return True

    def _report(self, key: RouterKey, at: float, what: str) -> None:
        vrid, family, _ = key
        for earlier in reversed(self._transitions):
            if at - earlier.at > SAME_EVENT_SECONDS:
                break
            if (earlier.vrid, earlier.family, earlier.what) == (vrid, family, what):
                return
        self._transitions.append(Transition(at, vrid, family, what))


def _rank(peer: AdvertSender) -> tuple[int, bytes]:
    """Returns the election's sort key (RFC 5798 section 6.4.3): priority, then address."""
    last = peer.advertiser.last
    family = socket.AF_INET6 if last.family is AddressFamily.V6 else socket.AF_INET
    return last.priority, socket.inet_pton(family, last.source)


def _is_live(peer: AdvertSender, now: float) -> bool:
    advertiser = peer.advertiser
    return believable(advertiser.last) and not advertiser.stepped_down and not advertiser.silent(now)


def _interval(peer: AdvertSender) -> float:
    return peer.advertiser.last.interval or 1.0


def _has_paused(peer: AdvertSender, now: float) -> bool:
    """Whether the sender skipped an advert, or was silent for so long that a backup takes over."""
    one = peer.advertiser
    return one.silent(now) or now - one.last.received > PAUSE_GAPS * one.usual_gap


def _is_late(peer: AdvertSender, now: float) -> bool:
    """Whether an advert is overdue by our clock; short intervals get a second."""
    return now - peer.advertiser.last.received > max(1.0, PAUSE_GAPS * peer.advertiser.usual_gap)


def _is_replay(peer: AdvertSender, advert: Advert) -> bool:
    """Whether keepalived rejects a signed advert as a replay: its sequence did not grow.

    A sender signs once for all its unicast peers. As in keepalived, a mark that is outside the time window is void: the
    sender's clock was corrected.
    """
    if advert.hmac is None or advert.outgoing or advert.error or advert.destination != peer.advertiser.last.destination:
        return False
    aged = abs(advert.received - (peer.sequence >> 16) / 65536) > MAX_TIME_WINDOW
    return not aged and advert.hmac.sequence <= peer.sequence


def _lost_to(holder: AdvertSender, to: AdvertSender) -> bool:
    """Whether the holder lost the election to another: it paused, or the other ranks higher and is new."""
    if holder is to:
        return False
    now = to.advertiser.last.received
    return _has_paused(holder, now) or (to.since == now and _rank(to) > _rank(holder))


def _overlap(one: AdvertSender, other: AdvertSender) -> bool:
    """Whether both advertise for longer than a takeover explains."""
    overlap = min(one.advertiser.last.received, other.advertiser.last.received) - max(one.since, other.since)
    return overlap >= RIVAL_OVERLAP_INTERVALS * max(_interval(one), _interval(other))
