"""Compares what came with what was predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed
from kvtui.rules.vrrp.instances import known_instances, self_address
from kvtui.rules.vrrp.prediction_text import clause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.model.observation import InstanceView, Observation

REJECTED = ("_err", "_failure", "_mismatch", "invalid_")
"""Parts of the names of keepalived's counters of rejected adverts."""


def observed(before: Observation, now: Observation, predictions: Iterable[Prediction]) -> tuple[Prediction, ...]:
    views = {v.name: v for v in now.vrrp_instances or ()}
    return tuple(_observed(before, now, p, views.get(p.instance)) for p in predictions)


def _observed(before: Observation, now: Observation, p: Prediction, view: InstanceView | None) -> Prediction:
    held = _held(now, p, view)
    state = owner = two_owners = None
    why = "keepalived has no such instance"
    if view is not None:
        if view.state is not VrrpState.UNKNOWN:
            state = view.state.value
        owner = view.master.address if view.master else None
        if view.state is VrrpState.MASTER and owner is None:
            instance = next((i for i in known_instances(now.snapshot) or () if i.name == view.name), None)
            owner = self_address(now.snapshot, instance) if instance else None
        two_owners = _two_owners(before, now, p, view, held)
        too = f"; {', '.join(view.rivals)} {'advertises' if len(view.rivals) == 1 else 'advertise'} too"
        why = f"seen by {view.evidence}" + (too if view.rivals else "")
    return Prediction(
        instance=p.instance,
        state=StateChange(p.state.now, state),
        vips_here=VipsChange(p.vips_here.now, held),
        owner_then=owner,
        two_owners=two_owners,
        within_seconds=None,
        certainty=Certainty.CERTAIN if state else Certainty.UNKNOWN,
        why=why,
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
    rejected_before = next((_rejected(v) for v in before.vrrp_instances or () if v.name == view.name), 0)
    if view.state is VrrpState.MASTER and _rejected(view) > rejected_before:
        return True
    return None if p.two_owners is not False else False


def _rejected(view: InstanceView) -> int:
    return sum(n for name, n in (view.counters or {}).items() if any(part in name for part in REJECTED))


def came_true(prediction: Prediction, seen: Prediction) -> bool | None:
    """Returns whether all that was predicted and can be seen came; None if that is nothing."""
    p, o = prediction, seen
    if p.state.then is None and p.vips_here.then is None:
        return None
    pairs: list[tuple[object, object]] = [
        (p.state.then, o.state.then),
        (_set(p.vips_here.then), _set(o.vips_here.then)),
        (p.owner_then, o.owner_then),
        (None if p.certainty is Certainty.UNKNOWN else p.two_owners, o.two_owners),
    ]
    known = [(one, other) for one, other in pairs if one is not None and other is not None]
    return all(one == other for one, other in known) if known else None


def _set(vips: tuple[str, ...] | None) -> frozenset[str] | None:
    return None if vips is None else frozenset(vips)


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
        yield f"{clause(then, 'is', 'are')} on two nodes: {o.why}"
