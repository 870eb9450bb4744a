"""The layers address (the VIP on an interface) and VRRP (the node that advertises it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.phrases import shell_word

if TYPE_CHECKING:
    from kvtui.model.observation import VipView
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.chain.index import ChainIndex


def address_link(index: ChainIndex, address: str, view: VipView | None) -> Link:
    age = index.age(SourceName.ADDRESSES)
    if view is None:
        return _without_instance(index, address, age)
    if view.present is None:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "the addresses of this node cannot be read", age)
    where = f"on {view.interface}" if view.interface else "on an interface"
    if view.state is VrrpState.MASTER and view.present:
        return Link(Layer.ADDRESS, Mark.OK, f"{where}; this node is MASTER", age)
    if view.state is VrrpState.MASTER:
        lost = "this node is MASTER but does not have the address"
        return Link(Layer.ADDRESS, Mark.BROKEN, lost, age, "restart keepalived on this node")
    if view.present:
        return _unexpected(index, view, where, age)
    if _abandoned(index, view):
        nobody = "not on this node, and no node advertises it any more"
        return Link(Layer.ADDRESS, Mark.BROKEN, nobody, age, "kvtui vrrp  # on the other nodes: does keepalived run?")
    if view.state is VrrpState.UNKNOWN:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "not on this node; the VRRP state is unknown", age)
    peer = f"; {view.owner} has it" if view.owner else ""
    return Link(Layer.ADDRESS, Mark.OK, f"not on this node, which is {view.state.value}{peer}", age)


def _without_instance(index: ChainIndex, address: str, age: float | None) -> Link:
    table = index.seen.snapshot.addresses
    if table is None:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "the addresses of this node cannot be read", age)
    entries = table.holding(address)
    if entries:
        left = f"on {entries[0].interface}, but no VRRP instance has it"
        remove = f"ip addr del {address}/{entries[0].prefixlen} dev {shell_word(entries[0].interface)}"
        return Link(Layer.ADDRESS, Mark.BROKEN, left, age, f"{remove}  # unless another program needs it")
    return Link(Layer.ADDRESS, Mark.NONE, "not on this node; no VRRP instance has it", age)


def _unexpected(index: ChainIndex, view: VipView, where: str, age: float | None) -> Link:
    """Returns the link of a VIP that this node has without being master."""
    remove = f"ip addr del {view.address}/{view.prefixlen} dev {shell_word(view.interface or 'INTERFACE')}"
    if index.seen.snapshot.chosen is None:
        left = f"{where}, but keepalived does not run: a previous keepalived left it behind"
        return Link(Layer.ADDRESS, Mark.BROKEN, left, age, f"{remove}  # or start keepalived")
    if view.state is VrrpState.UNKNOWN:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, f"{where}; the VRRP state is unknown", age)
    twice = f"{where}, but this node is {view.state.value}: two nodes may have it"
    return Link(Layer.ADDRESS, Mark.BROKEN, twice, age, f"{remove}  # or restart keepalived")


def vrrp_link(index: ChainIndex, view: VipView | None) -> Link:
    age = index.age(SourceName.ADVERTS)
    if view is None:
        return Link(Layer.VRRP, Mark.NONE, "no VRRP instance has it", age)
    heard = _heard(index, view)
    owner = next((a for a in heard if a.last.source == view.owner), None)
    age = index.since(owner.last.received) if owner else age
    if view.rivals:
        owners = ", ".join((view.owner or "this node", *view.rivals))
        split = f"{owners} advertise it at the same time: split brain"
        why = "kvtui vrrp  # on each node: do adverts arrive? same VRID, version, password and VIPs?"
        return Link(Layer.VRRP, Mark.BROKEN, split, age, why)
    if owner is not None and _omits(index, view, owner):
        differs = f"{view.owner} is master of VRID {owner.last.vrid} but does not advertise this VIP"
        return Link(Layer.VRRP, Mark.BROKEN, differs, age, "compare keepalived.conf on the nodes: their VIPs differ")
    if view.owner or view.owner_is_self:
        whose = "this node" if view.owner_is_self else "another node"
        return Link(Layer.VRRP, Mark.OK, f"{view.owner or 'this node'} advertises it ({whose})", age)
    if view.state is VrrpState.FAULT:
        fault = "this node is in FAULT and no other node advertises it"
        return Link(Layer.VRRP, Mark.BROKEN, fault, age, "kvtui vrrp  # a tracked interface, script or file is down")
    if _abandoned(index, view):
        last = max(heard, key=lambda a: a.last.received).last
        silent = f"no node advertises it any more; {last.source} was the last one"
        check = "kvtui vrrp  # on each node: does keepalived run?"
        return Link(Layer.VRRP, Mark.BROKEN, silent, index.since(last.received), check)
    return Link(Layer.VRRP, Mark.UNKNOWN, "kvtui has not captured an advert", age)


def _heard(index: ChainIndex, view: VipView) -> tuple[Advertiser, ...]:
    vrid = next((i.vrid for i in index.seen.vrrp_instances or () if i.name == view.instance), None)
    six = ":" in view.address
    return tuple(
        a for a in index.seen.snapshot.advertisers or () if a.last.vrid == vrid and (":" in a.last.source) is six
    )


def _abandoned(index: ChainIndex, view: VipView) -> bool:
    heard = _heard(index, view)
    if not heard or view.owner or view.owner_is_self or view.present or _is_deaf(index, view):
        return False
    return all(a.silent(index.seen.snapshot.time) for a in heard)


def _is_deaf(index: ChainIndex, view: VipView) -> bool:
    """Whether this node can hear no advert, so that silence says nothing about other nodes."""
    table = index.seen.snapshot.addresses
    name = next((i.interface for i in index.seen.vrrp_instances or () if i.name == view.instance), None)
    if table is None or name is None:
        return False
    link = next((i for i in table.interfaces if i.name == name), None)
    return link is None or not link.up or not link.running


MAX_ADVERTISED = 20
"""keepalived does not advertise more addresses than this (vrrp.c); it treats the rest as excluded."""


def _omits(index: ChainIndex, view: VipView, owner: Advertiser) -> bool:
    conf = index.seen.snapshot.effective_conf
    instance = conf.instance(view.instance) if conf else None
    if instance is None or owner.last.outgoing or not owner.last.addresses or not owner.believed:
        return False
    vips = [v.address for v in instance.vips]
    return view.address in vips and len(vips) <= MAX_ADVERTISED and view.address not in owner.last.addresses
