from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import coarse, per_second
from kvtui.presenters.cells import Cell, Tone, or_unknown, share_cell, state_cell
from kvtui.presenters.ipvs import server_lines
from kvtui.rules.vrrp.instances import unexplained_adverts

if TYPE_CHECKING:
    from collections.abc import Collection

    from kvtui.model.observation import InstanceView, Observation, VipView, VirtualServerView
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.chain import ChainIndex, Links


def empty_text(observation: Observation) -> str:
    source = observation.snapshot.source
    if contradiction := contradiction_text(observation):
        return contradiction
    if observation.snapshot.chosen is None:
        return f"{source(SourceName.KEEPALIVED).detail}."
    if observation.vips is None:
        why = source(SourceName.VRRP).detail or source(SourceName.CONF).detail
        return f"VIPs are unknown: {why or 'keepalived was not read yet'}."
    return (
        "keepalived runs, but has no VIP: its config has no virtual_ipaddress.\n"
        "keepalived-vip leaves out a VIP if no port of its Service has a ready endpoint: kubectl get endpoints"
    )


def contradiction_text(observation: Observation) -> str:
    """Describes adverts of this node that its other sources do not explain; empty if there are none."""
    own = unexplained_adverts(observation.snapshot)
    if not own:
        return ""
    routers = ", ".join(f"VRID {a.last.vrid} on {plain(a.last.interface)}" for a in own)
    addresses = ", ".join(plain(address) for a in own for address in a.last.addresses)
    known = "no keepalived is found"
    if observation.snapshot.chosen:
        known = "neither keepalived's dump nor its config has them"
    return (
        f"Sources contradict each other: this node advertises {routers} ({addresses or 'no addresses'}), but {known}.\n"
        "Another keepalived sends them, or kvtui's reading is old: kvtui triage"
    )


def detail_title(observation: Observation, vip: VipView) -> str:
    parts = (vip.address, services(observation, vip), f"on {vip.interface or '?'}", vip.instance)
    return "  ".join(plain(part) for part in parts if part)


def summary_lines(index: ChainIndex, links: Links, vip: VipView, glyphs: Glyphs) -> list[Line]:
    from kvtui.presenters.trace import head_lines  # noqa: PLC0415 - `kvtui status` does without the chain

    observation = index.seen
    lines = head_lines(links, glyphs, of_node=observation.snapshot.kube is None)
    separator = f" {glyphs.separator} "
    for server in observation.servers_of(vip.address):
        persistence = "off" if server.persistence_timeout is None else f"{server.persistence_timeout} s"
        facts = (plain(server.scheduler or "?"), methods(observation, vip), f"persistence {persistence}")
        share = share_cell(server.up, len(server.real_servers))
        up = Cell(f"{server.up} of {len(server.real_servers)} real servers up", share.tone)
        name = Cell(f"{server.protocol.value} {plain(server.name)}  ", Tone.STRONG)
        lines.append((name, up, Cell(separator + separator.join(fact for fact in facts if fact))))
    if instance := instance_of(observation, vip):
        lines.append(_mastership(instance, observation.snapshot.time))
    return lines


def _mastership(instance: InstanceView, now: float) -> Line:
    since = "" if instance.since is None else f" for {coarse(now - instance.since)}"
    priority = instance.effective_priority or instance.priority
    change = f" (configured {instance.priority})" if priority != instance.priority else ""
    heard = [p for p in instance.peers if p.priority]  # with 0 a router steps down
    best = max(heard, key=lambda p: p.priority or 0, default=None)
    other = f"; {plain(best.address)} has {best.priority}" if best else ""
    return (
        Cell("VRRP ", Tone.DIM),
        state_cell(instance.state),
        Cell(f"{since}, priority {or_unknown(priority)}{change}{other}"),
    )


def detail_lines(observation: Observation, links: Links, vip: VipView, glyphs: Glyphs) -> list[Line]:
    """Returns the layers of the VIP's chain, and its real servers with their traffic and pods."""
    from kvtui.presenters.trace import applying, link_cells  # noqa: PLC0415 - as above

    servers = observation.servers_of(vip.address)
    layers = [link_cells(link, glyphs) for link in applying(links)]
    return [*layers, *(line for server in servers for line in ((), *server_lines(server, glyphs)))]


def instance_of(observation: Observation, vip: VipView) -> InstanceView | None:
    return next((i for i in observation.vrrp_instances or () if i.name == vip.instance), None)


def traffic(observation: Observation, vip: VipView) -> tuple[float, float]:
    stats = [s.stats for s in observation.servers_of(vip.address) if s.stats]
    return (sum(s.cps for s in stats), sum(s.in_bps + s.out_bps for s in stats))


def services(observation: Observation, vip: VipView) -> str:
    return " ".join(dict.fromkeys(s.service for s in observation.servers_of(vip.address) if s.service))


def methods(observation: Observation, vip: VipView) -> str:
    reals = (real for server in observation.servers_of(vip.address) for real in server.real_servers)
    return "/".join(dict.fromkeys(real.method.value for real in reals if real.method))


def search_texts(observation: Observation, vip: VipView) -> tuple[str | None, ...]:
    return (vip.address, vip.owner, vip.state.value, vip.instance, vip.interface, services(observation, vip))


def owner_cell(vip: VipView, glyphs: Glyphs) -> Cell:
    name = vip.owner or ("this node" if vip.owner_is_self else "")
    if vip.rivals:
        return Cell(f"{1 + len(vip.rivals)} MASTERS {plain(name)}", Tone.BAD)
    if not name:
        return Cell("nobody?", Tone.WARN)
    return Cell(f"{glyphs.self_mark}{plain(name)}" if vip.owner_is_self else plain(name))


def up_cell(servers: Collection[VirtualServerView], dash: str) -> Cell:
    if not servers:
        return Cell(dash, Tone.DIM)
    return share_cell(sum(s.up for s in servers), sum(len(s.real_servers) for s in servers))


def vip_cells(index: ChainIndex, vip: VipView, spark: str, glyphs: Glyphs, chain_width: int = 0) -> tuple[Cell, ...]:
    from kvtui.presenters.trace import chain_cell  # noqa: PLC0415 - `kvtui status` does without the chain
    from kvtui.rules.chain import chain_of  # noqa: PLC0415 - as above

    observation, dash = index.seen, glyphs.dash
    instance = instance_of(observation, vip)
    priority = None if instance is None else instance.effective_priority or instance.priority
    cps, bps = traffic(observation, vip)
    has_servers = bool(observation.servers_of(vip.address))
    return (
        Cell(plain(vip.address), Tone.STRONG),
        owner_cell(vip, glyphs),
        state_cell(vip.state),
        Cell(or_unknown(priority)),
        Cell(plain(services(observation, vip)) or "VIP only"),
        Cell(methods(observation, vip) or dash),
        up_cell(observation.servers_of(vip.address), dash),
        Cell(per_second(cps) if has_servers else dash),
        Cell(per_second(bps) if has_servers else dash),
        Cell(spark, Tone.FOCUS, volatile=True),
        Cell(plain(vip.interface or "?")),
        Cell(plain(vip.instance)),
        chain_cell(chain_of(index, vip.address, view=vip), glyphs, chain_width),
    )
