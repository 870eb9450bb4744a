"""``kvtui mappings`` as plain text: each entry, what becomes of it, and where its chain breaks first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.text import table
from kvtui.model.ip import canonical_or_same
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.rules.chain import LETTERS, ChainIndex, Mark, chain_of, first_break

if TYPE_CHECKING:
    from kvtui.cli.text import Row
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation

MARKS = {Mark.OK: "+", Mark.BROKEN: "X", Mark.UNKNOWN: "?", Mark.NONE: "."}
LONGEST = 60
"""Characters of a key or a value in its column."""


def mappings(seen: Observation) -> str:
    """A line for each entry of the ConfigMap, and where they come from."""
    if seen.mappings is None:
        why = seen.snapshot.source(SourceName.KUBERNETES).detail or "the API was not asked"
        return f"Mappings unknown: {plain(why)}; and keepalived.conf cannot be read\n"
    origin = _origin(seen)
    if not seen.mappings:
        return f"{origin}: no entries.\n"
    index = ChainIndex(seen)
    return f"{origin}\n" + table(
        ("VIP", "SERVICE", "METHOD", "STATE", LETTERS, "FIRST BREAK, NOTES"), [_row(index, m) for m in seen.mappings]
    )


def _origin(seen: Observation) -> str:
    kube = seen.snapshot.kube
    if kube is not None and kube.configmap is not None:
        return f"ConfigMap {plain(kube.configmap.namespace)}/{plain(kube.configmap.name)}"
    why = seen.snapshot.source(SourceName.KUBERNETES).detail or "the API was not asked"
    return f"From keepalived.conf's own comments and blocks, since the ConfigMap is not known ({plain(why)})"


def _row(index: ChainIndex, mapping: Mapping) -> Row:
    links = chain_of(index, canonical_or_same(mapping.vip))
    broken = first_break(links)
    said = [f"{broken.layer.words}: {broken.detail}"] if broken else []
    named = f"{mapping.namespace}/{mapping.service}" if mapping.target else mapping.value
    return (
        plain(mapping.vip, LONGEST),
        plain(named, LONGEST) or "-",
        plain(mapping.method or "-", LONGEST),
        mapping.state.value,
        "".join(MARKS[link.mark] for link in links),
        "; ".join((*said, *mapping.notes)),
    )
