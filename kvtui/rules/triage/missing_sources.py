"""Which sources triage cannot do without on this node: without them, no finding does not mean that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import Source, SourceName, SourceState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation


def missing_sources(seen: Observation) -> tuple[Source, ...]:
    """The sources that are needed here and say nothing.

    Adverts and addresses are needed where there are VRRP instances, IPVS where there are virtual servers, Kubernetes
    where an API is configured. Keepalived's own word is not: adverts and addresses tell the states as well.
    """
    sources = (seen.snapshot.source(name) for name in _needed(seen))
    return tuple(s for s in sources if s.state is SourceState.UNAVAILABLE)


def _needed(seen: Observation) -> Iterator[SourceName]:
    snapshot = seen.snapshot
    conf = snapshot.running or snapshot.conf
    yield SourceName.KEEPALIVED
    if snapshot.chosen is not None and snapshot.running is None:
        yield SourceName.CONF
    if conf is None or conf.virtual_servers:
        yield SourceName.IPVS
    if seen.vrrp_instances is None or seen.vrrp_instances:
        yield SourceName.ADDRESSES
        yield SourceName.ADVERTS
    if snapshot.kube is not None:
        yield SourceName.KUBERNETES
