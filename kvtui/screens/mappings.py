"""Screen 4: the ConfigMap's entries, what becomes of each, and its chain as one mark a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on

from kvtui.actions.equivalent_commands import of_mapping
from kvtui.model.ip import canonical_or_same
from kvtui.model.mapping import MappingState
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.rules.chain import LETTERS, ChainIndex, Mark, chain_of, first_break
from kvtui.rules.mapping.backends import endpoints_of, port_backends
from kvtui.screens.chain_pane import ChainPane, chain_text
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.trace_panel import Target, TracePanel, entry_text
from kvtui.screens.vips import chain_cell
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import Observation
    from kvtui.widgets.glyphs import Glyphs

COLUMNS = (
    Column("vip", "VIP", 15, 0, most=39),
    Column("service", "SERVICE", 18, 0, most=60),
    Column("method", "METHOD", 6, 2, most=12),
    Column("state", "STATE", 8, 1),
    Column("ready", "READY", 5, 1, right=True),
    Column("up", "UP", 5, 1, right=True),
    Column("chain", LETTERS, 8, 1),
    Column("why", "FIRST BREAK, ERROR, NOTES", 12, 3, most=400, fill=True),
)
TONES = {MappingState.OK: Tone.GOOD, MappingState.VIP_ONLY: Tone.NORMAL, MappingState.ERROR: Tone.BAD}


class MappingsScreen(NodeScreen):
    """Mappings."""

    sorts: ClassVar = (("", "controller"), ("vip", "VIP"), ("service", "Service"), ("chain", "trouble"))

    def make_table(self) -> LineTable:
        """One row an entry."""
        return LineTable(COLUMNS, "Reading the ConfigMap …", id="mappings")

    def extra(self) -> tuple[Widget, ...]:
        """The chain of the entry under the cursor."""
        return (ChainPane(),)

    def draw(self, seen: Observation) -> None:
        """The entries that pass the filter, and the chain of the one under the cursor."""
        self.table.empty = why_empty(seen) if not self.filter else f"No entry matches «{self.filter}». Esc shows all."
        entries = {m.vip: m for m in seen.mappings or ()}
        index, drawing = ChainIndex(seen), self.glyphs
        keys: list[Hashable] = [v for v, m in entries.items() if self.matches(*row_texts(m))]
        order = {
            "vip": natural,
            "service": lambda k: natural("/".join(entries[k].target or ())),
            "chain": lambda k: trouble(index, entries[k]),
        }

        def render(key: Hashable) -> tuple[Cell, ...]:
            return cells(index, entries[str(key)], drawing)

        self.table.show_rows(self.ordered(keys, order), render, changes=not self.host.paused, at=seen.snapshot.time)
        self._explain(seen)

    @on(LineTable.Moved)
    def _other_entry(self) -> None:
        if self.host.latest is not None:
            self._explain(self.host.latest)

    def _explain(self, seen: Observation) -> None:
        entry = next((m for m in seen.mappings or () if m.vip == self.table.selected), None)
        text = ""
        if entry is not None:
            head = f"{plain(entry.vip, 60)}  {'; '.join((entry_text(entry), *entry.notes))}"
            text = chain_text(ChainIndex(seen), head, canonical_or_same(entry.vip), self.glyphs)
        self.query_one(ChainPane).explain(text, len(self.table.keys), self.size.height)

    @on(LineTable.Chosen, "#mappings")
    def _detail(self, event: LineTable.Chosen) -> None:
        self.app.push_screen(TracePanel((Target(canonical_or_same(str(event.key))),)))

    def by_hand(self, seen: Observation) -> str | None:
        """What the API has of it."""
        entry = next((m for m in seen.mappings or () if m.vip == self.table.selected), None)
        return of_mapping(seen, entry) if entry else None

    def traced(self) -> tuple[Target, ...]:
        """The entry under the cursor."""
        chosen = self.table.selected
        return () if chosen is None else (Target(canonical_or_same(str(chosen))),)


def why_empty(seen: Observation) -> str:
    """Why there is no entry to show, and what to do next."""
    api = seen.snapshot.source(SourceName.KUBERNETES).detail
    if seen.mappings is None:
        return (
            f"The mappings are not known: {api or 'the API was not asked yet'}; and keepalived.conf cannot be read.\n\n"
            "Press i for every source."
        )
    kube = seen.snapshot.kube
    if kube is not None and kube.configmap is not None:
        name = f"{plain(kube.configmap.namespace)}/{plain(kube.configmap.name)}"
        return f"The ConfigMap {name} has no entries: add one as VIP: NAMESPACE/SERVICE"
    return f"keepalived.conf has no VIPs, and the ConfigMap is not known: {api or 'the API was not asked yet'}."


def row_texts(entry: Mapping) -> tuple[str | None, ...]:
    """What the filter looks at."""
    return (entry.vip, entry.value, entry.method, entry.state.value, entry.error, *entry.notes)


def trouble(index: ChainIndex, entry: Mapping) -> int:
    """The place of the first break, for sorting: nearer to the ConfigMap first, whole ones last."""
    links = chain_of(index, canonical_or_same(entry.vip))
    return next((n for n, link in enumerate(links) if link.mark is Mark.BROKEN), len(links))


def cells(index: ChainIndex, entry: Mapping, drawing: Glyphs) -> tuple[Cell, ...]:
    """One entry's row."""
    address = canonical_or_same(entry.vip)
    links = chain_of(index, address)
    broken = first_break(links)
    said = [f"{broken.layer.words}: {broken.detail}"] if broken else []
    servers = index.kernel.get(address, {}).values()
    up, known = sum(s.up for s in servers), sum(len(s.real_servers) for s in servers)
    named = "/".join(entry.target) if entry.target else entry.value
    return (
        Cell(plain(entry.vip, 60), Tone.STRONG),
        Cell(plain(named, 130) or drawing.dash),
        Cell(plain(entry.method or drawing.dash, 20)),
        Cell(entry.state.value, TONES[entry.state]),
        ready_cell(index, address, drawing),
        Cell(f"{up}/{known}", _tone(up, known)) if servers else Cell(drawing.dash, Tone.DIM),
        chain_cell(links, drawing),
        Cell(plain("; ".join((*said, *entry.notes))), Tone.BAD if broken else Tone.WARN),
    )


def ready_cell(index: ChainIndex, address: str, drawing: Glyphs) -> Cell:
    """Ready endpoints of all, over the Service's ports."""
    service, kube = index.service(address), index.seen.snapshot.kube
    if service is None or kube is None or kube.endpoints is None:
        return Cell(drawing.dash, Tone.DIM)
    ports = port_backends(service, endpoints_of(kube, service.key))
    ready, every = sum(len(p.backends) for p in ports), sum(len(p.backends) + len(p.others) for p in ports)
    return Cell(f"{ready}/{every}", _tone(ready, every))


def _tone(well: int, every: int) -> Tone:
    return Tone.BAD if not well else Tone.WARN if well < every else Tone.NORMAL
