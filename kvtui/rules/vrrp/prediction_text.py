"""Puts predictions into sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.prediction import Certainty, Prediction
from kvtui.rules.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


def sentence(prediction: Prediction) -> str:
    p = prediction
    now, then = p.state.now, p.state.then
    if then is None and p.vips_here.then == ():
        state = "is removed"
    elif then is None:
        state = f"{now}, may change" if now else "unknown"
    elif then == now:
        state = f"stays {then}"
    else:
        state = f"{now} → {then}" if now else f"new → {then}"
    within = f" within {p.within_seconds:g} s" if p.within_seconds and then != now else ""
    sure = "" if p.certainty is Certainty.UNKNOWN else f" ({p.certainty.value})"
    return f"{p.instance}: {'; '.join([state + within + sure, *_vips(p)])}. {p.why[:1].upper()}{p.why[1:]}"


def _vips(p: Prediction) -> Iterator[str]:
    now, then = p.vips_here.now or (), p.vips_here.then
    if then is None:
        return
    leaving = [a for a in now if a not in then]
    coming = [a for a in then if a not in now]
    staying = [a for a in now if a in then]
    if leaving:
        yield f"{clause(leaving, 'leaves', 'leave')} this node" + (f" for {p.owner_then}" if p.owner_then else "")
    if coming:
        yield f"{clause(coming, 'comes', 'come')} to this node"
    if p.two_owners and then:
        yield f"{clause(then, 'is', 'are')} on TWO NODES then"
    elif staying:
        changes = leaving or coming or p.state.then != p.state.now or p.within_seconds
        yield clause(staying, "stays", "stay") + (" here" if changes else "")


def clause(names: Sequence[str], one: str, many: str) -> str:
    return f"{listed(names)} {one if len(names) == 1 else many}"


def is_unchanged(prediction: Prediction) -> bool:
    p = prediction
    same_state = p.state.then == p.state.now and p.state.then is not None
    same_vips = set(p.vips_here.now or ()) == set(p.vips_here.then or ())
    is_sure = p.certainty is Certainty.CERTAIN and not p.two_owners
    return same_state and same_vips and is_sure and p.within_seconds is None


def sentences(predictions: Iterable[Prediction]) -> Iterator[str]:
    """Yields what changes first, one sentence each, then in one line what stays."""
    all_ = tuple(predictions)
    changed = [p for p in all_ if not is_unchanged(p)]
    yield from map(sentence, changed)
    same = [p for p in all_ if is_unchanged(p)]
    if same:
        states = ", ".join(f"{p.instance} stays {p.state.then}" for p in same)
        kept = [a for p in same for a in p.vips_here.now or ()]
        yield (
            f"{states} (certain)"
            + (f"; {clause(kept, 'stays', 'stay')}" if kept else "")
            + (f". {same[0].why}" if len(same) == 1 and not changed else "")
        )
