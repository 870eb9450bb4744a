"""The last layers of every chain: the address on an interface, here or on a peer, and who owns it on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.triage.words import quoted

if TYPE_CHECKING:
    from kvtui.model.observation import VipView
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.chain.index import ChainIndex


def address_link(index: ChainIndex, address: str, view: VipView | None) -> Link:
    """Where the address is, beside where it should be."""
    age = index.age(SourceName.ADDRESSES)
    if view is None:
        return _of_nobody(index, address, age)
    if view.present is None:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "the addresses of this node cannot be read", age)
    where = f"on {view.interface}" if view.interface else "on an interface"
    if view.state is VrrpState.MASTER and view.present:
        return Link(Layer.ADDRESS, Mark.OK, f"{where}, as it should be on the master", age)
    if view.state is VrrpState.MASTER:
        lost = "this node is MASTER but does not have the address"
        return Link(
            Layer.ADDRESS, Mark.BROKEN, lost, age, "restart keepalived here, so that it takes the address or leaves"
        )
    if view.present:
        return _here_for_no_reason(index, view, where, age)
    if _abandoned(index, view):
        nobody = "not here, and nobody advertises it any more: no node is known to have it"
        return Link(Layer.ADDRESS, Mark.BROKEN, nobody, age, "kvtui vrrp  # on the other nodes: is keepalived running?")
    if view.state is VrrpState.UNKNOWN:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "not here; the VRRP state is unknown", age)
    peer = f"; {view.owner} has it" if view.owner else ""
    return Link(Layer.ADDRESS, Mark.OK, f"not here, as it should be on a {view.state.value}{peer}", age)


def _of_nobody(index: ChainIndex, address: str, age: float | None) -> Link:
    """A VIP that no instance of keepalived has."""
    table = index.seen.snapshot.addresses
    if table is None:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, "the addresses of this node cannot be read", age)
    places = table.holding(address)
    if places:
        left = f"on {places[0].interface}, though keepalived does not have it"
        remove = f"ip addr del {address}/{places[0].prefixlen} dev {quoted(places[0].interface)}"
        return Link(Layer.ADDRESS, Mark.BROKEN, left, age, f"{remove}  # unless something else needs it")
    return Link(Layer.ADDRESS, Mark.NONE, "not here, as keepalived does not have it", age)


def _here_for_no_reason(index: ChainIndex, view: VipView, where: str, age: float | None) -> Link:
    remove = f"ip addr del {view.address}/{view.prefixlen} dev {quoted(view.interface or 'INTERFACE')}"
    if index.seen.snapshot.chosen is None:
        left = f"left {where} by a keepalived that is gone: ip addr del, or start it"
        return Link(Layer.ADDRESS, Mark.BROKEN, left, age, f"{remove}  # or start keepalived")
    if view.state is VrrpState.UNKNOWN:
        return Link(Layer.ADDRESS, Mark.UNKNOWN, f"{where}; the VRRP state is unknown", age)
    twice = f"{where}, though this node is {view.state.value}: two may hold it"
    return Link(Layer.ADDRESS, Mark.BROKEN, twice, age, f"{remove}  # or restart keepalived")


def vrrp_link(index: ChainIndex, view: VipView | None) -> Link:
    """Who advertises it."""
    age = index.age(SourceName.ADVERTS)
    if view is None:
        return Link(Layer.VRRP, Mark.NONE, "no instance of keepalived has it", age)
    heard = _heard(index, view)
    owner = next((a for a in heard if a.last.source == view.owner), None)
    age = index.since(owner.last.received) if owner else age
    if view.rivals:
        owners = ", ".join((view.owner or "this node", *view.rivals))
        split = f"{owners} advertise it at the same time: split brain"
        why = "kvtui vrrp  # on each node: do adverts reach it? same VRID, version, password and VIPs?"
        return Link(Layer.VRRP, Mark.BROKEN, split, age, why)
    if owner is not None and _left_out(index, view, owner):
        differs = f"{view.owner} is master of VRID {owner.last.vrid} but does not advertise this VIP"
        return Link(Layer.VRRP, Mark.BROKEN, differs, age, "the nodes' VIP lists differ: compare their keepalived.conf")
    if view.owner or view.owner_is_self:
        whose = "this node" if view.owner_is_self else "another node"
        return Link(Layer.VRRP, Mark.OK, f"{view.owner or 'this node'} advertises it ({whose})", age)
    if view.state is VrrpState.FAULT:
        fault = "this node is in FAULT and no other node advertises it"
        return Link(
            Layer.VRRP, Mark.BROKEN, fault, age, "kvtui vrrp  # an interface, script or file that it tracks is down"
        )
    if _abandoned(index, view):
        last = max(heard, key=lambda a: a.last.received).last
        silent = f"nobody advertises it any more; {last.source} was the last who did"
        again = "kvtui vrrp  # on each node: is keepalived running?"
        return Link(Layer.VRRP, Mark.BROKEN, silent, index.since(last.received), again)
    return Link(Layer.VRRP, Mark.UNKNOWN, "no advert was seen", age)


def _heard(index: ChainIndex, view: VipView) -> tuple[Advertiser, ...]:
    """Everybody who was heard to advertise the VIP's instance."""
    vrid = next((i.vrid for i in index.seen.vrrp_instances or () if i.name == view.instance), None)
    six = ":" in view.address
    return tuple(
        a for a in index.seen.snapshot.advertisers or () if a.last.vrid == vrid and (":" in a.last.source) is six
    )


def _abandoned(index: ChainIndex, view: VipView) -> bool:
    """It was advertised while kvtui listened, and nobody has gone on: neither a node that stepped down nor another."""
    heard = _heard(index, view)
    if not heard or view.owner or view.owner_is_self or view.present:
        return False
    return all(a.silent(index.seen.snapshot.time) for a in heard)


MOST_ADVERTISED = 20
"""Of more addresses keepalived advertises only some (vrrp.c: what fits; the rest count as excluded)."""


def _left_out(index: ChainIndex, view: VipView, owner: Advertiser) -> bool:
    """The owner's adverts have addresses, but not this one; where this node would advertise it itself."""
    conf = index.seen.snapshot.running or index.seen.snapshot.conf
    instance = next((i for i in conf.instances if i.name == view.instance), None) if conf else None
    if instance is None or owner.last.outgoing or not owner.last.addresses or not owner.believed:
        return False
    ours = [v.address for v in instance.vips]
    return view.address in ours and len(ours) <= MOST_ADVERTISED and view.address not in owner.last.addresses
