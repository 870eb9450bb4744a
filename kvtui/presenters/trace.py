"""The chain of a VIP in words: each layer with its evidence, the first broken layer, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.presenters.cells import Cell, Line, Tone
from kvtui.presenters.ipvs import server_lines
from kvtui.rules.chain import NO_API_REMEDY, ChainIndex, Layer, Mark, connect_link, first_break, port_chain

if TYPE_CHECKING:
    from kvtui.model.connect import Connect
    from kvtui.model.mapping import Mapping
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.chain import ChainLink, Links, Port

MARK_TONES = {Mark.OK: Tone.GOOD, Mark.BROKEN: Tone.BAD, Mark.UNKNOWN: Tone.WARN, Mark.NONE: Tone.DIM}
SHORT_NAMES = {
    Layer.CONFIGMAP: "CM",
    Layer.SERVICE: "Svc",
    Layer.ENDPOINTS: "EP",
    Layer.CONF: "Conf",
    Layer.RUNNING: "Run",
    Layer.IPVS: "IPVS",
    Layer.ADDRESS: "Addr",
    Layer.VRRP: "VRRP",
    Layer.CONNECT: "TCP",
}
CHAIN_TITLE = "CHAIN"
MIN_AGE_SHOWN = 60.0  # seconds; younger ages are not shown: they would redraw the text each second


class TraceTarget(Struct, frozen=True):
    """A VIP; ``port`` is None for all its ports, ``instance`` the VRRP instance where several have the address."""

    address: str
    port: Port | None = None
    instance: str | None = None


Connects = dict[tuple[str, "Port"], "Connect"]


def trace_lines(index: ChainIndex, targets: tuple[TraceTarget, ...], glyphs: Glyphs, connects: Connects) -> list[Line]:
    blocks = [
        _block(index, target, port, glyphs, connects)
        for target in targets
        for port in ([target.port] if target.port else index.ports(target.address) or (None,))
    ]
    return [line for n, block in enumerate(blocks) for line in ([(), *block] if n else block)]


def _block(index: ChainIndex, target: TraceTarget, port: Port | None, glyphs: Glyphs, connects: Connects) -> list[Line]:
    observation, address = index.seen, target.address
    view = next((v for v in observation.vips or () if (v.instance, v.address) == (target.instance, address)), None)
    links = port_chain(index, address, port, view=view)
    if port is not None and (address, port) in connects:
        links = (*links, connect_link(index, address, port, connects[address, port]))
    name = plain(address) if port is None else f"{port.protocol.value} {plain(endpoint(address, port.number))}"
    entry = index.entries.get(address)
    lines: list[Line] = [(Cell(name if entry is None else f"{name}  {entry_text(entry)}", Tone.STRONG),)]
    lines += result_lines(links, of_node=observation.snapshot.kube is None)
    lines += [link_cells(link, glyphs) for link in links]
    lines += [(Cell(f"  note: {plain(n)}", Tone.WARN),) for n in (entry.notes if entry else ())]
    if view := view or index.views.get(address):
        text = f"  instance {plain(view.instance)}: {view.state.value} on {plain(view.interface or '?')}"
        lines.append((Cell(text),))
    server = index.kernel.get(address, {}).get(port) if port else None
    return [*lines, *(server_lines(server, glyphs) if server else ())]


def head_lines(links: Links, glyphs: Glyphs, *, of_node: bool = False) -> list[Line]:
    """Returns the chain, and what follows from it: in the same line if all is well."""
    chain, *rest = chain_line(links, glyphs), *result_lines(links, of_node=of_node)
    return [(*chain, Cell("  "), *rest[0])] if rest[0][0].tone is Tone.GOOD else [chain, *rest]


def result_lines(links: Links, *, of_node: bool = False) -> list[Line]:
    first, *others = result_sentences(links, of_node=of_node)
    is_whole = all(link.mark in {Mark.OK, Mark.NONE} for link in links)
    broken = first_break(links)
    named = ((len(f"First break: {broken.layer.words}:"), Tone.BAD),) if broken else ()
    return [(Cell(first, Tone.GOOD if is_whole else Tone.NORMAL, runs=named),), *((Cell(text),) for text in others)]


def result_sentences(links: Links, *, of_node: bool = False) -> list[str]:
    """Returns the first broken layer and what to do next; ``of_node`` if the cluster was not read."""
    broken = first_break(links)
    if broken is not None:
        return [f"First break: {broken.layer.words}: {plain(broken.detail)}", f"Next: {plain(broken.remedy)}"]
    if unknown := [link for link in links if link.mark is Mark.UNKNOWN]:
        names = ", ".join(link.layer.words for link in unknown)
        remedies = dict.fromkeys(f"Next: {plain(link.remedy)}" for link in unknown if link.remedy)
        return [f"No layer is known to be broken; unknown: {names}.", *remedies]
    return ["Every layer of this node is ok; the cluster was not checked." if of_node else "Every layer is ok."]


def link_cells(link: ChainLink, glyphs: Glyphs) -> Line:
    old = f"  [{coarse(link.age)} old]" if link.age is not None and link.age >= MIN_AGE_SHOWN else ""
    name = Tone.BAD if link.mark is Mark.BROKEN else Tone.NORMAL
    return (
        Cell(f"{glyphs.marks[link.mark]} ", MARK_TONES[link.mark]),
        Cell(f"{link.layer.words:<16}", name),
        Cell(f"{plain(link.detail)}{old}", Tone.DIM if link.mark is Mark.NONE else Tone.NORMAL),
    )


def entry_text(entry: Mapping) -> str:
    if entry.error:
        return f"{plain(entry.value, 60)}: {plain(entry.error)}"
    origin = "" if entry.source == "configmap" else " (from keepalived.conf)"
    if entry.target is None:
        return f"VIP only{origin}"
    return f"{plain('/'.join(entry.target), 130)} by {plain(entry.method or '?', 20)}{origin}"


def applying(links: Links) -> Links:
    """Returns the layers that apply to this VIP; without an API not the cluster's, which the result names."""
    return tuple(link for link in links if link.mark is not Mark.NONE and link.remedy != NO_API_REMEDY)


def chain_line(links: Links, glyphs: Glyphs) -> Line:
    """Returns the layers joined to a chain; a mark is before those that are not ok."""
    cells: list[Cell] = []
    for link in applying(links):
        mark = "" if link.mark is Mark.OK else f"{glyphs.marks[link.mark]} "
        cells += [Cell(glyphs.joint, Tone.DIM), Cell(f"{mark}{SHORT_NAMES[link.layer]}", MARK_TONES[link.mark])]
    return tuple(cells[1:])


def chain_cell(links: Links, glyphs: Glyphs, width: int = 0) -> Cell:
    """Returns a mark for each layer that applies, and the name of the first broken one.

    Where the ``width`` has no room for both, a broken chain has only the name.
    """
    shown = applying(links)
    marks = "".join(glyphs.whole if link.mark is Mark.OK else glyphs.marks[link.mark] for link in shown)
    runs = tuple((1, MARK_TONES[link.mark]) for link in shown)
    broken = first_break(links)
    if broken is None:
        return Cell(marks, runs=runs)
    name = broken.layer.words
    if width and len(marks) + 1 + len(name) > width:
        return Cell(f"{glyphs.marks[Mark.BROKEN]} {name}", Tone.BAD)
    return Cell(f"{marks} {name}", Tone.BAD, runs=runs)
