"""A snapshot → an observation: the one place where the rules' views are put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import Observation
from kvtui.rules import instances, servers
from kvtui.rules.mappings import mappings

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.snapshot import Snapshot


def observe(snapshot: Snapshot, previous: IpvsTable | None = None) -> Observation:
    """What follows from a snapshot.

    Args:
        snapshot: one reading of the node.
        previous: an earlier reading of the IPVS table, so that rates are differences; None at the start.
    """
    known = instances.known_instances(snapshot)
    seen = None if known is None else tuple(instances.view(snapshot, i) for i in known)
    vips = None
    if known is not None and seen is not None:
        vips = tuple(v for i, s in zip(known, seen, strict=True) for v in instances.vips_of(snapshot, i, s))
    mapped = mappings(snapshot)
    services = {m.vip: m.target for m in mapped or () if m.target is not None}
    return Observation(
        snapshot=snapshot,
        vrrp_instances=seen,
        vips=vips,
        virtual_servers=servers.views(snapshot, previous, services),
        mappings=mapped,
    )
