"""``kvtui trace VIP[:PORT]``: one VIP, layer by layer, with the first break named and what to do next."""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING

from kvtui.actions.drain.targets import parse_service
from kvtui.cli.output import Format, encode, fail, write
from kvtui.cli.text import table
from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.record import dataclass
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.model.units import ago
from kvtui.presenters.documents import chain_of_port, head, mapping_entry
from kvtui.rules.chain import ChainIndex, Mark, connect_link, first_break, port_chain, whole

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.cli.text import Row
    from kvtui.model.connect import Connect
    from kvtui.presenters.documents import Document
    from kvtui.rules.chain import Link, Links, Port

WORDS = {Mark.OK: "ok", Mark.BROKEN: "BROKEN", Mark.UNKNOWN: "?", Mark.NONE: "-"}
WHOLE = "Every layer is whole.\n"
TELL_VIPS = frozenset({SourceName.CONF, SourceName.IPVS, SourceName.ADDRESSES, SourceName.KUBERNETES})
MANY = 20
"""So many VIPs are listed in a sentence."""


class Code(IntEnum):
    """Exit codes."""

    WHOLE = 0
    """Every layer that is expected; without an API those of this node, see ``rules.chain.without_api``."""
    BROKEN = 1
    USAGE = 2
    NOT_KNOWN = 3
    """No layer is known to be broken, but some could not be judged."""


class NoSuchVip(LookupError):  # noqa: N818 - what it is, in words for an operator
    """No layer knows it; the text says which VIPs there are."""


class CannotTell(LookupError):  # noqa: N818 - as above
    """No layer that can be read knows it; the text says which cannot be read, and why."""


@dataclass(frozen=True, slots=True)
class Traced:
    """The chain of one port; ``port`` is None for a VIP that is only an address."""

    address: str
    port: Port | None
    links: Links

    @property
    def name(self) -> str:
        """VIP and port, as they are typed."""
        if self.port is None:
            return self.address
        udp = "" if self.port.protocol is Protocol.TCP else f" {self.port.protocol.value}"
        return endpoint(self.address, self.port.number) + udp


def trace(invocation: Invocation, text: str, form: Format, *, connect: bool, listen: float) -> int:
    """Print the chain of a VIP.

    Args:
        invocation: global options.
        text: ``VIP``, ``VIP:PORT`` or ``[VIP]:PORT``.
        form: text, JSON or YAML.
        connect: also connect to each of its TCP ports.
        listen: seconds to wait for adverts.

    Returns:
        See ``Code``.
    """
    try:
        index, traced = asyncio.run(_trace(invocation, text, connect=connect, listen=listen))
    except CannotTell as unread:
        return int(fail(str(unread), Code.NOT_KNOWN))
    except (LookupError, ValueError) as wrong:
        return int(fail(str(wrong.args[0] if wrong.args else wrong), Code.USAGE))
    write(trace_text(index, traced) if form is Format.TEXT else encode(trace_document(index, traced), form))
    verdicts = {whole(t.links) for t in traced}
    return Code.BROKEN if False in verdicts else Code.NOT_KNOWN if None in verdicts else Code.WHOLE


async def _trace(
    invocation: Invocation, text: str, *, connect: bool, listen: float
) -> tuple[ChainIndex, tuple[Traced, ...]]:
    observer = invocation.observer()
    try:
        index = ChainIndex(await observer.observe(timeout=listen))
        address, ports = chosen(index, text)
        made: dict[Port | None, Connect] = {}
        if connect:
            tcp = [p for p in ports if p is not None and p.protocol is Protocol.TCP]
            results = await asyncio.gather(*(observer.source.connect(address, p.number, TIMEOUT) for p in tcp))
            made = dict(zip(tcp, results, strict=True))
    finally:
        await observer.close()
    found = []
    for port in ports:
        links = port_chain(index, address, port)
        if connect:
            links = (*links, connect_link(index, address, port, made.get(port)))
        found.append(Traced(address, port, links))
    return index, tuple(found)


