"""The IPVS layer: the virtual server with its real servers, their weights and their health checks."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState, RealServerView, VirtualServerView
from kvtui.model.source import SourceName
from kvtui.rules.chain.cluster import UNKNOWN, Demand
from kvtui.rules.chain.index import ChainIndex, Port, find
from kvtui.rules.chain.link import ChainLink, Layer, LayerReading, worst
from kvtui.rules.ipvsadm import address_word, service
from kvtui.rules.phrases import listed, server_name
from kvtui.rules.servers.views import PASSES, check_fails

RESTART = "restart keepalived: a reload does not add it, because keepalived compares configs, not the kernel"


def ipvs_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> ChainLink:
    """Compares the kernel with the config, or with the endpoints if no config can be read."""
    layer = LayerReading(Layer.IPVS, index.age(SourceName.IPVS))
    if index.seen.virtual_servers is None:
        return layer.unknown(index.seen.snapshot.source(SourceName.IPVS).detail or "not read yet")
    if server := find(index.kernel, address, port):
        return _compare(index, server, demand, layer)
    if links := [_compare(index, v, UNKNOWN, layer) for v in index.marked_for(address)]:
        return worst(tuple(replace(link, detail=f"by firewall mark: {link.detail}") for link in links))
    if index.seen.snapshot.effective_conf is None and demand.reals:
        missing = f"no virtual server on port {port}, but {len(demand.reals)} endpoints are ready"
        return layer.broken(missing, "kvtui ipvs  # then keepalived's log")
    if find(index.conf, address, port):
        return layer.none(f"no virtual server on port {port}; keepalived does not run it")
    if address not in index.views:
        return layer.none("no virtual server; keepalived does not have the VIP")
    return layer.none("no virtual server; the VIP is only an address")


def _compare(index: ChainIndex, server: VirtualServerView, demand: Demand, layer: LayerReading) -> ChainLink:
    if not server.in_kernel:
        lost = f"{server.name} is in the config but not in the kernel"
        return layer.broken(lost, f"{RESTART}; kube-proxy in IPVS mode may have deleted it")
    problems, remedy = _problems(index, server, demand)
    details = f": {listed(problems, str)}" if problems else ""
    if not server.up:
        check = "kvtui ipvs  # do they answer? undo a drain with kvtui undrain"
        return layer.broken(f"no real server of {server.name} accepts connections{details}", remedy or check)
    up = f"{server.name} {server.up}/{len(server.real_servers)} real servers up{details}"
    return layer.broken(up, remedy) if remedy else layer.ok(up)


def _problems(index: ChainIndex, server: VirtualServerView, demand: Demand) -> tuple[list[str], str]:
    problems: list[str] = []
    remedy = ""
    configured = _configured(index, server)
    for real in server.real_servers:
        name = server_name(real.key, real.pod)
        if problem := _problem(real):
            problems.append(f"{name} {problem}")
        if real.state is RealServerState.REMOVED and not check_fails(real):
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
        case RealServerState.REMOVED if check_fails(real):
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


def _configured(index: ChainIndex, server: VirtualServerView) -> set[tuple[str, int]] | None:
    if server.fwmark is not None:
        virtual = index.conf_marks.get(server.key)
    else:
        conf = index.running if index.seen.snapshot.running is not None else index.conf
        virtual = find(conf, server.address or "", Port(server.port or 0, server.protocol))
    return None if virtual is None else {virtual.key_of(r) for r in virtual.real_servers}
