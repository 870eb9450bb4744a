"""The kernel's layer: the virtual server with its real servers, their weights and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.model.source import SourceName
from kvtui.rules.chain.cluster import NOT_KNOWN
from kvtui.rules.chain.index import Port
from kvtui.rules.chain.link import Layer, Link, Mark, worst
from kvtui.rules.chain.names import listed, real_name
from kvtui.rules.triage.words import service_option

if TYPE_CHECKING:
    from kvtui.model.observation import RealServerView, VirtualServerView
    from kvtui.rules.chain.cluster import Demand
    from kvtui.rules.chain.index import ChainIndex

PASSES = "passes"
"""What ``RealServerView.check`` says of a check that does."""


def ipvs_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> Link:
    """The kernel, beside the config; beside the endpoints where no config can be read."""
    age = index.age(SourceName.IPVS)
    if index.seen.virtual_servers is None:
        why = index.seen.snapshot.source(SourceName.IPVS).detail or "not read yet"
        return Link(Layer.IPVS, Mark.UNKNOWN, why, age)
    server = index.kernel.get(address, {}).get(port) if port else None
    if server is not None:
        return _judged(index, server, demand, age)
    if marked := index.marked_for(address):
        return worst(tuple(_by_mark(_judged(index, v, NOT_KNOWN, age)) for v in marked))
    return _without(index, address, port, demand, age)


def _by_mark(link: Link) -> Link:
    return replace(link, detail=f"by a firewall's mark: {link.detail}")


def _judged(index: ChainIndex, server: VirtualServerView, demand: Demand, age: float | None) -> Link:
    if not server.in_kernel:
        lost = f"{server.name} is in the config but not in the kernel"
        again = "restart keepalived: a reload does not add it again; kube-proxy in IPVS mode may have taken it away"
        return Link(Layer.IPVS, Mark.BROKEN, lost, age, again)
    told, wrong, remedy = _told(index, server, demand)
    if not server.up:
        words = f"{server.name} has no real server that takes connections" + (f": {told}" if told else "")
        return Link(
            Layer.IPVS,
            Mark.BROKEN,
            words,
            age,
            remedy or "kvtui ipvs  # do they answer? what is drained comes back by kvtui undrain",
        )
    words = f"{server.name} {server.up}/{len(server.real_servers)} real servers up" + (f": {told}" if told else "")
    return Link(Layer.IPVS, Mark.BROKEN if wrong else Mark.OK, words, age, remedy if wrong else "")


def _without(index: ChainIndex, address: str, port: Port | None, demand: Demand, age: float | None) -> Link:
    unread = index.seen.snapshot.conf is None and index.seen.snapshot.running is None
    if unread and demand.reals:
        missing = f"no virtual server on port {port}, though {len(demand.reals)} endpoints are ready"
        return Link(Layer.IPVS, Mark.BROKEN, missing, age, "kvtui ipvs  # then keepalived's log")
    if port is not None and port in index.conf.get(address, ()):
        return Link(Layer.IPVS, Mark.NONE, f"no virtual server on port {port}, as keepalived runs none", age)
    if address not in index.views:
        return Link(Layer.IPVS, Mark.NONE, "no virtual server, as keepalived does not have the VIP", age)
    return Link(Layer.IPVS, Mark.NONE, "no virtual server: the VIP is only an address", age)


def _told(index: ChainIndex, server: VirtualServerView, demand: Demand) -> tuple[str, bool, str]:
    """Real servers that are not as they should be, by name; whether that breaks the layer; and what to do."""
    said: list[str] = []
    remedy = ""
    ours = _configured(index, server)
    for real in server.real_servers:
        name = real_name(real.key, real.pod)
        if real.state is RealServerState.REMOVED and _fails(real):
            said.append(f"{name} is out, its check {real.check}")
        elif real.state is RealServerState.REMOVED:
            asked = ", though its check passed when keepalived was asked" if real.check == PASSES else ""
            said.append(f"{name} is not in the kernel{asked}")
            remedy = "restart keepalived: a reload does not add it again; was it taken away with ipvsadm?"
        elif real.state is RealServerState.FAILED:
            said.append(f"{name} has weight 0, its check {real.check or 'fails'}")
        elif real.state is RealServerState.DRAINED:
            said.append(f"{name} is drained (weight 0)")
        elif real.weight is not None and real.configured_weight not in {None, real.weight}:
            said.append(f"{name} has weight {real.weight}, the config says {real.configured_weight}")
        if ours is not None and real.key not in ours and real.state is not RealServerState.REMOVED:
            said.append(f"{name} is in the kernel only")
            delete = f"ipvsadm -d {service_option(server)} -r {endpoint(*real.key)}"
            remedy = f"{delete}  # no config has it; or put it into the config"
    if ours is None and demand.reals is not None:
        have = {r.key for r in server.real_servers if r.state is not RealServerState.REMOVED}
        said += [
            f"{real_name(b, None)} is a ready endpoint but no real server" for b in sorted(set(demand.reals) - have)
        ]
        said += [
            f"{real_name(b, None)} is a real server but no ready endpoint" for b in sorted(have - set(demand.reals))
        ]
        remedy = "see the controller's log and keepalived's" if have != set(demand.reals) else remedy
    return listed(said), bool(remedy), remedy


def _fails(real: RealServerView) -> bool:
    return real.check is not None and real.check != PASSES


def _configured(index: ChainIndex, server: VirtualServerView) -> set[tuple[str, int]] | None:
    """Address and port of every real and sorry server that the config gives it; None when no config has it."""
    if server.fwmark is not None:
        virtual = index.conf_marks.get(server.key)
    else:
        conf = index.running if index.seen.snapshot.running is not None else index.conf
        virtual = conf.get(server.address or "", {}).get(Port(server.port or 0, server.protocol))
    return None if virtual is None else {(r.address, r.port or virtual.port or 0) for r in virtual.real_servers}
