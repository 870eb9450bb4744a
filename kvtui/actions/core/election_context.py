"""The nodes in an instance's election, as far as this node knows, and the prediction of the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.intent import CannotPlanError
from kvtui.model.source import SourceName
from kvtui.model.vrrp import Advertiser, VrrpState
from kvtui.rules.vrrp.instances import Evidence, evidence, known_instances
from kvtui.rules.vrrp.others import Others, others

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView, Observation

NOBODY = "0.0.0.0"  # noqa: S104 - stands for our own address in comparisons where that is unknown; nothing is bound
DEFAULT_INTERVAL = 1.0


class UnknownInstanceError(CannotPlanError):
    """This node's keepalived has no instance of that name; the text lists those there are."""


class InstancesUnreadableError(OSError):
    """Which instances there are cannot be read; the text says why."""


class ElectionContext(Struct, frozen=True):
    """One instance and its election; ``interval``: seconds between adverts."""

    view: InstanceView
    others: Others
    interval: float

    @property
    def own(self) -> str:
        return self.others.own or NOBODY

    @property
    def is_master(self) -> bool:
        return self.view.state is VrrpState.MASTER

    @property
    def master(self) -> str | None:
        if self.is_master:
            return self.own
        return self.view.master.address if self.view.master else None


def election_context(observation: Observation, name: str) -> ElectionContext:
    """Raises InstancesUnreadableError or UnknownInstanceError."""
    instances = known_instances(observation.snapshot)
    if instances is None:
        why = observation.snapshot.source(SourceName.CONF).detail
        raise InstancesUnreadableError(f"the instances are unknown: {why}")
    views = {v.name: v for v in observation.vrrp_instances or ()}
    known = {i.name: i for i in instances}
    if name not in views or name not in known:
        names = ", ".join(views) or "none"
        raise UnknownInstanceError(f"keepalived has no vrrp_instance {name!r} here; it has: {names}")
    conf = observation.snapshot.effective_conf
    configured = conf.instance(name) if conf else None
    known_others = others(observation.snapshot, known[name], configured.unicast_peers if configured else ())
    return ElectionContext(views[name], known_others, views[name].advert_interval or DEFAULT_INTERVAL)


def still_to_hear(observation: Observation, name: str) -> float:
    """Returns the seconds until the master of an instance must have been heard; 0 when a node was heard.

    A backup that hears nothing for three advert intervals is master itself.
    """
    wire = _evidence(observation, name)
    if observation.snapshot.advertisers is None or wire is None or wire.own is not None or wire.others:
        return 0.0
    return 3 * (wire.instance.advert_interval or DEFAULT_INTERVAL)


def own_advert(observation: Observation, name: str) -> Advertiser | None:
    wire = _evidence(observation, name)
    return wire.own if wire else None


def successors(observation: Observation, name: str, since: float) -> tuple[Advertiser, ...]:
    """Returns the other nodes that advertise the instance's VRID since that time (seconds since the epoch), best first.

    Two backups may both take over for a moment (``rules.vrrp.claims``).
    """
    wire = _evidence(observation, name)
    return tuple(a for a in wire.live_others if a.last.received > since) if wire else ()


def confirmed_owner(observation: Observation, name: str) -> Advertiser | None:
    """Returns the one node that advertises the instance's VRID and will go on to, this one or another."""
    wire = _evidence(observation, name)
    return wire.stable_master if wire else None


def _evidence(observation: Observation, name: str) -> Evidence | None:
    instance = next((i for i in known_instances(observation.snapshot) or () if i.name == name), None)
    return evidence(observation.snapshot, instance) if instance else None
