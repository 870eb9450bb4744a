"""``kvtui trace VIP[:PORT]|NAMESPACE/SERVICE``: the chain of a VIP, its first break, and what to do next."""

from __future__ import annotations

import asyncio
import re
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.drain.targets import UnknownTargetError, parse_service
from kvtui.cli import event_loop
from kvtui.cli.look import PLAIN, look_for, table
from kvtui.cli.output import encode, fail, write
from kvtui.model.config import NAME
from kvtui.model.connect import TIMEOUT
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.model.units import ago
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.documents import chain_of_port, head, mapping_entry
from kvtui.presenters.trace import result_sentences
from kvtui.rules.chain import ChainIndex, Mark, connect_link, port_chain, whole

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation
    from kvtui.cli.look import Look, Row
    from kvtui.model.connect import Connect
    from kvtui.model.kube import NamespacedName
    from kvtui.presenters.documents import Document
    from kvtui.rules.chain import Links, Port

MARK_WORDS = {Mark.OK: "ok", Mark.BROKEN: "BROKEN", Mark.UNKNOWN: "?", Mark.NONE: "-"}
MARK_TONES = {Mark.OK: Tone.GOOD, Mark.BROKEN: Tone.BAD, Mark.UNKNOWN: Tone.WARN, Mark.NONE: Tone.NORMAL}
VIP_SOURCES = frozenset({SourceName.CONF, SourceName.IPVS, SourceName.ADDRESSES, SourceName.KUBERNETES})
SERVICE_NAME = re.compile(rf"(?P<namespace>{NAME})/(?P<name>{NAME})")
MAX_VIPS = 20


class TraceExit(IntEnum):
    """Exit codes; 2 is usage, or no such VIP."""

    OK = 0
    """Every expected layer; without an API, every layer of this node."""
    BROKEN = 1
    UNKNOWN = 3
    """No layer is known to be broken, but one could not be checked."""


class UnknownVipError(Exception): ...


class UnreadSourcesError(Exception): ...


class PortTrace(Struct, frozen=True):
    address: str
    port: Port | None
    links: Links

    @property
    def name(self) -> str:
        if self.port is None:
            return self.address
        udp = "" if self.port.protocol is Protocol.TCP else f" {self.port.protocol.value}"
        return endpoint(self.address, self.port.number) + udp


def trace(invocation: Invocation, text: str, *, connect: bool, listen: float) -> TraceExit:
    """Prints the chain of ``VIP``, ``VIP:PORT``, ``[VIP]:PORT`` or ``NAMESPACE/SERVICE[:PORT]``."""
    try:
        index, traces = event_loop.run(_trace(invocation, text, connect=connect, listen=listen))
    except UnreadSourcesError as error:
        fail(str(error), TraceExit.UNKNOWN)
    except (UnknownVipError, UnknownTargetError, ValueError) as error:
        fail(str(error.args[0] if error.args else error))
    if invocation.form.is_text:
        write(trace_text(index, traces, look_for(invocation)))
    else:
        write(encode(trace_document(index, traces), invocation.form))
    results = {whole(t.links) for t in traces}
    return TraceExit.BROKEN if False in results else TraceExit.UNKNOWN if None in results else TraceExit.OK


async def _trace(
    invocation: Invocation, text: str, *, connect: bool, listen: float
) -> tuple[ChainIndex, tuple[PortTrace, ...]]:
    observer = invocation.observer()
    try:
        index = ChainIndex(await observer.observe(timeout=listen))
        address, ports = find_ports(index, text)
        chains = {port: port_chain(index, address, port) for port in ports}
        if connect:
            tcp = [p for p in ports if p is not None and p.protocol is Protocol.TCP]
            results = await asyncio.gather(*(observer.source.connect(address, p.number, TIMEOUT) for p in tcp))
            connects: dict[Port | None, Connect] = dict(zip(tcp, results, strict=True))
            chains = {p: (*c, connect_link(index, address, p, connects.get(p))) for p, c in chains.items()}
    finally:
        await observer.close()
    return index, tuple(PortTrace(address, port, links) for port, links in chains.items())


