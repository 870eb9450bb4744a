"""A VIP, layer by layer on this node: config file, running config, IPVS, address, VRRP owner."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation, VipView


class Layer(StrEnum):
    """The layers that one node can see, in the order in which a packet's fate is decided."""

    CONF = "config file"
    RUNNING = "running config"
    IPVS = "IPVS"
    ADDRESS = "address"
    VRRP = "VRRP owner"


class Mark(StrEnum):
    """Whether a layer is whole."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NONE = "none"
    """Nothing is expected of this layer: a VIP without a virtual server has no IPVS part."""


@dataclass(frozen=True, slots=True)
class Link:
    """One layer of a VIP's chain and the evidence for it, in a sentence."""

    layer: Layer
    mark: Mark
    detail: str


def chain(seen: Observation, vip: VipView) -> tuple[Link, ...]:
    """Every layer of one VIP, in order."""
    return (_conf(seen, vip), _running(seen, vip), _ipvs(seen, vip), _address(seen, vip), _vrrp(vip))


def first_break(links: tuple[Link, ...]) -> Link | None:
    """The first layer that is broken; None when none is known to be."""
    return next((link for link in links if link.mark is Mark.BROKEN), None)


def _has(conf: Conf, address: str) -> bool:
    return any(v.address == address for i in conf.instances for v in (*i.vips, *i.excluded_vips))


def _conf(seen: Observation, vip: VipView) -> Link:
    conf = seen.snapshot.conf
    if conf is None:
        return Link(Layer.CONF, Mark.UNKNOWN, "the config file cannot be read")
    if _has(conf, vip.address):
        return Link(Layer.CONF, Mark.OK, f"{conf.path} has it in instance {vip.instance}")
    return Link(Layer.CONF, Mark.BROKEN, f"{conf.path} does not have it: a reload removes it")


def _running(seen: Observation, vip: VipView) -> Link:
    running, conf = seen.snapshot.running, seen.snapshot.conf
    if seen.snapshot.chosen is None:
        return Link(Layer.RUNNING, Mark.BROKEN, "no keepalived runs here")
    if running is None:
        return Link(Layer.RUNNING, Mark.UNKNOWN, "the running config cannot be read (keepalived ≥ 2.2.0, as root)")
    if not _has(running, vip.address):
        return Link(Layer.RUNNING, Mark.BROKEN, "keepalived runs without it: reload")
    if conf is not None and conf.digest != running.digest:
        return Link(Layer.RUNNING, Mark.OK, "keepalived runs it; the file was edited since and not reloaded")
    return Link(Layer.RUNNING, Mark.OK, "keepalived runs what the file says")


def _ipvs(seen: Observation, vip: VipView) -> Link:
    if seen.virtual_servers is None:
        return Link(Layer.IPVS, Mark.UNKNOWN, seen.snapshot.source(SourceName.IPVS).detail or "not read yet")
    servers = seen.servers_of(vip.address)
    if not servers:
        return Link(Layer.IPVS, Mark.NONE, "no virtual server: the VIP is only an address")
    for server in servers:
        if not server.in_kernel:
            return Link(Layer.IPVS, Mark.BROKEN, f"{server.name} is in the config but not in the kernel")
        if not server.up:
            return Link(Layer.IPVS, Mark.BROKEN, f"{server.name} has no real server that takes connections")
    words = ", ".join(f"{s.name} {s.up}/{len(s.real_servers)} real servers up" for s in servers)
    return Link(Layer.IPVS, Mark.OK, words)


def _address(seen: Observation, vip: VipView) -> Link:
    if vip.present is None:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "the addresses of this node cannot be read")
    where = f"on {vip.interface}" if vip.interface else "on an interface"
    if vip.state is VrrpState.MASTER:
        if vip.present:
            return Link(Layer.ADDRESS, Mark.OK, f"{where}, as it should be on the master")
        return Link(Layer.ADDRESS, Mark.BROKEN, "this node is MASTER but does not have the address")
    if seen.snapshot.chosen is None and vip.present:
        return Link(Layer.ADDRESS, Mark.BROKEN, f"left {where} by a keepalived that is gone: ip addr del, or start it")
    if vip.state is VrrpState.UNKNOWN:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, f"{where if vip.present else 'not here'}; the VRRP state is unknown")
    if vip.present:
        return Link(Layer.ADDRESS, Mark.BROKEN, f"{where}, though this node is {vip.state.value}: two may hold it")
    return Link(Layer.ADDRESS, Mark.OK, f"not here, as it should be on a {vip.state.value}")


def _vrrp(vip: VipView) -> Link:
    if vip.rivals:
        owners = ", ".join((vip.owner or "this node", *vip.rivals))
        return Link(Layer.VRRP, Mark.BROKEN, f"{owners} advertise it at the same time: split brain")
    if vip.owner or vip.owner_is_self:
        whose = "this node" if vip.owner_is_self else "another node"
        return Link(Layer.VRRP, Mark.OK, f"{vip.owner or 'this node'} advertises it ({whose})")
    if vip.state is VrrpState.FAULT:
        return Link(Layer.VRRP, Mark.BROKEN, "this node is in FAULT and no other node advertises it")
    return Link(Layer.VRRP, Mark.UNKNOWN, "no advert was seen")