def _unread(index: ChainIndex) -> str:
    """The sources that know VIPs and could not be read, each with why; empty when all that there are could be."""
    return "; ".join(
        f"{s.name.value} ({plain(s.detail)})"
        for s in index.seen.snapshot.sources
        if s.name in TELL_VIPS and s.state is SourceState.UNAVAILABLE and s.reason in (None, UnavailableReason.PENDING)
    )


def chosen(index: ChainIndex, text: str) -> tuple[str, tuple[Port | None, ...]]:
    """Which VIP is meant, and which of its ports.

    Raises:
        NoSuchVip: no layer has it.
        CannotTell: none that can be read has it, but some cannot be read.
        UnknownTarget: it is no address.
    """
    known = index.addresses
    if text in known:  # also a key of the ConfigMap that is no address
        return text, index.ports(text) or (None,)
    wanted = parse_service(text)
    address = wanted.address
    if address is None or address not in known:
        if unread := _unread(index):
            raise CannotTell(f"no layer that can be read knows the VIP {plain(text, 60)}; not read: {unread}")
        there = ", ".join(plain(a, 60) for a in known[:MANY]) or "none"
        more = f" and {len(known) - MANY} more" if len(known) > MANY else ""
        raise NoSuchVip(f"no layer knows the VIP {plain(text, 60)}; there are: {there}{more}")
    ports = index.ports(address)
    if wanted.port is None:
        return address, ports or (None,)
    meant = tuple(p for p in ports if p.number == wanted.port and wanted.protocol in {None, p.protocol})
    if not meant:
        there = ", ".join(map(str, ports)) or "none: it is only an address"
        raise NoSuchVip(f"no layer knows port {wanted.port} of the VIP {address}; its ports: {there}")
    return address, meant


def trace_text(index: ChainIndex, traced: tuple[Traced, ...]) -> str:
    """Layer by layer, a block for each port."""
    return "\n".join(_block(index, t) for t in traced)


def _block(index: ChainIndex, traced: Traced) -> str:
    entry = index.entries.get(traced.address)
    service = ""
    if entry is not None and entry.target is not None:
        service = f"  {plain('/'.join(entry.target), 130)} by {plain(entry.method or '?', 20)}"
    rows: list[Row] = [
        (k.layer.words, WORDS[k.mark], "" if k.age is None else ago(k.age), k.detail) for k in traced.links
    ]
    notes = "".join(f"Note: {plain(n)}\n" for n in (entry.notes if entry else ()))
    title = f"{plain(traced.name)}{service}, seen from {plain(index.seen.snapshot.node.name)}\n"
    said = verdict(traced.links, of_node=index.seen.snapshot.kube is None)
    return title + table(("LAYER", "STATE", "AGE", "EVIDENCE"), rows) + notes + said


def verdict(links: Links, *, of_node: bool = False) -> str:
    """The first break and what to do next; or that there is none, as far as can be told.

    Args:
        links: of a chain.
        of_node: only this node was looked at, not the cluster.
    """
    broken = first_break(links)
    if broken is not None:
        return f"First break: {broken.layer.words}: {plain(broken.detail)}\nNext: {plain(broken.remedy)}\n"
    unknown = [link for link in links if link.mark is Mark.UNKNOWN]
    if unknown:
        names = ", ".join(link.layer.words for link in unknown)
        return f"No layer is known to be broken; not known: {names}.\n" + _next(unknown)
    return "Every layer of this node is whole; what a cluster asks for was not looked at.\n" if of_node else WHOLE


def _next(unknown: list[Link]) -> str:
    remedies = dict.fromkeys(link.remedy for link in unknown if link.remedy)
    return "".join(f"Next: {plain(r)}\n" for r in remedies)


def trace_document(index: ChainIndex, traced: tuple[Traced, ...]) -> Document:
    """The same for ``-o json``."""
    entry = index.entries.get(traced[0].address)
    return {
        **head(index.seen),
        "vip": traced[0].address,
        "mapping": mapping_entry(entry) if entry else None,
        "chains": [chain_of_port(t.port, t.links) for t in traced],
    }
