"""Who claims to be master: of the adverts that were heard, which still count, and who is a rival.

When a better node takes over, the old master's last advert stays young for a while; that is no split brain. Two are
rivals when both go on side by side for about an interval (a takeover's last advert comes earlier than that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.model.vrrp import Advertiser

OVERLAP = 0.9
"""Intervals for which two must have advertised side by side."""


def began(advertiser: Advertiser) -> float:
    """Since when it advertises without a pause (seconds since the epoch)."""
    return advertiser.first_seen if advertiser.since is None else advertiser.since


def live(advertiser: Advertiser, now: float) -> bool:
    """It advertises now: believable, not stepped down, not silent."""
    believed = advertiser.bad < advertiser.count
    return believed and not advertiser.stepped_down and not advertiser.silent(now)


def side_by_side(one: Advertiser, other: Advertiser) -> bool:
    """Whether both have advertised at the same time for about an interval."""
    together = min(one.last.received, other.last.received) - max(began(one), began(other))
    return together >= OVERLAP * max(one.last.interval, other.last.interval)


def claimants(heard: tuple[Advertiser, ...], now: float) -> tuple[Advertiser, ...]:
    """Those who claim to be master now, best first; one that was taken over from does not count any more."""
    alive = [a for a in heard if live(a, now)]
    counting = [a for a in alive if not any(began(b) > began(a) and not side_by_side(a, b) for b in alive)]
    return tuple(sorted(counting, key=lambda a: (a.last.priority, a.last.received), reverse=True))
