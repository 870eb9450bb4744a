"""The first three layers where no API says anything: the mapping as keepalived.conf's own comments and blocks tell it.

What is there and cannot be seen is unknown. Nothing is expected of these layers where the operator leaves the cluster
out (``--no-kube``), nor on a node on which nothing speaks of a cluster: no API, no controller, no Service in a comment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceName, UnavailableReason
from kvtui.model.text import plain
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.chain.names import named

if TYPE_CHECKING:
    from kvtui.model.mapping import Mapping
    from kvtui.rules.chain.index import ChainIndex

WHY = {
    UnavailableReason.ABSENT: "no Kubernetes API is configured here",
    UnavailableReason.UNWANTED: "not asked (--no-kube)",
}
NEXT = "--kubeconfig FILE names an API to ask; --no-kube leaves the cluster out, and judges this node alone"


def links_without_api(index: ChainIndex, entry: Mapping | None) -> tuple[Link, Link, Link]:
    """ConfigMap, Service and endpoints, with what keepalived.conf says in their place."""
    source = index.seen.snapshot.source(SourceName.KUBERNETES)
    why = WHY[source.reason] if source.reason else f"the API was not asked: {source.detail or 'not yet'}"
    mark = Mark.UNKNOWN if _expected(index, source.reason) else Mark.NONE
    remedy = NEXT if source.reason and mark is Mark.UNKNOWN else ""
    comment = f"; the config's comment names {named(entry)}" if entry and entry.target else ""
    return (
        Link(Layer.CONFIGMAP, mark, why + _told(entry), remedy=remedy),
        Link(Layer.SERVICE, mark, why + comment, remedy=remedy),
        Link(Layer.ENDPOINTS, mark, why, remedy=remedy),
    )


def _expected(index: ChainIndex, reason: UnavailableReason | None) -> bool:
    """Whether there is something that is not seen: an API that gives no answer, or what a cluster left here."""
    if reason is UnavailableReason.UNWANTED:
        return False
    controlled = any(k.controller is not None for k in index.seen.snapshot.keepalived)
    return reason is None or controlled or any(m.target is not None for m in index.entries.values())


def _told(entry: Mapping | None) -> str:
    """The mapping by keepalived.conf."""
    if entry is None:
        return ""
    if entry.state is MappingState.VIP_ONLY:
        return "; keepalived.conf has the VIP alone"
    what = f"comment and blocks map it to {named(entry)}" if entry.target else "blocks map it to no Service"
    return f"; keepalived.conf's {what}, by {plain(entry.method or '?', 20)}"
