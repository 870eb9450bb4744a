"""Who claims to be master: of the adverts that were heard, which still count, and who is a rival.

When a better node takes over, the old master's last advert stays young for a while; that is no split brain. Two are
rivals when both go on side by side for about an interval (a takeover's last advert comes earlier than that).

Two backups whose priorities differ by one wait 4 ms apart (RFC 5798's skew), so both may take over, each before it has
read the other's first advert. As soon as they hear each other the worse one gives way, whichever came first; it has
then advertised once or twice (measured: lab, keepalived 2.1.5 to 2.3.3). So whoever came last is not the master: what
counts is the protocol's rank, and after an interval who went on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.vrrp.election import address_order

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advertiser

OVERLAP = 0.9
"""Intervals for which two must have advertised side by side."""
MISSED = 1.5
"""Usual gaps without an advert after which one was missed: on a busy node they are longer than the interval."""
ESTABLISHED, ESTABLISHED_MISSED = 3.0, 2.5
"""Intervals: two that have advertised side by side for so long are no takeover, and one late advert of a busy node ends
no split brain: its rival has gone on without it only after so many."""
LASTED = 1.9
"""Intervals: one that has advertised for so long, alone, lasts. Its third advert comes after two, but for jitter."""


def began(advertiser: Advertiser) -> float:
    """Since when it advertises without a pause (seconds since the epoch)."""
    return advertiser.first_seen if advertiser.since is None else advertiser.since


def live(advertiser: Advertiser, now: float) -> bool:
    """It advertises now: believable, not stepped down, not silent."""
    return advertiser.believed and not advertiser.stepped_down and not advertiser.silent(now)


def side_by_side(one: Advertiser, other: Advertiser) -> bool:
    """Whether both have advertised at the same time for about an interval."""
    return _together(one, other) >= OVERLAP * _interval(one, other)


def _together(one: Advertiser, other: Advertiser) -> float:
    """Seconds for which both have advertised."""
    return min(one.last.received, other.last.received) - max(began(one), began(other))


def went_on(one: Advertiser, without: Advertiser) -> bool:
    """Whether one has advertised for longer than an interval in which the other said nothing."""
    interval = _interval(one, without)
    missed = ESTABLISHED_MISSED if _together(one, without) >= ESTABLISHED * interval else MISSED
    return one.last.received - without.last.received >= missed * max(interval, without.usual_gap)


def gave_way(one: Advertiser, to: Advertiser) -> bool:
    """Whether one is master no more, or must not be as soon as it hears the other."""
    if went_on(to, one) or went_on(one, to):
        return went_on(to, one)
    if side_by_side(one, to):
        return False
    older, newer = sorted((one, to), key=began)
    if began(newer) - older.last.received >= MISSED * max(_interval(older, newer), older.usual_gap):
        return one is older
    return _rank_below(one, to)


def claimants(heard: tuple[Advertiser, ...], now: float) -> tuple[Advertiser, ...]:
    """Those who claim to be master now, best first; one that was taken over from does not count any more."""
    alive = [a for a in heard if live(a, now)]
    counting = [a for a in alive if not any(gave_way(a, b) for b in alive if b is not a)]
    return tuple(sorted(counting, key=lambda a: (a.last.priority, a.last.received), reverse=True))


def lasting(heard: tuple[Advertiser, ...], now: float) -> Advertiser | None:
    """The one claimant, once it has advertised for two intervals, and everybody else has been silent for over one.

    Args:
        heard: adverts of one virtual router, this node's own among them.
        now: seconds since the epoch.
    """
    found = claimants(heard, now)
    if len(found) != 1:
        return None
    (one,) = found
    lasted = one.last.received - began(one) >= LASTED * _interval(one, one)
    alone = all(went_on(one, other) for other in heard if other is not one and live(other, now))
    return one if lasted and alone else None


def _interval(one: Advertiser, other: Advertiser) -> float:
    """Seconds: the longer of their intervals; 0 is nonsense and taken for the usual second."""
    return max(one.last.interval, other.last.interval) or 1.0


def _rank_below(one: Advertiser, other: Advertiser) -> bool:
    """RFC 5798 section 6.4.3: the higher priority, then the higher address."""
    if one.last.priority != other.last.priority:
        return one.last.priority < other.last.priority
    return address_order(one.last.source) < address_order(other.last.source)
