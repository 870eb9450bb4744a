"""Decides from the adverts who claims to be master, and which masters are rivals.

After a takeover the old master's last advert stays recent for a moment; that is not a split brain. Two masters are
rivals if both keep advertising for about an interval.

Two backups whose priorities differ by one wait 4 ms apart (RFC 5798's skew), so both may take over before they hear
each other. The lower-ranked one then gives way after one or two adverts, even if it was first (measured in the lab,
keepalived 2.1.5 to 2.3.3). So the latest advertiser is not always the master: the protocol's rank decides, and after an
interval the one that continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.vrrp.election import address_order

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advertiser

OVERLAP_INTERVALS = 0.9
"""Two nodes that advertise at the same time for this long are rivals."""
MISSED_GAPS = 1.5
"""After this many usual gaps without an advert, a node has missed one; a busy node's gaps exceed its interval."""
ESTABLISHED_INTERVALS, ESTABLISHED_MISSED_GAPS = 3.0, 2.5
"""After this long an overlap is not a takeover, and one late advert of a busy node does not end a split brain: its
rival counts as the only master only after this many missed gaps."""
STABLE_INTERVALS = 1.9
"""A node that is the only advertiser for this long is a stable master: three adverts, minus jitter."""


def began(advertiser: Advertiser) -> float:
    """Returns the start of its uninterrupted run of adverts (seconds since the epoch)."""
    return advertiser.first_seen if advertiser.since is None else advertiser.since


def live(advertiser: Advertiser, now: float) -> bool:
    """Returns whether it advertises now: believed, not stepped down, not silent."""
    return advertiser.believed and not advertiser.stepped_down and not advertiser.silent(now)


def overlap(one: Advertiser, other: Advertiser) -> bool:
    return _overlap_seconds(one, other) >= OVERLAP_INTERVALS * _interval(one, other)


def _overlap_seconds(one: Advertiser, other: Advertiser) -> float:
    return min(one.last.received, other.last.received) - max(began(one), began(other))


def outlasted(one: Advertiser, other: Advertiser) -> bool:
    """Returns whether ``one`` has advertised for more than an interval after the last advert of ``other``."""
    interval = _interval(one, other)
    established = _overlap_seconds(one, other) >= ESTABLISHED_INTERVALS * interval
    gaps = ESTABLISHED_MISSED_GAPS if established else MISSED_GAPS
    return one.last.received - other.last.received >= gaps * max(interval, other.usual_gap)


def gave_way(one: Advertiser, to: Advertiser) -> bool:
    """Returns whether ``one`` is no longer master, or will give way as soon as it hears ``to``."""
    if outlasted(to, one) or outlasted(one, to):
        return outlasted(to, one)
    if overlap(one, to):
        return False
    older, newer = sorted((one, to), key=began)
    if began(newer) - older.last.received >= MISSED_GAPS * max(_interval(older, newer), older.usual_gap):
        return one is older
    return _ranks_below(one, to)


def claimants(heard: tuple[Advertiser, ...], now: float) -> tuple[Advertiser, ...]:
    """Returns the nodes that claim to be master now, best first, without those that gave way."""
    alive = [a for a in heard if live(a, now)]
    masters = [a for a in alive if not any(gave_way(a, b) for b in alive if b is not a)]
    return tuple(sorted(masters, key=lambda a: (a.last.priority, a.last.received), reverse=True))


def stable_master(heard: tuple[Advertiser, ...], now: float) -> Advertiser | None:
    """Returns the only claimant if it has advertised for two intervals and all others are silent for over one."""
    masters = claimants(heard, now)
    if len(masters) != 1:
        return None
    (one,) = masters
    stable = one.last.received - began(one) >= STABLE_INTERVALS * _interval(one, one)
    alone = all(outlasted(one, other) for other in heard if other is not one and live(other, now))
    return one if stable and alone else None


def _interval(one: Advertiser, other: Advertiser) -> float:
    """Returns the longer of their intervals in seconds; an invalid 0 counts as 1 s."""
    return max(one.last.interval, other.last.interval) or 1.0


def _ranks_below(one: Advertiser, other: Advertiser) -> bool:
    """RFC 5798 section 6.4.3: the higher priority, then the higher address."""
    if one.last.priority != other.last.priority:
        return one.last.priority < other.last.priority
    return address_order(one.last.source) < address_order(other.last.source)
