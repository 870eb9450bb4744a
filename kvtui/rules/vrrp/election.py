"""Who will be master after a change of priority, and when: keepalived's election as it was measured.

Timings (RFC 5798 6.1, confirmed with keepalived 2.2.7 on three nodes): a backup takes over 3 × advert interval + skew
after the last advert it accepts, where skew = (256 − priority) / 256 × advert interval; after an advert of priority 0
only the skew passes. A backup that may preempt ignores adverts of lower priority than its own, so it takes over as if
the master were silent. With nopreempt it accepts them, and nothing happens at all.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Leaving(StrEnum):
    """How the current master stops being one."""

    STAYS = "stays"
    """It goes on advertising, perhaps with another priority."""
    STEPS_DOWN = "steps down"
    """It advertises priority 0: a track file FAULT, SIGTERM, or its VIP was removed (2.0.0+)."""
    SILENT = "silent"
    """It died."""


class Candidate(Struct, frozen=True):
    """A node that may become master of one VRID.

    Attributes:
        address: it advertises from.
        priority: effective; None when it was never seen on the wire (a backup is silent).
        nopreempt: it does not take over from a lower priority.
        preempt_delay: seconds it waits before it takes over from a lower priority.
        is_self: this node.
    """

    address: str
    priority: int | None
    nopreempt: bool = False
    preempt_delay: float = 0.0
    is_self: bool = False


class Move(Struct, frozen=True):
    """One change of mastership.

    Attributes:
        to: address of the new master.
        after: seconds after the change, at most (the last advert may have been sent up to an interval before).
        ownerless: seconds without an owner, at most; 0 when the old one keeps the VIP until the new one has it.
    """

    to: str
    after: float
    ownerless: float = 0.0


class Prediction(Struct, frozen=True):
    """What the election will do.

    Attributes:
        master: address of the master in the end; None when nobody is known to take over.
        moves: in order; empty when nothing changes.
        certain: False when a node whose priority was never seen could change the outcome.
        because: one sentence.
    """

    master: str | None
    moves: tuple[Move, ...]
    certain: bool
    because: str


def skew(priority: int, interval: float) -> float:
    """Seconds: RFC 5798's Skew_Time."""
    return (256 - priority) / 256 * interval


def takeover(priority: int, interval: float) -> float:
    """Seconds: RFC 5798's Master_Down_Interval."""
    return 3 * interval + skew(priority, interval)


def address_order(address: str) -> tuple[int, ...]:
    """Addresses compare as numbers: on equal priority the higher one wins."""
    import ipaddress  # noqa: PLC0415 - only elections need it

    return (int(ipaddress.ip_address(address)),)


def rank(candidate: Candidate) -> tuple[int, tuple[int, ...]]:
    """What an election compares."""
    return (candidate.priority or 0, address_order(candidate.address))


def predict(
    candidates: tuple[Candidate, ...],
    master: str | None,
    interval: float,
    leaving: Leaving = Leaving.STAYS,
) -> Prediction:
    """Who is master after a change.

    Args:
        candidates: every node, this one included, with the priorities they have *after* the change.
        master: address of the master before the change; None when there is none.
        interval: advert interval in seconds.
        leaving: what the current master does.
    """
    known = tuple(c for c in candidates if c.priority is not None)
    unseen = tuple(c.address for c in candidates if c.priority is None)
    current = next((c for c in known if c.address == master), None)
    others = tuple(c for c in known if c is not current)
    if current is None or leaving is not Leaving.STAYS:
        return _vacancy(others if current else known, unseen, interval, leaving, current)
    return _challenge(current, others, unseen, interval)


def _vacancy(
    runners: tuple[Candidate, ...],
    unseen: tuple[str, ...],
    interval: float,
    leaving: Leaving,
    left: Candidate | None,
) -> Prediction:
    if not runners:
        whoever = f"; {', '.join(unseen)} may, with a priority that was never seen" if unseen else ""
        return Prediction(None, (), certain=not unseen, because=f"no other node is known to take over{whoever}")
    best = max(runners, key=rank)
    priority = best.priority or 0
    quick = leaving is Leaving.STEPS_DOWN
    wait = skew(priority, interval) if quick else takeover(priority, interval)
    first = Move(best.address, wait, wait)
    because = f"{best.address} has the highest priority of the others ({priority})"
    if left and leaving is Leaving.STEPS_DOWN and not left.nopreempt and rank(left) > rank(best):
        back = Move(left.address, wait + takeover(left.priority or 0, interval))
        reason = f"{left.address} still has the highest priority ({left.priority}) and may preempt: it comes back"
        return Prediction(left.address, (first, back), not unseen, reason)
    return Prediction(best.address, (first,), not unseen, because)


def _challenge(
    current: Candidate, others: tuple[Candidate, ...], unseen: tuple[str, ...], interval: float
) -> Prediction:
    better = [c for c in others if rank(c) > rank(current)]
    able = [c for c in better if not c.nopreempt]
    if not able:
        if better:
            held = ", ".join(c.address for c in better)
            because = (
                f"{held} would have a higher priority, but nopreempt keeps {'them' if len(better) > 1 else 'it'} back"
            )
        else:
            because = f"{current.address} keeps the highest priority ({current.priority})"
        return Prediction(current.address, (), not unseen, because)
    moves: list[Move] = []
    final = max(able, key=rank)
    at_once = [c for c in able if not c.preempt_delay]
    if at_once:
        first = max(at_once, key=rank)
        moves.append(Move(first.address, takeover(first.priority or 0, interval)))
    if not moves or (moves[0].to != final.address):
        started = moves[-1].after if moves else 0.0
        moves.append(Move(final.address, max(started, final.preempt_delay) + takeover(final.priority or 0, interval)))
    because = f"{final.address} has the highest priority ({final.priority}) and may preempt"
    return Prediction(final.address, tuple(moves), not unseen, because)


def with_priority(candidates: tuple[Candidate, ...], address: str, priority: int) -> tuple[Candidate, ...]:
    """The same nodes after one of them changed its priority."""
    return tuple(replace(c, priority=priority) if c.address == address else c for c in candidates)
