"""The layers of keepalived's configuration: the config file and the running config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import LVS_METHODS, endpoint
from kvtui.model.source import SourceName
from kvtui.rules.chain.index import ChainIndex, Port, find
from kvtui.rules.chain.link import ChainLink, Layer, LayerReading, Mark
from kvtui.rules.mapping.grammar import keepalived_method
from kvtui.rules.phrases import listed, plural, server_name
from kvtui.rules.servers.views import pods

if TYPE_CHECKING:
    from kvtui.model.conf import Conf
    from kvtui.rules.chain.cluster import Demand

    Backend = tuple[str, int]
    """Address and port of a real server."""

SYNC = "read the controller's log; it writes the file again on every change of an endpoint"


def conf_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> ChainLink:
    conf, layer = index.seen.snapshot.conf, LayerReading(Layer.CONF, index.age(SourceName.CONF))
    if conf is None:
        return layer.unknown("the config file cannot be read")
    if address not in conf.vips():
        return _without_vip(index, conf, address, demand, layer)
    if wrong := _differs_from_demand(index, address, port, demand):
        return layer.broken(f"{conf.path} {wrong}", SYNC)
    instance = next(i.name for i in conf.instances if any(v.address == address for v in i.all_vips))
    return layer.ok(f"in instance {instance}{_reals(index, address, port)}")


def _without_vip(index: ChainIndex, conf: Conf, address: str, demand: Demand, layer: LayerReading) -> ChainLink:
    running = index.seen.snapshot.running
    runs = running is not None and address in running.vips()
    if demand.vip:
        return layer.broken(f"not in {conf.path}, but the cluster requires it", SYNC)
    if demand.vip is None and (runs or address in index.views):
        return layer.broken(f"not in {conf.path}: the next reload removes it", "add it before the next reload")
    return layer.none(f"not in {conf.path}, and not required")


def _reals(index: ChainIndex, address: str, port: Port | None) -> str:
    if virtual := find(index.conf, address, port):
        count = plural(len(virtual.regular_servers()), "real server")
        return f"; virtual server {endpoint(address, virtual.port or 0)} has {count}"
    marks = [v.name for v in index.marked_for(address) if v.key in index.conf_marks] if port is None else []
    return f"; marked packets go to {listed(marks)}" if marks else ""


def _differs_from_demand(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> str:
    if demand.reals is None or port is None:
        return ""
    virtual = find(index.conf, address, port)
    name = endpoint(address, port.number)
    if virtual is None:
        return f"has the VIP but no virtual server {name}" if demand.reals else ""
    if not demand.reals:
        return f"has virtual server {name}, but the entry has no Service"
    templates = ("lacks ready endpoint {}", "has {}, not a ready endpoint")
    if differs := _difference(index, address, set(virtual.regular_servers()), set(demand.reals), templates):
        return f"has virtual server {name}, which {differs}"
    method = LVS_METHODS.get(keepalived_method(demand.method)) if demand.method else None
    if method is not None and virtual.method is not None and virtual.method is not method:
        return f"has virtual server {name} with method {virtual.method.value}, but the entry requires {method.value}"
    return ""


def _difference(
    index: ChainIndex, address: str, has: set[Backend], wanted: set[Backend], templates: tuple[str, str]
) -> str:
    """Fills the templates for real servers that are missing and extra: ``lacks … and has …``; empty if none is."""
    if has == wanted:
        return ""
    entry = index.entries.get(address)
    known = pods(index.seen.snapshot.kube, entry.target if entry else None)

    def name(backend: Backend) -> str:
        return server_name(backend, known.get(backend[0]))

    names = (listed(sorted(wanted - has), name), listed(sorted(has - wanted), name))
    return " and ".join(template.format(n) for template, n in zip(templates, names, strict=True) if n)


def running_link(index: ChainIndex, address: str, port: Port | None, conf: ChainLink) -> ChainLink:
    running, file = index.seen.snapshot.running, index.seen.snapshot.conf
    layer = LayerReading(Layer.RUNNING, index.age(SourceName.CONF))
    if index.seen.snapshot.chosen is None:
        return layer.broken("keepalived does not run", "start it, or wait for its pod")
    if running is None:
        return layer.unknown("the running config cannot be read (needs keepalived ≥ 2.2.0 and root)")
    filed = None if file is None else address in file.vips()
    if address not in running.vips():
        without = "keepalived runs without it"
        return layer.broken(f"{without}: reload", "kvtui reload") if filed else layer.none(without)
    if filed is False and conf.mark is Mark.NONE:
        return layer.broken("keepalived still runs it, but the file does not have it: reload", "kvtui reload")
    if conf.mark is Mark.OK and port is not None and (wrong := _stale(index, address, port)):
        return layer.broken(f"keepalived {wrong}: reload", "kvtui reload")
    if file is not None and file.digest != running.digest:
        return layer.ok("keepalived runs it; other parts of the file are not reloaded")
    return layer.ok("keepalived runs the config file")


def _stale(index: ChainIndex, address: str, port: Port) -> str:
    filed, runs = find(index.conf, address, port), find(index.running, address, port)
    name = endpoint(address, port.number)
    if filed is None:
        return f"still runs virtual server {name}, which the file does not have" if runs else ""
    if runs is None:
        return f"runs without virtual server {name}"
    templates = ("lacks {} of the file", "has {}, not in the file")
    differs = _difference(index, address, set(runs.regular_servers()), set(filed.regular_servers()), templates)
    return f"runs virtual server {name}, which {differs}" if differs else ""
