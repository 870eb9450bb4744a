"""Who advertises what, concluded from adverts alone: masters, rivals, transitions. No I/O and no clock.

A virtual router is a VRID of one IP version on one interface (RFC 5798 section 1: "on a LAN"). Its master is
whoever advertises. When a better router takes over, the old master is silent from then on but for an advert that was
under way; two that go on side by side do not hear each other.
"""

from __future__ import annotations

import socket
from collections import deque
from dataclasses import field, replace
from typing import TYPE_CHECKING

from kvtui.backend.adverts.decode import believable
from kvtui.model.record import dataclass
from kvtui.model.vrrp import AddressFamily, Advert, Advertiser, Transition

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_ADVERTISERS = 256
MOST_TRANSITIONS = 200

MISSED = 2.0
"""Usual gaps without an advert after which one was missed: its sender has paused."""
GAPS = 6
"""Latest gaps between adverts that tell how slow a busy sender is."""
OVERLAP = 0.9
"""Intervals that two must advertise side by side to be rivals; a takeover's last advert comes earlier than that."""
ORPHANED = 4.5
"""Intervals without an advert after which no backup will come: the slowest waits 4 (RFC 5798 section 6.1)."""
SAME_EVENT = 0.1
"""Seconds within which the same sentence again is the same event, seen on another interface (macvlan)."""

RouterKey = tuple[int, AddressFamily, str]
"""VRID, IP version, interface."""
Key = tuple[int, AddressFamily, str, str]
"""The same, and the source."""


@dataclass(slots=True)
class Heard:
    """One advertiser, and since when it advertises without a pause."""

    advertiser: Advertiser
    since: float
    gaps: deque[float] = field(default_factory=lambda: deque(maxlen=GAPS))


@dataclass(slots=True)
class Router:
    """A virtual router: who is its master, as far as the wire tells.

    Attributes:
        holder: source address of the master; None before the first advert, or when it stepped down.
        previous: source address of the one before, when it stepped down.
        orphaned: the holder fell silent and nobody came.
        disputed: the holder has a rival.
    """

    holder: str | None = None
    previous: str | None = None
    orphaned: bool = False
    disputed: bool = False


