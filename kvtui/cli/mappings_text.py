"""``kvtui mappings`` as plain text: each entry of the ConfigMap and the first break of its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.cli.tables import table
from kvtui.model.ip import canonical_or_same
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.presenters.glyphs import ASCII
from kvtui.presenters.mappings import configmap_name, notes_cell, service_text
from kvtui.presenters.trace import chain_cell
from kvtui.rules.chain import ChainIndex, chain_of

if TYPE_CHECKING:
    from kvtui.cli.tables import Row
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation

MAX_CELL = 60
"""Characters of a key or a value."""


def mappings(seen: Observation) -> str:
    """Returns where the entries come from, and a line for each."""
    api_error = plain(seen.snapshot.source(SourceName.KUBERNETES).detail) or "kvtui has not asked the API"
    if seen.mappings is None:
        return f"Mappings unknown: {api_error}; and keepalived.conf cannot be read\n"
    if name := configmap_name(seen):
        origin = f"ConfigMap {name}"
    else:
        origin = f"From the comments and blocks of keepalived.conf, because the ConfigMap is unknown ({api_error})"
    if not seen.mappings:
        return f"{origin}: no entries.\n"
    index = ChainIndex(seen)
    head = ("VIP", "SERVICE", "METHOD", "STATE", "CHAIN", "FIRST BREAK, NOTES")
    return f"{origin}\n{table(head, [_row(index, mapping) for mapping in seen.mappings])}"


def _row(index: ChainIndex, mapping: Mapping) -> Row:
    return (
        plain(mapping.vip, MAX_CELL),
        plain(service_text(mapping), MAX_CELL) or "-",
        plain(mapping.method or "-", MAX_CELL),
        mapping.state.value,
        chain_cell(chain_of(index, canonical_or_same(mapping.vip)), ASCII).text,
        notes_cell(index, mapping).text,
    )