def find_ports(index: ChainIndex, text: str) -> tuple[str, tuple[Port | None, ...]]:
    """Returns the address of the VIP and the ports to trace; the port None for a VIP without ports.

    Raises:
        UnknownVipError: no layer has it.
        UnreadSourcesError: no layer that kvtui can read has it, and there are others.
        UnknownTargetError: it is not an address.
    """
    known = index.addresses
    if text in known:  # also a key of the ConfigMap that is not an address
        return text, index.ports(text) or (None,)
    service, port = split_service(text)
    if service is not None:
        text = _vip_of(index, service) + (f":{port}" if port else "")
    wanted = parse_service(text)
    address = wanted.address
    if address is None or address not in known:
        raise _unknown_vip(index, text)
    ports = index.ports(address)
    if wanted.port is None:
        return address, ports or (None,)
    matches = tuple(p for p in ports if p.number == wanted.port and wanted.protocol in {None, p.protocol})
    if not matches:
        others = ", ".join(map(str, ports)) or "none"
        raise UnknownVipError(f"no layer has port {wanted.port} of the VIP {address}; its ports: {others}")
    return address, matches


def split_service(text: str) -> tuple[NamespacedName | None, str]:
    name, _colon, port = text.partition(":")
    match = SERVICE_NAME.fullmatch(name)
    return ((match["namespace"], match["name"]), port) if match else (None, "")


def _vip_of(index: ChainIndex, service: NamespacedName) -> str:
    """Returns the only VIP of a Service, or raises ``UnknownVipError``."""
    name = plain("/".join(service), 130)
    vips = [vip for vip, entry in index.entries.items() if entry.target == service]
    if not vips:
        known = sorted({"/".join(e.target) for e in index.entries.values() if e.target})
        others = ", ".join(plain(o, 130) for o in known[:MAX_VIPS]) or "none"
        raise UnknownVipError(f"no VIP is mapped to the Service {name}; Services with a VIP: {others}")
    if len(vips) > 1:
        raise UnknownVipError(f"the Service {name} has several VIPs, name one: {', '.join(map(plain, vips))}")
    return f"[{vips[0]}]" if ":" in vips[0] else vips[0]


def _unknown_vip(index: ChainIndex, text: str) -> UnknownVipError | UnreadSourcesError:
    sources = (s for s in index.seen.snapshot.sources if s.name in VIP_SOURCES and s.state is SourceState.UNAVAILABLE)
    unread = [s for s in sources if s.reason in {None, UnavailableReason.PENDING}]
    if unread:
        names = "; ".join(f"{s.name.value} ({plain(s.detail)})" for s in unread)
        return UnreadSourcesError(f"no layer that kvtui can read has the VIP {plain(text, 60)}; cannot read: {names}")
    known = index.addresses
    vips = ", ".join(plain(a, 60) for a in known[:MAX_VIPS]) or "none"
    more = f" and {len(known) - MAX_VIPS} more" if len(known) > MAX_VIPS else ""
    return UnknownVipError(f"no layer has the VIP {plain(text, 60)}; the VIPs are: {vips}{more}")


def trace_text(index: ChainIndex, traces: tuple[PortTrace, ...], look: Look = PLAIN) -> str:
    return "\n".join(_block(index, t, look) for t in traces)


def _block(index: ChainIndex, port: PortTrace, look: Look) -> str:
    entry = index.entries.get(port.address)
    service = ""
    if entry is not None and entry.target is not None:
        service = f"  {plain('/'.join(entry.target), 130)} by {plain(entry.method or '?', 20)}"
    rows: list[Row] = [
        (k.layer.words, Cell(MARK_WORDS[k.mark], MARK_TONES[k.mark]), "" if k.age is None else ago(k.age), k.detail)
        for k in port.links
    ]
    details = " ".join(link.detail for link in port.links)
    others = [plain(note) for note in (entry.notes if entry else ()) if note not in details]
    notes = "".join(f"{look.wrap(f'Note: {note}')}\n" for note in others)
    title = f"{plain(port.name)}{service}, seen from {plain(index.seen.snapshot.node.name)}\n"
    first, *steps = result_sentences(port.links, of_node=index.seen.snapshot.kube is None)
    result = "".join(f"{line}\n" for line in (look.wrap(first), *steps))
    return title + table(("LAYER", "STATE", "AGE", "EVIDENCE"), rows, look=look) + notes + result


def trace_document(index: ChainIndex, traces: tuple[PortTrace, ...]) -> Document:
    entry = index.entries.get(traces[0].address)
    return {
        **head(index.seen),
        "vip": traces[0].address,
        "mapping": mapping_entry(entry) if entry else None,
        "chains": [chain_of_port(t.port, t.links) for t in traces],
    }