class AdvertTracker:
    """What was heard; bounded: ``MOST_ADVERTISERS`` (the longest silent goes first) and ``MOST_TRANSITIONS``."""

    def __init__(self) -> None:
        self._heard: dict[Key, Heard] = {}
        self._routers: dict[RouterKey, Router] = {}
        self._transitions: deque[Transition] = deque(maxlen=MOST_TRANSITIONS)

    # --- what is known

    def advertisers(self) -> tuple[Advertiser, ...]:
        """Everybody heard, by VRID, IP version, interface and source."""
        return tuple(replace(h.advertiser, since=h.since) for _, h in sorted(self._heard.items()))

    def transitions(self) -> tuple[Transition, ...]:
        """What changed, newest last."""
        return tuple(self._transitions)

    def vrids(self) -> tuple[tuple[int, AddressFamily], ...]:
        """Every VRID heard, of whomever, with its IP version."""
        return tuple(sorted({(vrid, family) for vrid, family, _, _ in self._heard}))

    def master(self, vrid: int, family: AddressFamily, now: float, interface: str | None = None) -> Advertiser | None:
        """Who is master now.

        Args:
            vrid: virtual router id.
            family: IP version of its adverts.
            now: seconds since the epoch.
            interface: where; None for anywhere (then the one heard last).

        Returns:
            The master; None when nobody advertises, or whoever did stepped down or fell silent.
        """
        live = [h for key in self._at(vrid, family, interface) if (h := self._master(key, now))]
        return max((h.advertiser for h in live), key=lambda a: a.last.received, default=None)

    def rivals(
        self, vrid: int, family: AddressFamily, now: float, interface: str | None = None
    ) -> tuple[Advertiser, ...]:
        """All who are master at the same time, best first; empty when there is at most one.

        A takeover makes no rivals: both must have advertised side by side for about an interval. The arguments are
        those of ``master``.
        """
        found = [h for key in self._at(vrid, family, interface) for h in self._rivals(key, now)]
        return tuple(h.advertiser for h in sorted(found, key=_rank, reverse=True))

    def _at(self, vrid: int, family: AddressFamily, interface: str | None) -> Iterator[RouterKey]:
        return (k for k in self._routers if k[:2] == (vrid, family) and interface in (None, k[2]))

    def _of(self, router: RouterKey) -> list[Heard]:
        return [h for key, h in self._heard.items() if key[:3] == router]

    def _master(self, key: RouterKey, now: float) -> Heard | None:
        live = {h.advertiser.last.source: h for h in self._of(key) if _live(h, now)}
        return live.get(self._routers[key].holder or "") or max(live.values(), key=_rank, default=None)

    def _rivals(self, key: RouterKey, now: float) -> list[Heard]:
        live = [h for h in self._of(key) if _live(h, now) and not _late(h, now)]
        return [h for h in live if any(_side_by_side(h, other) for other in live if other is not h)]

    # --- what happens

    def record(self, advert: Advert) -> bool:
        """Take an advert; they come in the order of their time.

        Returns:
            Whether it is changed: a new advertiser, another master, another priority, a step down, or the first that is
            wrong. A repeated advert is none.
        """
        key: Key = (advert.vrid, advert.family, advert.interface, advert.source)
        known = self._heard.get(key)
        before = known.advertiser if known else None
        heard = self._entered(key, known, advert)
        now = heard.advertiser
        changed = before is None or before.last.priority != now.last.priority or (before.bad == 0) != (now.bad == 0)
        if believable(advert):
            changed |= self._conclude(key[:3], heard, before.last if before else None)
        return changed

    def check_silence(self, now: float) -> bool:
        """Notice who fell silent; call it at ``next_quiet``. Returns whether there was anybody."""
        changed = False
        for key, router in self._routers.items():
            due = self._due(key, router)
            if due is not None and due <= now:
                router.orphaned = True
                lost = f"{router.holder} fell silent" if router.holder else f"{router.previous} stepped down"
                self._tell(key, now, f"{lost}, nobody advertises")
                changed = True
        return changed

    def next_quiet(self) -> float | None:
        """When ``quiet`` has something to say unless an advert comes (seconds since the epoch)."""
        times = [due for key, router in self._routers.items() if (due := self._due(key, router)) is not None]
        return min(times, default=None)

    def _due(self, key: RouterKey, router: Router) -> float | None:
        heard = self._heard.get((*key, router.holder or router.previous or ""))
        if heard is None or router.orphaned:
            return None
        return heard.advertiser.last.received + max(1.0, ORPHANED * _interval(heard))

    def _entered(self, key: Key, known: Heard | None, advert: Advert) -> Heard:
        """Put the advert on record."""
        wrong = int(bool(advert.error) or not believable(advert))
        if known is None:
            if len(self._heard) >= MOST_ADVERTISERS:
                self._forget(min(self._heard, key=lambda k: self._heard[k].advertiser.last.received))
            usual = None if wrong else advert.priority or None
            heard = Heard(Advertiser(advert, advert.received, 1, wrong, usual), advert.received)
            self._heard[key] = heard
            self._routers.setdefault(key[:3], Router())
            return heard
        before = known.advertiser
        counted = replace(before, count=before.count + 1, bad=before.bad + wrong)
        if believable(advert):
            if _paused(known, advert.received) or before.stepped_down or not believable(before.last):
                known.since = advert.received
            if believable(before.last) and not before.stepped_down and not before.silent(advert.received):
                known.gaps.append(advert.received - before.last.received)
            usual = advert.priority or before.usual_priority
            counted = replace(counted, last=advert, usual_priority=usual, slowest=max(known.gaps, default=0.0))
        elif not believable(before.last):
            counted = replace(counted, last=advert)
        known.advertiser = counted
        return known

    def _forget(self, key: Key) -> None:
        del self._heard[key]
        if not self._of(key[:3]):
            del self._routers[key[:3]]

    def _conclude(self, key: RouterKey, heard: Heard, before: Advert | None) -> bool:
        """What a believable advert means for its virtual router; whether that was changed."""
        router, advert = self._routers[key], heard.advertiser.last
        if advert.priority == 0:
            return self._step_down(key, router, advert, before)
        holder = self._heard.get((*key, router.holder or ""))
        if holder is None or _gave_way(holder, heard):
            former = router.holder or router.previous
            self._routers[key] = Router(holder=advert.source)
            change = f"{former} → {advert.source} is master"
            again = f"{advert.source} is master again" if former else f"{advert.source} is master"
            self._tell(key, advert.received, again if former in (None, advert.source) else change)
            return True
        changed = False
        if holder is heard and router.orphaned:
            router.orphaned = False
            gap = advert.received - (before.received if before else advert.received)
            self._tell(key, advert.received, f"{advert.source} is back after {gap:.0f} s of silence")
            changed = True
        elif holder is heard and before and before.priority != advert.priority:
            self._tell(key, advert.received, f"{advert.source} changed priority {before.priority} → {advert.priority}")
            changed = True
        return self._dispute(key, router, advert.received) or changed

    def _step_down(self, key: RouterKey, router: Router, advert: Advert, before: Advert | None) -> bool:
        if before and before.priority == 0 and router.holder != advert.source:
            return False  # it says so more than once
        self._tell(key, advert.received, f"{advert.source} stepped down (priority 0)")
        if router.holder in (None, advert.source):
            self._routers[key] = Router(previous=advert.source)
        else:
            self._dispute(key, router, advert.received)
        return True

    def _dispute(self, key: RouterKey, router: Router, now: float) -> bool:
        """Notice the beginning or the end of two masters."""
        rivals = sorted(self._rivals(key, now), key=_rank, reverse=True)
        if bool(rivals) == router.disputed:
            return False
        router.disputed = bool(rivals)
        if rivals:
            number = {2: "two", 3: "three"}.get(len(rivals), str(len(rivals)))
            each = " and ".join(f"{h.advertiser.last.source} (priority {h.advertiser.last.priority})" for h in rivals)
            self._tell(key, now, f"{number} masters: {each}")
        else:
            self._tell(key, now, f"{router.holder} is the only master again")
        return True

    def _tell(self, key: RouterKey, at: float, what: str) -> None:
        told = Transition(at, key[0], key[1], what)
        for earlier in reversed(self._transitions):
            if at - earlier.at > SAME_EVENT:
                break
            if (earlier.vrid, earlier.family, earlier.what) == (told.vrid, told.family, what):
                return
        self._transitions.append(told)


