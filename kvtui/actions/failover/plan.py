"""``kvtui failover``: makes the VIPs of one instance leave this node.

A backup is silent, so kvtui may never have heard one. It is enough that kvtui heard a peer's advert, or that keepalived
counts adverts received since it started. Peers that are only configured (``unicast_peer``) give a warning. With neither
the plan is unsafe: --force tries it, and when no node takes over in time everything is put back, so that the worst case
is that time without an owner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.election_context import election_context, prediction_lines, sync_group_notes
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity
from kvtui.actions.core.runner import Action
from kvtui.actions.failover.methods import MethodKind, choose_method, expected_within
from kvtui.actions.failover.verifier import FailoverVerifier
from kvtui.actions.priority.methods import LOWEST
from kvtui.rules.vrrp.election import Leaving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.failover.methods import FailoverMethod
    from kvtui.model.observation import Observation
    from kvtui.rules.vrrp.election import Prediction


def plan_failover(
    observation: Observation, preflight: Preflight, instance: str, watch: Watch, backend: ActionBackend
) -> Action:
    """Returns the plan to make the instance's VIPs leave this node.

    Raises:
        UnknownInstanceError: there is none of that name.
    """
    election = election_context(observation, instance)
    method = choose_method(observation, preflight, election, backend)
    stays = method.kind is MethodKind.PREEMPTED
    prediction = election.predicted(LOWEST, Leaving.STAYS if stays else Leaving.STEPS_DOWN)
    undo_text = _undo_text(election, method)
    plan = method.part.plan(
        ActionKind.FAILOVER,
        instance,
        f"make {', '.join(election.view.vips) or instance} leave this node: {method.kind.value}",
        (*_effects(election, method, prediction), undo_text),
        before=(*_refusals(election), *_peer_notes(election)),
        after=tuple(sync_group_notes(observation, election)),
    )
    planned_at = observation.snapshot.time
    verifier = FailoverVerifier(election, method, prediction, watch, planned_at, undo_text)
    return Action(plan, method.part.steps, verifier)


def _refusals(election: ElectionContext) -> Iterator[Note]:
    if not election.is_master:
        text = f"{election.view.name} is {election.view.state.value} here, not MASTER: there is nothing to fail over"
        yield Note(NoteSeverity.IMPOSSIBLE, text)
    if not election.listening:
        text = "adverts cannot be captured, so kvtui would not see whether another node takes over"
        yield Note(NoteSeverity.UNSAFE, text)


def _peer_notes(election: ElectionContext) -> Iterator[Note]:
    name, vrid = election.view.name, election.view.vrid
    received = (election.view.counters or {}).get("advert_rcvd", 0)
    if election.heard:
        return
    if received:
        adverts = "1 advert" if received == 1 else f"{received} adverts"
        yield Note(
            NoteSeverity.NOTE,
            f"kvtui has heard no other node (backups are silent), but keepalived has received {adverts} from other "
            f"nodes for {name} since it started",
        )
    elif election.peers:
        peers = ", ".join(p.address for p in election.peers)
        yield Note(
            NoteSeverity.WARNING,
            f"no other node of VRID {vrid} was ever heard; {peers} are configured as peers. If none of them takes over "
            "in time, everything is put back",
        )
    else:
        yield Note(
            NoteSeverity.UNSAFE,
            f"no peer has been seen on the wire: neither kvtui nor keepalived ever heard another node of VRID {vrid} "
            "(a backup is silent, so there may be one). If no node takes over in time, everything is put back",
        )


def _effects(election: ElectionContext, method: FailoverMethod, prediction: Prediction) -> Iterator[str]:
    yield f"method: {method.kind.value}, because {method.why}"
    if prediction.moves:
        yield from prediction_lines(prediction, election.own)
    else:
        within = expected_within(election, method, prediction)
        stays = method.kind is MethodKind.PREEMPTED
        owned = "the VIP stays here until then" if stays else "nobody owns the VIP until then"
        yield f"another node becomes master within {within:.1f} s; {owned}. Which one is unknown: none was heard yet"


def _undo_text(election: ElectionContext, method: FailoverMethod) -> str:
    by_file = method.kind is MethodKind.TRACK_FILE
    restores = "the track file" if by_file else f"priority {election.view.priority}"
    if election.view.nopreempt:
        return f"Undo restores {restores}; the VIP stays where it is then (nopreempt)"
    return f"Undo restores {restores}; the VIP returns if this node then wins the election"
