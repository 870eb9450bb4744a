"""VIPs: rows and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import per_second
from kvtui.presenters.cells import Cell, Tone, or_unknown, share_cell, state_cell
from kvtui.rules.vrrp.instances import unexplained_adverts

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView, Observation, VipView
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.chain import ChainIndex


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
    """Returns what the wire has of this node that its other sources lack; empty if there is nothing."""
    own = unexplained_adverts(observation.snapshot)
    if not own:
        return ""
    routers = ", ".join(f"VRID {a.last.vrid} on {plain(a.last.interface)}" for a in own)
    addresses = ", ".join(plain(address) for a in own for address in a.last.addresses)
    known = (
        "neither keepalived's dump nor its config has them" if observation.snapshot.chosen else "no keepalived is found"
    )
    return (
        f"Sources contradict each other: this node advertises {routers} ({addresses or 'no addresses'}), but {known}.\n"
        "Another keepalived sends them, or kvtui's reading is old: kvtui triage"
    )


def detail_text(index: ChainIndex, vip: VipView, glyphs: Glyphs) -> str:
    from kvtui.presenters.trace import chain_text  # noqa: PLC0415 - `kvtui status` does without the chain

    observation = index.seen
    parts = (vip.address, services(observation, vip), methods(observation, vip), f"on {vip.interface or '?'}")
    title = "  ".join(part for part in (*parts, vip.instance) if part)
    return chain_text(index, title, vip.address, glyphs, vip)


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


def up_cell(observation: Observation, vip: VipView, dash: str) -> Cell:
    servers = observation.servers_of(vip.address)
    if not servers:
        return Cell(dash, Tone.DIM)
    return share_cell(sum(s.up for s in servers), sum(len(s.real_servers) for s in servers))


def vip_cells(index: ChainIndex, vip: VipView, spark: str, glyphs: Glyphs, mark: str = "") -> tuple[Cell, ...]:
    """Returns a VIP's row; ``mark`` is that of its worst finding."""
    from kvtui.presenters.trace import chain_cell  # noqa: PLC0415 - as above
    from kvtui.rules.chain import chain_of  # noqa: PLC0415 - as above

    observation, dash = index.seen, glyphs.dash
    instance = instance_of(observation, vip)
    priority = None if instance is None else instance.effective_priority or instance.priority
    cps, bps = traffic(observation, vip)
    has_servers = bool(observation.servers_of(vip.address))
    return (
        Cell(f"{plain(vip.address)} {mark}".rstrip(), Tone.BAD if mark == "!!" else Tone.WARN if mark else Tone.STRONG),
        owner_cell(vip, glyphs),
        state_cell(vip.state),
        Cell(or_unknown(priority)),
        Cell(plain(services(observation, vip)) or dash),
        Cell(methods(observation, vip) or dash),
        up_cell(observation, vip, dash),
        Cell(per_second(cps) if has_servers else dash),
        Cell(per_second(bps) if has_servers else dash),
        Cell(spark, Tone.GOOD, volatile=True),
        Cell(plain(vip.interface or "?")),
        Cell(plain(vip.instance)),
        chain_cell(chain_of(index, vip.address, view=vip), glyphs),
    )
