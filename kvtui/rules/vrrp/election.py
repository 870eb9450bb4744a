"""Predicts keepalived's election: who becomes master after a change, and when.

Timings (RFC 5798 6.1, confirmed with keepalived 2.2.7 on three nodes): a backup takes over 3 × advert interval + skew
after the last advert that it accepts, with skew = (256 − priority) / 256 × advert interval; after an advert with
priority 0 it waits only the skew. A backup that preempts ignores adverts of lower priority, so it takes over as if the
master were silent. With nopreempt it accepts them and stays backup.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Leaving(StrEnum):
    """What the current master does."""

    STAYS = "stays"  # it continues to advertise, perhaps with another priority
    STEPS_DOWN = "steps down"
    """It advertises priority 0: FAULT by a track file, SIGTERM, or its VIP was removed (2.0.0+)."""
    SILENT = "silent"  # it dies


class Candidate(Struct, frozen=True):
    """A node that may become master of one VRID."""

    address: str
    priority: int | None  # effective; None if it was never heard (a backup does not advertise)
    nopreempt: bool = False
    preempt_delay: float = 0.0  # seconds that it waits before it takes over from a lower priority


class Move(Struct, frozen=True):
    """``to`` becomes master at most ``after`` seconds after the change (the last advert may be an interval old)."""

    to: str
    after: float


class ElectionResult(Struct, frozen=True):
    """``master`` is the address of the final one; None if no known node takes over."""

    master: str | None
    moves: tuple[Move, ...]
    because: str


def skew(priority: int, interval: float) -> float:
    """Returns RFC 5798's Skew_Time in seconds."""
    return (256 - priority) / 256 * interval


def takeover(priority: int, interval: float) -> float:
    """Returns RFC 5798's Master_Down_Interval in seconds."""
    return 3 * interval + skew(priority, interval)


def address_order(address: str) -> int:
    """On equal priority the numerically higher address wins."""
    import ipaddress  # noqa: PLC0415 - only elections need it

    return int(ipaddress.ip_address(address))


def rank(candidate: Candidate) -> tuple[int, int]:
    return (candidate.priority or 0, address_order(candidate.address))


def predict(
    candidates: tuple[Candidate, ...], master: str | None, interval: float, leaving: Leaving = Leaving.STAYS
) -> ElectionResult:
    """``candidates`` are all nodes with their priorities *after* the change, ``master`` is the one before it."""
    known = tuple(c for c in candidates if c.priority is not None)
    current = next((c for c in known if c.address == master), None)
    others = tuple(c for c in known if c is not current)
    if current is None or leaving is not Leaving.STAYS:
        return _vacancy(others if current else known, interval, leaving, current)
    return _challenge(current, others, interval)


def _vacancy(
    runners: tuple[Candidate, ...], interval: float, leaving: Leaving, left: Candidate | None
) -> ElectionResult:
    if not runners:
        return ElectionResult(None, (), "no other known node can take over")
    best = max(runners, key=rank)
    priority = best.priority or 0
    is_released = leaving is Leaving.STEPS_DOWN
    wait = skew(priority, interval) if is_released else takeover(priority, interval)
    first = Move(best.address, wait)
    because = f"{best.address} has the highest priority of the other nodes ({priority})"
    if left and is_released and not left.nopreempt and rank(left) > rank(best):
        back = Move(left.address, wait + takeover(left.priority or 0, interval))
        because = f"{left.address} still has the highest priority ({left.priority}) and preempts: it takes over again"
        return ElectionResult(left.address, (first, back), because)
    return ElectionResult(best.address, (first,), because)


def _challenge(current: Candidate, others: tuple[Candidate, ...], interval: float) -> ElectionResult:
    better = [c for c in others if rank(c) > rank(current)]
    able = [c for c in better if not c.nopreempt]
    if not better:
        because = f"{current.address} keeps the highest priority ({current.priority})"
        return ElectionResult(current.address, (), because)
    if not able:
        names = ", ".join(c.address for c in better)
        verb = "have" if len(better) > 1 else "has"
        because = f"{names} {verb} a higher priority, but nopreempt prevents a takeover"
        return ElectionResult(current.address, (), because)
    moves: list[Move] = []
    final = max(able, key=rank)
    at_once = [c for c in able if not c.preempt_delay]
    if at_once:
        first = max(at_once, key=rank)
        moves.append(Move(first.address, takeover(first.priority or 0, interval)))
    if not moves or moves[0].to != final.address:
        started = moves[-1].after if moves else 0.0
        moves.append(Move(final.address, max(started, final.preempt_delay) + takeover(final.priority or 0, interval)))
    because = f"{final.address} has the highest priority ({final.priority}) and preempts"
    return ElectionResult(final.address, tuple(moves), because)
