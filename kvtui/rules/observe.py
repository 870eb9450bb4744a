"""A snapshot → an observation: the one place where the rules' views are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import Observation
from kvtui.rules import instances, servers
from kvtui.rules.mappings import mappings

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.mapping import Mapping
    from kvtui.model.snapshot import Snapshot


def observe(snapshot: Snapshot, previous: IpvsTable | None = None, before: Observation | None = None) -> Observation:
    """What follows from a snapshot.

    Args:
        snapshot: one reading of the node.
        previous: an earlier reading of the IPVS table, so that rates are differences; None at the start.
        before: the observation before this one: what has not changed since is taken from it; None at the start.
    """
    known = instances.known_instances(snapshot)
    seen = None if known is None else tuple(instances.view(snapshot, i) for i in known)
    vips = None
    if known is not None and seen is not None:
        vips = tuple(v for i, s in zip(known, seen, strict=True) for v in instances.vips_of(snapshot, i, s))
    mapped = _mappings(snapshot, before)
    services = {m.vip: m.target for m in mapped or () if m.target is not None}
    return Observation(
        snapshot=snapshot,
        vrrp_instances=seen,
        vips=vips,
        virtual_servers=servers.views(snapshot, previous, services, before),
        mappings=mapped,
    )


def _mappings(snapshot: Snapshot, before: Observation | None) -> tuple[Mapping, ...] | None:
    """Those of before where they come from the same config and from nothing else."""
    if before is not None and _config_of_mappings(snapshot) is _config_of_mappings(before.snapshot) is not None:
        return before.mappings
    return mappings(snapshot)


def _config_of_mappings(snapshot: Snapshot) -> Conf | None:
    """The config that alone tells of the mappings; None where the API does, or nothing."""
    told = snapshot.kube is not None and snapshot.kube.configmap is not None
    return None if told else snapshot.conf or snapshot.running
