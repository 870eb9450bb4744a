"""Sources that triage needs on this node: without them, no findings does not mean no problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation


def missing_sources(observation: Observation) -> tuple[Source, ...]:
    """Returns the needed sources that are unavailable.

    VRRP instances need adverts and addresses, virtual servers need IPVS, a configured API needs Kubernetes.
    keepalived's dumps are not needed: adverts and addresses show the states too.
    """
    sources = (observation.snapshot.source(name) for name in _needed(observation))
    return tuple(s for s in sources if s.state is SourceState.UNAVAILABLE)


def _needed(observation: Observation) -> Iterator[SourceName]:
    snapshot = observation.snapshot
    conf = snapshot.effective_conf
    yield SourceName.KEEPALIVED
    if snapshot.chosen is not None and snapshot.running is None:
        yield SourceName.CONF
    if conf is None or conf.virtual_servers:
        yield SourceName.IPVS
    if observation.vrrp_instances is None or observation.vrrp_instances:
        yield SourceName.ADDRESSES
        yield SourceName.ADVERTS
    if snapshot.kube is not None:
        yield SourceName.KUBERNETES
