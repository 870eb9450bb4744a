"""The nodes in an instance's election, as far as this node knows, and the prediction of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.election import Candidate, Leaving, Prediction, predict
from kvtui.rules.vrrp.instances import evidence, known_instances, self_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import InstanceView, Observation
    from kvtui.model.vrrp import Advertiser, VrrpInstance

NOBODY = "0.0.0.0"  # noqa: S104 - stands for our own address in comparisons where that is unknown; nothing is bound
DEFAULT_INTERVAL = 1.0


class UnknownInstanceError(LookupError):
    """This node's keepalived has no instance of that name; the text lists those there are."""


class InstancesUnreadableError(OSError):
    """Which instances there are cannot be read; the text says why."""


class ElectionContext(Struct, frozen=True):
    """One instance and its election.

    Attributes:
        peers: the other nodes; their nopreempt and preempt_delay are taken to be as here.
        listening: whether adverts can be seen at all.
    """

    view: InstanceView
    instance: VrrpInstance
    own: str
    peers: tuple[Candidate, ...]
    interval: float
    listening: bool

    @property
    def is_master(self) -> bool:
        return self.view.state is VrrpState.MASTER

    @property
    def heard(self) -> tuple[str, ...]:
        """Peers whose adverts were seen since kvtui listens."""
        return tuple(p.address for p in self.view.peers if p.seen)

    @property
    def master(self) -> str | None:
        if self.is_master:
            return self.own
        return self.view.master.address if self.view.master else None

    def predicted(self, priority: int, leaving: Leaving = Leaving.STAYS) -> Prediction:
        """What happens when this node has another effective priority, or leaves.

        Unknown as long as nobody is known to be master: a backup that hears nobody would be master by now, so there
        is one that kvtui has not heard yet.
        """
        name, vrid = self.view.name, self.view.vrid
        if self.view.state is VrrpState.FAULT:
            return Prediction(self.master, (), certain=False, because=f"{name} is in FAULT here and does not take part")
        if self.master is None and all(p.priority is None for p in self.peers):
            why = f"no advert of VRID {vrid} was heard yet" if self.listening else "adverts cannot be captured"
            return Prediction(None, (), certain=False, because=why)
        me = Candidate(self.own, priority, bool(self.view.nopreempt), self.view.preempt_delay or 0.0, is_self=True)
        return predict((me, *self.peers), self.master, self.interval, leaving)


def election_context(observation: Observation, name: str) -> ElectionContext:
    """The election of the named instance.

    Raises:
        InstancesUnreadableError: they cannot be read.
        UnknownInstanceError: there is none of that name.
    """
    instances = known_instances(observation.snapshot)
    if instances is None:
        raise InstancesUnreadableError(
            f"the instances are unknown: {observation.snapshot.source(SourceName.CONF).detail}"
        )
    views = {v.name: v for v in observation.vrrp_instances or ()}
    known = {i.name: i for i in instances}
    if name not in views or name not in known:
        names = ", ".join(views) or "none"
        raise UnknownInstanceError(f"keepalived has no vrrp_instance {name!r} here; it has: {names}")
    view, instance = views[name], known[name]
    wire = evidence(observation.snapshot, instance)
    own_advert, usual = wire.own, {a.last.source: a.usual_priority for a in wire.others}
    own = own_advert.last.source if own_advert else self_address(observation.snapshot, instance)
    peers = tuple(
        # a peer that said goodbye with priority 0 still has its own
        Candidate(p.address, p.priority or usual.get(p.address), bool(view.nopreempt), view.preempt_delay or 0.0)
        for p in view.peers
    )
    return ElectionContext(
        view=view,
        instance=instance,
        own=own or NOBODY,
        peers=peers,
        interval=view.advert_interval or DEFAULT_INTERVAL,
        listening=observation.snapshot.advertisers is not None,
    )


def still_to_hear(observation: Observation, name: str) -> float:
    """Returns the seconds until the master of an instance must have been heard; 0 when a node was heard.

    A backup that hears nothing for three advert intervals is master itself.
    """
    if observation.snapshot.advertisers is None:
        return 0.0
    instance = next((i for i in known_instances(observation.snapshot) or () if i.name == name), None)
    if instance is None:
        return 0.0
    wire = evidence(observation.snapshot, instance)
    if wire.own is not None or wire.others:
        return 0.0
    return 3 * (instance.advert_interval or DEFAULT_INTERVAL)


def prediction_lines(prediction: Prediction, own: str) -> Iterator[str]:
    for move in prediction.moves:
        who = f"{move.to} (this node)" if move.to == own else move.to
        ownerless = f", for up to {move.ownerless:.1f} s of which nobody owns the VIP" if move.ownerless else ""
        yield f"{who} becomes master within {move.after:.1f} s{ownerless}: {prediction.because}"
    if not prediction.moves:
        unknown = prediction.master is None
        yield f"{'the master after that is unknown' if unknown else 'the master does not change'}: {prediction.because}"
    if not prediction.certain and prediction.master is not None:
        yield "other nodes whose priority was never seen (a backup is silent) may change this"


def sync_group_notes(observation: Observation, election: ElectionContext) -> Iterator[Note]:
    group = election.view.sync_group
    others = [
        v.name
        for v in observation.vrrp_instances or ()
        if group is not None and v.sync_group == group and v.name != election.view.name
    ]
    if others:
        yield Note(NoteSeverity.WARNING, f"sync group {group}: this also changes the state of {', '.join(others)}")


def own_advert(observation: Observation, name: str) -> Advertiser | None:
    instance = next((i for i in known_instances(observation.snapshot) or () if i.name == name), None)
    return evidence(observation.snapshot, instance).own if instance else None


def successor(observation: Observation, name: str, since: float) -> Advertiser | None:
    return next(iter(successors(observation, name, since)), None)


def successors(observation: Observation, name: str, since: float) -> tuple[Advertiser, ...]:
    """Every other node that does, best first. Two backups may both take over for a moment (``rules.vrrp.claims``)."""
    instance = next((i for i in known_instances(observation.snapshot) or () if i.name == name), None)
    if instance is None:
        return ()
    live = evidence(observation.snapshot, instance).live_others
    return tuple(a for a in live if a.last.received > since)


def lasting_owner(observation: Observation, name: str) -> Advertiser | None:
    """The one node that advertises the instance's VRID and will go on to, this one or another; None before that."""
    instance = next((i for i in known_instances(observation.snapshot) or () if i.name == name), None)
    return evidence(observation.snapshot, instance).stable_master if instance else None
