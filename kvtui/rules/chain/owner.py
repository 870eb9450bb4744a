"""The layers address (the VIP on an interface) and VRRP (the node that advertises it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.vrrp import Advertiser, VrrpState
from kvtui.rules.chain.link import ChainLink, Layer, LayerReading
from kvtui.rules.phrases import shell_word
from kvtui.rules.vrrp.instances import links_of

if TYPE_CHECKING:
    from kvtui.model.observation import VipView
    from kvtui.rules.chain.index import ChainIndex


UNREAD = "the addresses of this node cannot be read"
MAX_ADVERTISED = 20
"""keepalived does not advertise more addresses than this (vrrp.c); it treats the rest as excluded."""


def address_link(index: ChainIndex, address: str, view: VipView | None) -> ChainLink:
    layer = LayerReading(Layer.ADDRESS, index.age(SourceName.ADDRESSES))
    if view is None:
        return _without_instance(index, address, layer)
    if view.present is None:
        return layer.unknown(UNREAD)
    where = f"on {view.interface}" if view.interface else "on an interface"
    if view.state is VrrpState.MASTER:
        if view.present:
            return layer.ok(f"{where}; this node is MASTER")
        return layer.broken("this node is MASTER but does not have the address", "restart keepalived on this node")
    if view.present:
        return _unexpected(index, view, where, layer)
    if _abandoned(index, view):
        check = "kvtui vrrp  # on the other nodes: does keepalived run?"
        return layer.broken("not on this node, and no node advertises it any more", check)
    if view.state is VrrpState.UNKNOWN:
        return layer.unknown("not on this node; the VRRP state is unknown")
    peer = f"; {view.owner} has it" if view.owner else ""
    return layer.ok(f"not on this node, which is {view.state.value}{peer}")


def _without_instance(index: ChainIndex, address: str, layer: LayerReading) -> ChainLink:
    table = index.seen.snapshot.addresses
    if table is None:
        return layer.unknown(UNREAD)
    if entries := table.holding(address):
        remove = f"ip addr del {address}/{entries[0].prefixlen} dev {shell_word(entries[0].interface)}"
        left = f"on {entries[0].interface}, but no VRRP instance has it"
        return layer.broken(left, f"{remove}  # unless another program needs it")
    return layer.none("not on this node; no VRRP instance has it")


def _unexpected(index: ChainIndex, view: VipView, where: str, layer: LayerReading) -> ChainLink:
    """Returns the link of a VIP that this node has without being master."""
    remove = f"ip addr del {view.address}/{view.prefixlen} dev {shell_word(view.interface or 'INTERFACE')}"
    if index.seen.snapshot.chosen is None:
        left = f"{where}, but keepalived does not run: a previous keepalived left it behind"
        return layer.broken(left, f"{remove}  # or start keepalived")
    if view.state is VrrpState.UNKNOWN:
        return layer.unknown(f"{where}; the VRRP state is unknown")
    twice = f"{where}, but this node is {view.state.value}: two nodes may have it"
    return layer.broken(twice, f"{remove}  # or restart keepalived")


def vrrp_link(index: ChainIndex, view: VipView | None) -> ChainLink:
    layer = LayerReading(Layer.VRRP, index.age(SourceName.ADVERTS))
    if view is None:
        return layer.none("no VRRP instance has it")
    heard = _heard(index, view)
    owner = next((a for a in heard if a.last.source == view.owner), None)
    if owner is not None:
        layer = LayerReading(Layer.VRRP, index.since(owner.last.received))
    if view.rivals:
        owners = ", ".join((view.owner or "this node", *view.rivals))
        why = "kvtui vrrp  # on each node: do adverts arrive? same VRID, version, password and VIPs?"
        return layer.broken(f"{owners} advertise it at the same time: split brain", why)
    if owner is not None and _omits(index, view, owner):
        differs = f"{view.owner} is master of VRID {owner.last.vrid} but does not advertise this VIP"
        return layer.broken(differs, "compare keepalived.conf on the nodes: their VIPs differ")
    if view.owner or view.owner_is_self:
        whose = "this node" if view.owner_is_self else "another node"
        return layer.ok(f"{view.owner or 'this node'} advertises it ({whose})")
    if view.state is VrrpState.FAULT:
        fault = "this node is in FAULT and no other node advertises it"
        return layer.broken(fault, "kvtui vrrp  # a tracked interface, script or file is down")
    if _abandoned(index, view):
        last = max(heard, key=lambda a: a.last.received).last
        layer = LayerReading(Layer.VRRP, index.since(last.received))
        silent = f"no node advertises it any more; {last.source} was the last one"
        return layer.broken(silent, "kvtui vrrp  # on each node: does keepalived run?")
    return layer.unknown("kvtui has not captured an advert")


def _heard(index: ChainIndex, view: VipView) -> list[Advertiser]:
    instance = index.instances.get(view.instance)
    vrid, six = instance.vrid if instance else None, ":" in view.address
    heard = (a for a in index.seen.snapshot.advertisers or () if a.last.vrid == vrid)
    return [a for a in heard if (":" in a.last.source) is six]


def _abandoned(index: ChainIndex, view: VipView) -> bool:
    heard = _heard(index, view)
    if not heard or view.owner or view.owner_is_self or view.present or _is_deaf(index, view):
        return False
    return all(a.silent(index.seen.snapshot.time) for a in heard)


def _is_deaf(index: ChainIndex, view: VipView) -> bool:
    """Returns whether this node can hear no advert, so that silence says nothing about other nodes."""
    instance = index.instances.get(view.instance)
    if index.seen.snapshot.addresses is None or instance is None or instance.interface is None:
        return False
    link = links_of(index.seen.snapshot).get(instance.interface)
    return link is None or not link.up or not link.running


def _omits(index: ChainIndex, view: VipView, owner: Advertiser) -> bool:
    conf = index.seen.snapshot.effective_conf
    instance = conf.instance(view.instance) if conf else None
    if instance is None or owner.last.outgoing or not owner.last.addresses or not owner.believed:
        return False
    vips = [v.address for v in instance.vips]
    return view.address in vips and len(vips) <= MAX_ADVERTISED and view.address not in owner.last.addresses
