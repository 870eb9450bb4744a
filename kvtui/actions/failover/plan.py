"""``kvtui failover``: makes the VIPs of one instance leave this node.

A backup is silent, so kvtui may never have heard one. Where peers may preempt, lowering the priority loses nothing: the
VIP stays until another node takes it. Stepping down needs a node that is known from some source, or --force: when no
node takes over in time, everything is put back, and the worst case is that time without an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.election_context import election_context
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity
from kvtui.actions.core.runner import Action
from kvtui.actions.failover.methods import MethodKind, choose_method
from kvtui.actions.failover.verifier import FailoverVerifier
from kvtui.rules.phrases import plural
from kvtui.rules.vrrp.consequences import consequences
from kvtui.rules.vrrp.others import PeerSource
from kvtui.rules.vrrp.verdict import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.failover.methods import FailoverMethod
    from kvtui.model.observation import Observation


def plan_failover(
    observation: Observation, preflight: Preflight, instance: str, watch: Watch, backend: ActionBackend
) -> Action:
    """Raises UnknownInstanceError."""
    election = election_context(observation, instance)
    method = choose_method(observation, preflight, election, backend)
    expected = consequences(observation, method.change)
    predictions = tuple(c.prediction for c in expected)
    undo_text = _undo_text(election, method)
    plan = method.part.plan(
        ActionKind.FAILOVER,
        instance,
        f"make {', '.join(election.view.vips) or instance} leave this node: {method.kind.value}",
        (*sentences(predictions), f"method: {method.kind.value}, because {method.why}", undo_text),
        before=(*_refusals(election, method), *_peer_notes(election, method)),
    )
    verifier = FailoverVerifier(observation, election, method, expected, watch, undo_text)
    vips = HeldVips.of(observation, backend)
    return Action(replace(plan, prediction=predictions), method.part.steps, verifier, vips=vips)


def _refusals(election: ElectionContext, method: FailoverMethod) -> Iterator[Note]:
    if not election.is_master:
        text = f"{election.view.name} is {election.view.state.value} here, not MASTER: there is nothing to fail over"
        yield Note(NoteSeverity.IMPOSSIBLE, text)
    if not election.others.listening:
        text = "adverts cannot be captured, so kvtui would not see which node takes over"
        yield Note(NoteSeverity.WARNING if method.kind is MethodKind.PREEMPTED else NoteSeverity.UNSAFE, text)


def _peer_notes(election: ElectionContext, method: FailoverMethod) -> Iterator[Note]:
    """Where peers may preempt, lowering the priority loses nothing; stepping down needs a node that takes over."""
    name, vrid, others = election.view.name, election.view.vrid, election.others
    put_back = "If no node takes over in time, everything is put back"
    heard = [o for o in others.known if o.source in {PeerSource.WIRE, PeerSource.REPORTED}]
    if heard or not election.is_master:
        return
    if others.known:
        sources = ", ".join(f"{o.address} ({o.source.value})" for o in others.known)
        yield Note(NoteSeverity.WARNING, f"no other node of VRID {vrid} was heard, but known: {sources}. {put_back}")
    elif others.received:
        adverts = plural(others.received, "advert")
        yield Note(
            NoteSeverity.NOTE,
            f"kvtui has heard no other node (backups are silent), but keepalived has received {adverts} from other "
            f"nodes for {name} since it started. {put_back}",
        )
    elif method.kind is MethodKind.PREEMPTED:
        yield Note(
            NoteSeverity.NOTE,
            f"no other node of VRID {vrid} is known (a backup is silent, so there may be one). Nothing is lost: the "
            f"VIP stays here until another node takes it. {put_back}",
        )
    else:
        yield Note(
            NoteSeverity.UNSAFE,
            f"no peer has been seen on the wire: neither kvtui nor keepalived ever heard another node of VRID {vrid} "
            f"(a backup is silent, so there may be one), and the VIP leaves at once. {put_back}",
        )


def _undo_text(election: ElectionContext, method: FailoverMethod) -> str:
    by_file = method.kind is MethodKind.TRACK_FILE
    restores = "the track file" if by_file else f"priority {election.view.priority}"
    if election.view.nopreempt:
        return f"Undo restores {restores}; the VIP stays where it is then (nopreempt)"
    return f"Undo restores {restores}; the VIP returns if this node then wins the election"
