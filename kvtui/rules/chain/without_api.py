"""The first three layers without the API: the mapping as derived from keepalived.conf.

The layers are unknown if a cluster exists but cannot be read. They are not needed with ``--no-kube``, or if nothing on
the node refers to a cluster: no API, no controller, no Service in a comment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceName, UnavailableReason
from kvtui.model.text import plain
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.phrases import service_name

if TYPE_CHECKING:
    from kvtui.model.mapping import Mapping
    from kvtui.rules.chain.index import ChainIndex

REASONS = {
    UnavailableReason.ABSENT: "no Kubernetes API is configured",
    UnavailableReason.UNWANTED: "Kubernetes is disabled (--no-kube)",
}
REMEDY = "set --kubeconfig FILE, or disable these layers with --no-kube"


def links_without_api(index: ChainIndex, entry: Mapping | None) -> tuple[Link, Link, Link]:
    source = index.seen.snapshot.source(SourceName.KUBERNETES)
    why = REASONS.get(source.reason) if source.reason else None
    why = why or f"no data from the API: {source.detail or 'not yet read'}"
    mark = Mark.UNKNOWN if _expected(index, source.reason) else Mark.NONE
    remedy = REMEDY if source.reason in REASONS and mark is Mark.UNKNOWN else ""
    comment = f"; the config's comment names {service_name(entry)}" if entry and entry.target else ""
    return (
        Link(Layer.CONFIGMAP, mark, why + _from_conf(entry), remedy=remedy),
        Link(Layer.SERVICE, mark, why + comment, remedy=remedy),
        Link(Layer.ENDPOINTS, mark, why, remedy=remedy),
    )


def _expected(index: ChainIndex, reason: UnavailableReason | None) -> bool:
    """Returns whether a cluster exists: an API that does not answer, a controller, or a Service in a comment."""
    if reason is UnavailableReason.UNWANTED:
        return False
    controlled = any(k.controller is not None for k in index.seen.snapshot.keepalived)
    return reason is None or controlled or any(m.target is not None for m in index.entries.values())


def _from_conf(entry: Mapping | None) -> str:
    if entry is None:
        return ""
    if entry.state is MappingState.VIP_ONLY:
        return "; keepalived.conf has only the VIP"
    target = service_name(entry) if entry.target else "no Service"
    return f"; according to keepalived.conf: {target} with {plain(entry.method or '?', 20)}"
