"""Compares what came with what was predicted, and says a prediction in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed
from kvtui.rules.vrrp.instances import known_instances, self_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.model.observation import InstanceView, Observation

REJECTED = ("_err", "_failure", "_mismatch", "invalid_")
"""Parts of the names of keepalived's counters of rejected adverts."""


def sentence(prediction: Prediction) -> str:
    """Returns a prediction for an operator: the state, the VIPs, the owner, how sure, why."""
    p = prediction
    now, then = p.state.now, p.state.then
    if then is None and p.vips_here.then == ():
        state = "is removed"
    elif then is None:
        state = f"{now}, and unknown whether it stays so"
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
        yield f"{listed(leaving)} {_verb(leaving, 'leaves', 'leave')} this node" + (
            f" for {p.owner_then}" if p.owner_then else ""
        )
    if coming:
        yield f"{listed(coming)} {_verb(coming, 'comes', 'come')} to this node"
    if p.two_owners and then:
        yield f"{listed(then)} {_verb(list(then), 'is', 'are')} on TWO NODES then"
    elif staying and (leaving or coming or p.state.then != p.state.now or p.within_seconds):
        yield f"{listed(staying)} {_verb(staying, 'stays', 'stay')} here"
    elif staying:
        yield f"{listed(staying)} {_verb(staying, 'stays', 'stay')}"


def _verb(names: list[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def is_unchanged(prediction: Prediction) -> bool:
    """Whether nothing happens to the instance, for sure."""
    p = prediction
    same = (
        p.state.then == p.state.now
        and p.state.then is not None
        and set(p.vips_here.now or ()) == set(p.vips_here.then or ())
    )
    return same and p.certainty is Certainty.CERTAIN and not p.two_owners and p.within_seconds is None


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
            + (f"; {listed(kept)} {_verb(kept, 'stays', 'stay')}" if kept else "")
            + (f". {same[0].why}" if len(same) == 1 and not changed else "")
        )


def observed(before: Observation, now: Observation, predictions: Iterable[Prediction]) -> tuple[Prediction, ...]:
    """Returns what came, for each instance that something was predicted for."""
    views = {v.name: v for v in now.vrrp_instances or ()}
    return tuple(_observed(before, now, p, views.get(p.instance)) for p in predictions)


def _observed(before: Observation, now: Observation, p: Prediction, view: InstanceView | None) -> Prediction:
    vips = _held(now, p, view)
    if view is None:
        return Prediction(
            p.instance,
            StateChange(p.state.now, None),
            VipsChange(p.vips_here.now, vips),
            None,
            None,
            None,
            Certainty.UNKNOWN,
            "keepalived has no such instance",
        )
    instance = next((i for i in known_instances(now.snapshot) or () if i.name == view.name), None)
    own = self_address(now.snapshot, instance) if instance else None
    is_master = view.state is VrrpState.MASTER
    owner = (view.master.address if view.master else None) or (own if is_master else None)
    state = None if view.state is VrrpState.UNKNOWN else view.state.value
    why = f"seen by {view.evidence}"
    if view.rivals:
        why += f"; {', '.join(view.rivals)} {'advertises' if len(view.rivals) == 1 else 'advertise'} too"
    return Prediction(
        p.instance,
        StateChange(p.state.now, state),
        VipsChange(p.vips_here.now, vips),
        owner,
        _two_owners(before, now, p, view, vips),
        None,
        Certainty.UNKNOWN if state is None else Certainty.CERTAIN,
        why,
    )


def _held(now: Observation, p: Prediction, view: InstanceView | None) -> tuple[str, ...] | None:
    table = now.snapshot.addresses
    if table is None:
        return None
    wanted = dict.fromkeys([*(view.vips if view else ()), *(p.vips_here.now or ()), *(p.vips_here.then or ())])
    return tuple(a for a in wanted if table.holding(a))


def _two_owners(
    before: Observation, now: Observation, p: Prediction, view: InstanceView, held: tuple[str, ...] | None
) -> bool | None:
    """Whether another node is master too; None where that cannot be seen from here.

    A node that rejects our adverts hardly sends its own: each of ours restarts its timer. Its few adverts count as
    rejected here.
    """
    if view.rivals:
        theirs = (a.last.addresses for a in now.snapshot.advertisers or () if a.last.source in view.rivals)
        return held is None or bool(set(held) & {address for addresses in theirs for address in addresses})
    if held and p.vips_here.now and set(held).isdisjoint(p.vips_here.now):
        return None  # nodes with the old value have other VIPs
    if view.state is VrrpState.MASTER and _rejected(view) > _rejected_before(before, view.name):
        return True
    return None if p.two_owners is not False else False


def _rejected_before(before: Observation, name: str) -> int:
    return next((_rejected(v) for v in before.vrrp_instances or () if v.name == name), 0)


def _rejected(view: InstanceView) -> int:
    counters = view.counters or {}
    return sum(n for name, n in counters.items() if any(part in name for part in REJECTED))


def came_true(prediction: Prediction, seen: Prediction) -> bool | None:
    """Returns whether all that was predicted and can be seen came; None if that is nothing."""
    checks: list[bool] = []
    p, o = prediction, seen
    if p.state.then is not None and o.state.then is not None:
        checks.append(p.state.then == o.state.then)
    if p.vips_here.then is not None and o.vips_here.then is not None:
        checks.append(set(p.vips_here.then) == set(o.vips_here.then))
    if p.owner_then is not None and o.owner_then is not None:
        checks.append(p.owner_then == o.owner_then)
    if p.two_owners is not None and o.two_owners is not None and p.certainty is not Certainty.UNKNOWN:
        checks.append(p.two_owners == o.two_owners)
    if not checks or (p.state.then is None and p.vips_here.then is None):
        return None
    return all(checks)


def losses(prediction: Prediction, seen: Prediction) -> Iterator[str]:
    """Yields which VIPs are lost, doubled or moved although that was not predicted."""
    p, o = prediction, seen
    now, then = p.vips_here.now or (), o.vips_here.then
    if then is None:
        return
    gone = [a for a in now if a not in then and (p.vips_here.then is None or a in p.vips_here.then)]
    names = listed(gone)
    if gone and o.owner_then is None:
        yield f"{names} left this node, and no other node advertises {'it' if len(gone) == 1 else 'them'}"
    elif gone and p.vips_here.then is not None:
        yield f"{names} moved to {o.owner_then}, which was not predicted"
    come = [a for a in then if a not in now and p.vips_here.then is not None and a not in p.vips_here.then]
    if come:
        yield f"{listed(come)} came to this node, which was not predicted"
    if o.two_owners and p.two_owners is not True and then:
        yield f"{listed(then)} {_verb(list(then), 'is', 'are')} on two nodes: {o.why}"
