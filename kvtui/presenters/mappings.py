from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ip import canonical_or_same
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone, share_cell
from kvtui.presenters.trace import applying, chain_cell, entry_text, head_lines, link_cells
from kvtui.presenters.vips import up_cell
from kvtui.rules.chain import ChainIndex, Mark, chain_of, first_break
from kvtui.rules.mapping.backends import endpoints_of, port_backends

if TYPE_CHECKING:
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.chain import Links

STATE_TONES = {MappingState.OK: Tone.GOOD, MappingState.VIP_ONLY: Tone.NORMAL, MappingState.ERROR: Tone.BAD}


def empty_text(observation: Observation) -> str:
    api = observation.snapshot.source(SourceName.KUBERNETES).detail or "the API was not asked yet"
    if observation.mappings is None:
        return f"Mappings are unknown: {api}; and keepalived.conf cannot be read."
    if name := configmap_name(observation):
        return f"The ConfigMap {name} has no entries. Add one as VIP: NAMESPACE/SERVICE"
    return f"keepalived.conf has no VIPs, and the ConfigMap is unknown: {api}."


def configmap_name(observation: Observation) -> str:
    kube = observation.snapshot.kube
    if kube is None or kube.configmap is None:
        return ""
    return f"{plain(kube.configmap.namespace)}/{plain(kube.configmap.name)}"


def search_texts(entry: Mapping) -> tuple[str | None, ...]:
    return (entry.vip, entry.value, entry.method, entry.state.value, entry.error, *entry.notes)


def detail_lines(index: ChainIndex, entry: Mapping, glyphs: Glyphs) -> list[Line]:
    links = chain_of(index, canonical_or_same(entry.vip))
    details = " ".join(link.detail for link in links)
    notes = [note for note in entry.notes if note not in details]
    return [
        (Cell(entry_text(entry), Tone.BAD if entry.error else Tone.NORMAL),),
        *head_lines(links, glyphs, of_node=index.seen.snapshot.kube is None),
        *((Cell(plain(note), Tone.WARN),) for note in notes),
        *(link_cells(link, glyphs) for link in applying(links)),
    ]


def break_position(index: ChainIndex, entry: Mapping) -> int:
    """Returns the position of the first broken layer, for sorting; entries without one come last."""
    links = chain_of(index, canonical_or_same(entry.vip))
    return next((n for n, link in enumerate(links) if link.mark is Mark.BROKEN), len(links))


def _notes_cell(links: Links, entry: Mapping) -> Cell:
    """Returns why the chain breaks, and the notes; the column before it names the layer."""
    broken = first_break(links)
    detail = broken.detail if broken else ""
    parts = (detail, *(note for note in entry.notes if note not in detail))
    return Cell(plain("; ".join(filter(None, parts))), Tone.BAD if broken else Tone.WARN)


def mapping_cells(index: ChainIndex, entry: Mapping, glyphs: Glyphs, chain_width: int = 0) -> tuple[Cell, ...]:
    address = canonical_or_same(entry.vip)
    links = chain_of(index, address)
    service = "/".join(entry.target) if entry.target else entry.value
    return (
        Cell(plain(entry.vip, 60), Tone.STRONG),
        Cell(plain(service, 130) or glyphs.dash),
        Cell(plain(entry.method or glyphs.dash, 20)),
        Cell(entry.state.value, STATE_TONES[entry.state]),
        _ready_cell(index, address, glyphs),
        up_cell(index.kernel.get(address, {}).values(), glyphs.dash),
        chain_cell(links, glyphs, chain_width),
        _notes_cell(links, entry),
    )


def _ready_cell(index: ChainIndex, address: str, glyphs: Glyphs) -> Cell:
    service, kube = index.service(address), index.seen.snapshot.kube
    if service is None or kube is None or kube.endpoints is None:
        return Cell(glyphs.dash, Tone.DIM)
    ports = port_backends(service, endpoints_of(kube, service.key))
    ready, total = sum(len(p.backends) for p in ports), sum(len(p.backends) + len(p.others) for p in ports)
    return share_cell(ready, total)
