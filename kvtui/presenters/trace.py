"""The chain of a VIP in words: each layer with its evidence, the first broken layer, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.glyphs import UNICODE
from kvtui.presenters.ipvs import server_lines
from kvtui.rules.chain import ChainIndex, Mark, chain_of, connect_link, first_break, port_chain

if TYPE_CHECKING:
    from kvtui.model.connect import Connect
    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import VipView
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.chain import Link, Links, Port

CHAIN_TITLE = "CHAIN"
"""Title of the column that has one mark for each layer."""
MIN_AGE_SHOWN = 60.0
"""Seconds. Younger ages are not shown: they would redraw the text each second."""
ALL_OK = "Every layer is ok."
NODE_OK = "Every layer of this node is ok; the cluster was not checked."


class Target(Struct, frozen=True):
    """What to trace.

    Attributes:
        port: None for all ports of the VIP.
        instance: the VRRP instance, where several have the address.
    """

    address: str
    port: Port | None = None
    instance: str | None = None


Connects = dict[tuple[str, "Port"], "Connect"]
"""Results of TCP connects by VIP and port."""


def trace_text(
    index: ChainIndex, targets: tuple[Target, ...], glyphs: Glyphs = UNICODE, connects: Connects | None = None
) -> str:
    blocks = [
        _block(index, target, port, glyphs, connects or {})
        for target in targets
        for port in ([target.port] if target.port else index.ports(target.address) or (None,))
    ]
    return "\n\n".join(blocks)


def _block(index: ChainIndex, target: Target, port: Port | None, glyphs: Glyphs, connects: Connects) -> str:
    observation, address = index.seen, target.address
    view = next((v for v in observation.vips or () if (v.instance, v.address) == (target.instance, address)), None)
    links = port_chain(index, address, port, view=view)
    if port is not None and (address, port) in connects:
        links = (*links, connect_link(index, address, port, connects[address, port]))
    name = plain(address) if port is None else f"{port.protocol.value} {plain(endpoint(address, port.number))}"
    entry = index.entries.get(address)
    lines = [name if entry is None else f"{name}  {entry_text(entry)}"]
    lines += verdict(links, of_node=observation.snapshot.kube is None)
    lines += [link_line(link, glyphs) for link in links]
    lines += [f"  note: {plain(n)}" for n in (entry.notes if entry else ())]
    if view := view or index.views.get(address):
        lines.append(f"  instance {plain(view.instance)}: {view.state.value} on {plain(view.interface or '?')}")
    server = index.kernel.get(address, {}).get(port) if port else None
    return "\n".join([*lines, *(server_lines(server) if server else ())])


def verdict(links: Links, *, of_node: bool = False) -> list[str]:
    """Returns the first broken layer and what to do next; ``of_node`` if the cluster was not read."""
    broken = first_break(links)
    if broken is not None:
        return [f"First break: {broken.layer.words}: {plain(broken.detail)}", f"Next: {plain(broken.remedy)}"]
    unknown = [link for link in links if link.mark is Mark.UNKNOWN]
    if unknown:
        names = ", ".join(link.layer.words for link in unknown)
        remedies = dict.fromkeys(link.remedy for link in unknown if link.remedy)
        return [
            f"No layer is known to be broken; unknown: {names}.",
            *(f"Next: {plain(remedy)}" for remedy in remedies),
        ]
    return [NODE_OK if of_node else ALL_OK]


def link_line(link: Link, glyphs: Glyphs) -> str:
    old = f"  [{coarse(link.age)} old]" if link.age is not None and link.age >= MIN_AGE_SHOWN else ""
    return f"{glyphs.marks[link.mark]} {link.layer.words:<15}{plain(link.detail)}{old}"


def entry_text(entry: Mapping) -> str:
    if entry.error:
        return f"{plain(entry.value, 60)}: {plain(entry.error)}"
    origin = "" if entry.source == "configmap" else " (from keepalived.conf)"
    if entry.target is None:
        return f"VIP only{origin}"
    return f"{plain('/'.join(entry.target), 130)} by {plain(entry.method or '?', 20)}{origin}"


def chain_text(index: ChainIndex, title: str, address: str, glyphs: Glyphs, view: VipView | None = None) -> str:
    links = chain_of(index, address, view=view)
    return "\n".join([plain(title), *(link_line(link, glyphs) for link in links)])


def chain_cell(links: Links, glyphs: Glyphs) -> Cell:
    broken = first_break(links) is not None
    return Cell("".join(glyphs.marks[link.mark] for link in links), Tone.BAD if broken else Tone.NORMAL)
