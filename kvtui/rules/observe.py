"""Assembles an observation from a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import Observation
from kvtui.rules.mapping.entries import mappings
from kvtui.rules.servers.views import virtual_server_views
from kvtui.rules.vrrp import instances

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.mapping import Mapping
    from kvtui.model.snapshot import Snapshot


def observe(snapshot: Snapshot, previous: IpvsTable | None = None, before: Observation | None = None) -> Observation:
    """``previous`` is an earlier reading of the table, for rates; unchanged views are reused from ``before``."""
    known = instances.known_instances(snapshot)
    views = None if known is None else [(i, instances.view(snapshot, i)) for i in known]
    entries = _mappings(snapshot, before)
    services = {m.vip: m.target for m in entries or () if m.target is not None}
    return Observation(
        snapshot=snapshot,
        vrrp_instances=None if views is None else tuple(view for _, view in views),
        vips=None if views is None else tuple(v for i, view in views for v in instances.vips_of(snapshot, i, view)),
        virtual_servers=virtual_server_views(snapshot, previous, services, before),
        mappings=entries,
    )


def _mappings(snapshot: Snapshot, before: Observation | None) -> tuple[Mapping, ...] | None:
    """Reuses the previous mappings if they come from the same config object."""
    if before is not None and _config_of_mappings(snapshot) is _config_of_mappings(before.snapshot) is not None:
        return before.mappings
    return mappings(snapshot)


def _config_of_mappings(snapshot: Snapshot) -> Conf | None:
    """Returns the config that the mappings come from; None if they come from the API or are unknown."""
    from_api = snapshot.kube is not None and snapshot.kube.configmap is not None
    return None if from_api else snapshot.conf or snapshot.running