def _rank(heard: Heard) -> tuple[int, bytes]:
    """What the protocol compares two routers by (RFC 5798 section 6.4.3): priority, then the higher address."""
    last = heard.advertiser.last
    family = socket.AF_INET6 if last.family is AddressFamily.V6 else socket.AF_INET
    return last.priority, socket.inet_pton(family, last.source)


def _live(heard: Heard, now: float) -> bool:
    """It says that it is master, and not too long ago."""
    advertiser = heard.advertiser
    return believable(advertiser.last) and not advertiser.stepped_down and not advertiser.silent(now)


def _interval(heard: Heard) -> float:
    """Seconds between its adverts, as it says; 0 is nonsense and taken for the usual second."""
    return heard.advertiser.last.interval or 1.0


def _paused(heard: Heard, now: float) -> bool:
    """It missed an advert; after a silence in which a backup takes over it has, however slow it is."""
    one = heard.advertiser
    return one.silent(now) or now - one.last.received > MISSED * one.usual_gap


def _late(heard: Heard, now: float) -> bool:
    """It missed an advert, or our clock is ahead of the packets by that much: short intervals get a second."""
    return now - heard.advertiser.last.received > max(1.0, MISSED * heard.advertiser.usual_gap)


def _gave_way(holder: Heard, to: Heard) -> bool:
    """The holder gave way to another that advertises: it missed an advert, or it must, as the worse of the two."""
    if holder is to:
        return False
    now = to.advertiser.last.received
    return _paused(holder, now) or (to.since == now and _rank(to) > _rank(holder))


def _side_by_side(one: Heard, other: Heard) -> bool:
    """Both advertise, and have for longer than a takeover explains."""
    overlap = min(one.advertiser.last.received, other.advertiser.last.received) - max(one.since, other.since)
    return overlap >= OVERLAP * max(_interval(one), _interval(other))
