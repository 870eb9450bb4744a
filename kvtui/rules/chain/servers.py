"""The IPVS layer: the virtual server with its real servers, their weights and their health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.model.source import SourceName
from kvtui.rules.chain.cluster import UNKNOWN
from kvtui.rules.chain.index import Port
from kvtui.rules.chain.link import Layer, Link, Mark, worst
from kvtui.rules.ipvsadm import address_word, service
from kvtui.rules.phrases import listed, server_name

if TYPE_CHECKING:
    from kvtui.model.observation import RealServerView, VirtualServerView
    from kvtui.rules.chain.cluster import Demand
    from kvtui.rules.chain.index import ChainIndex

PASSES = "passes"
"""The value of ``RealServerView.check`` for a passing check."""
RESTART = "restart keepalived: a reload does not add it, because keepalived compares configs, not the kernel"


def ipvs_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> Link:
    """Compares the kernel with the config, or with the endpoints if no config can be read."""
    age = index.age(SourceName.IPVS)
    if index.seen.virtual_servers is None:
        why = index.seen.snapshot.source(SourceName.IPVS).detail or "not read yet"
        return Link(Layer.IPVS, Mark.UNKNOWN, why, age)
    server = index.kernel.get(address, {}).get(port) if port else None
    if server is not None:
        return _compare(index, server, demand, age)
    if marked := index.marked_for(address):
        return worst(tuple(_by_mark(_compare(index, v, UNKNOWN, age)) for v in marked))
    return _without_server(index, address, port, demand, age)


def _by_mark(link: Link) -> Link:
    return replace(link, detail=f"by firewall mark: {link.detail}")


def _compare(index: ChainIndex, server: VirtualServerView, demand: Demand, age: float | None) -> Link:
    if not server.in_kernel:
        lost = f"{server.name} is in the config but not in the kernel"
        return Link(Layer.IPVS, Mark.BROKEN, lost, age, f"{RESTART}; kube-proxy in IPVS mode may have deleted it")
    problems, remedy = _problems(index, server, demand)
    details = f": {listed(problems, str)}" if problems else ""
    if not server.up:
        down = f"no real server of {server.name} accepts connections{details}"
        check = "kvtui ipvs  # do they answer? undo a drain with kvtui undrain"
        return Link(Layer.IPVS, Mark.BROKEN, down, age, remedy or check)
    up = f"{server.name} {server.up}/{len(server.real_servers)} real servers up{details}"
    return Link(Layer.IPVS, Mark.BROKEN if remedy else Mark.OK, up, age, remedy)


def _without_server(index: ChainIndex, address: str, port: Port | None, demand: Demand, age: float | None) -> Link:
    unread = index.seen.snapshot.effective_conf is None
    if unread and demand.reals:
        missing = f"no virtual server on port {port}, but {len(demand.reals)} endpoints are ready"
        return Link(Layer.IPVS, Mark.BROKEN, missing, age, "kvtui ipvs  # then keepalived's log")
    if port is not None and port in index.conf.get(address, ()):
        return Link(Layer.IPVS, Mark.NONE, f"no virtual server on port {port}; keepalived does not run it", age)
    if address not in index.views:
        return Link(Layer.IPVS, Mark.NONE, "no virtual server; keepalived does not have the VIP", age)
    return Link(Layer.IPVS, Mark.NONE, "no virtual server; the VIP is only an address", age)


def _problems(index: ChainIndex, server: VirtualServerView, demand: Demand) -> tuple[list[str], str]:
    problems: list[str] = []
    remedy = ""
    configured = _configured(index, server)
    for real in server.real_servers:
        name = server_name(real.key, real.pod)
        if problem := _problem(real):
            problems.append(f"{name} {problem}")
        if real.state is RealServerState.REMOVED and not _fails(real):
            remedy = f"{RESTART}; was it deleted with ipvsadm?"
        if configured is not None and real.key not in configured and real.state is not RealServerState.REMOVED:
            problems.append(f"{name} is only in the kernel")
            delete = f"ipvsadm -d {service(server)} -r {address_word(endpoint(*real.key))}"
            remedy = f"{delete}  # no config has it; or add it to the config"
    if configured is None and demand.reals is not None:
        present = {r.key for r in server.real_servers if r.state is not RealServerState.REMOVED}
        missing, extra = sorted(demand.reals - present), sorted(present - demand.reals)
        problems += [f"{endpoint(*key)} is a ready endpoint but not a real server" for key in missing]
        problems += [f"{endpoint(*key)} is a real server but not a ready endpoint" for key in extra]
        remedy = "read the logs of the controller and of keepalived" if missing or extra else remedy
    return problems, remedy


def _problem(real: RealServerView) -> str:
    match real.state:
        case RealServerState.REMOVED if _fails(real):
            return f"is removed; its check {real.check}"
        case RealServerState.REMOVED:
            return "is not in the kernel" + (", but its last known check passes" if real.check == PASSES else "")
        case RealServerState.FAILED:
            return f"has weight 0; its check {real.check or 'fails'}"
        case RealServerState.DRAINED:
            return "is drained (weight 0)"
    if real.weight is not None and real.configured_weight not in {None, real.weight}:
        return f"has weight {real.weight}, configured is {real.configured_weight}"
    return ""


def _fails(real: RealServerView) -> bool:
    return real.check is not None and real.check != PASSES


def _configured(index: ChainIndex, server: VirtualServerView) -> set[tuple[str, int]] | None:
    if server.fwmark is not None:
        virtual = index.conf_marks.get(server.key)
    else:
        conf = index.running if index.seen.snapshot.running is not None else index.conf
        virtual = conf.get(server.address or "", {}).get(Port(server.port or 0, server.protocol))
    return None if virtual is None else {virtual.key_of(r) for r in virtual.real_servers}
