"""The layers of keepalived's configuration: the config file and the running config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import LVS_METHODS, endpoint
from kvtui.model.source import SourceName
from kvtui.rules.chain.index import has_vip
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.mapping.grammar import keepalived_method
from kvtui.rules.phrases import listed, plural, server_name
from kvtui.rules.servers.pods import pods

if TYPE_CHECKING:
    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.observation import PodView
    from kvtui.rules.chain.cluster import Demand
    from kvtui.rules.chain.index import ByPort, ChainIndex, Port

    Backend = tuple[str, int]
    """Address and port of a real server."""

SYNC = "read the controller's log; it writes the file again on every change of an endpoint"


def conf_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> Link:
    conf, age = index.seen.snapshot.conf, index.age(SourceName.CONF)
    if conf is None:
        return Link(Layer.CONF, Mark.UNKNOWN, "the config file cannot be read", age)
    if not has_vip(conf, address):
        return _without_vip(index, conf, address, demand, age)
    if wrong := _differs_from_demand(index, address, port, demand):
        return Link(Layer.CONF, Mark.BROKEN, f"{conf.path} {wrong}", age, SYNC)
    has = f"in instance {_instance(conf, address)}{_reals(index, address, port)}"
    return Link(Layer.CONF, Mark.OK, has, age)


def _without_vip(index: ChainIndex, conf: Conf, address: str, demand: Demand, age: float | None) -> Link:
    running = index.seen.snapshot.running
    runs = running is not None and has_vip(running, address)
    if demand.vip is False:
        return Link(Layer.CONF, Mark.NONE, f"not in {conf.path}, and not required", age)
    if demand.vip:
        return Link(Layer.CONF, Mark.BROKEN, f"not in {conf.path}, but the cluster requires it", age, SYNC)
    if runs or address in index.views:
        missing = f"not in {conf.path}: the next reload removes it"
        return Link(Layer.CONF, Mark.BROKEN, missing, age, "add it before the next reload")
    return Link(Layer.CONF, Mark.NONE, f"not in {conf.path}, and not required", age)


def _instance(conf: Conf, address: str) -> str:
    return next(i.name for i in conf.instances if any(v.address == address for v in i.all_vips))


def _reals(index: ChainIndex, address: str, port: Port | None) -> str:
    virtual = index.conf.get(address, {}).get(port) if port else None
    if virtual is None:
        marks = [v.name for v in index.marked_for(address) if v.key in index.conf_marks] if port is None else []
        return f"; marked packets go to {listed(marks)}" if marks else ""
    count = plural(len(virtual.regular_servers()), "real server")
    return f"; virtual server {endpoint(address, virtual.port or 0)} has {count}"


def _differs_from_demand(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> str:
    if demand.reals is None or port is None:
        return ""
    virtual = index.conf.get(address, {}).get(port)
    name = endpoint(address, port.number)
    if virtual is None:
        return f"has the VIP but no virtual server {name}" if demand.reals else ""
    if not demand.reals:
        return f"has virtual server {name}, but the entry has no Service"
    known = _pods(index, address)
    has, wanted = set(virtual.regular_servers()), set(demand.reals)
    if has != wanted:
        templates = ("lacks ready endpoint {}", "has {}, not a ready endpoint")
        return f"has virtual server {name}, which {_difference(has, wanted, known, templates)}"
    method = LVS_METHODS.get(keepalived_method(demand.method)) if demand.method else None
    if method is not None and virtual.method is not None and virtual.method is not method:
        return f"has virtual server {name} with method {virtual.method.value}, but the entry requires {method.value}"
    return ""


def _pods(index: ChainIndex, address: str) -> dict[str, PodView]:
    entry = index.entries.get(address)
    return pods(index.seen.snapshot.kube, entry.target if entry else None)


def _difference(has: set[Backend], wanted: set[Backend], known: dict[str, PodView], templates: tuple[str, str]) -> str:
    """Fills the templates for missing and for extra real servers: ``lacks … and has …``."""

    def name(backend: Backend) -> str:
        return server_name(backend, known.get(backend[0]))

    lacking, extra = listed(sorted(wanted - has), name), listed(sorted(has - wanted), name)
    return " and ".join(
        template.format(names) for template, names in zip(templates, (lacking, extra), strict=True) if names
    )


def running_link(index: ChainIndex, address: str, port: Port | None, conf: Link) -> Link:
    snapshot, age = index.seen.snapshot, index.age(SourceName.CONF)
    running, file = snapshot.running, snapshot.conf
    if snapshot.chosen is None:
        return Link(Layer.RUNNING, Mark.BROKEN, "keepalived does not run", age, "start it, or wait for its pod")
    if running is None:
        why = "the running config cannot be read (needs keepalived ≥ 2.2.0 and root)"
        return Link(Layer.RUNNING, Mark.UNKNOWN, why, age)
    runs, filed = has_vip(running, address), None if file is None else has_vip(file, address)
    if not runs and filed:
        return Link(Layer.RUNNING, Mark.BROKEN, "keepalived runs without it: reload", age, "kvtui reload")
    if not runs:
        return Link(Layer.RUNNING, Mark.NONE, "keepalived runs without it", age)
    if filed is False and conf.mark is Mark.NONE:
        still = "keepalived still runs it, but the file does not have it: reload"
        return Link(Layer.RUNNING, Mark.BROKEN, still, age, "kvtui reload")
    if conf.mark is Mark.OK and port is not None and (wrong := _stale(index, address, port)):
        return Link(Layer.RUNNING, Mark.BROKEN, f"keepalived {wrong}: reload", age, "kvtui reload")
    if file is not None and file.digest != running.digest:
        return Link(Layer.RUNNING, Mark.OK, "keepalived runs it; other parts of the file are not reloaded", age)
    return Link(Layer.RUNNING, Mark.OK, "keepalived runs the config file", age)


def _stale(index: ChainIndex, address: str, port: Port) -> str:
    filed, runs = _one(index.conf, address, port), _one(index.running, address, port)
    name = endpoint(address, port.number)
    if filed is None:
        return f"still runs virtual server {name}, which the file does not have" if runs else ""
    if runs is None:
        return f"runs without virtual server {name}"
    has, wanted = set(runs.regular_servers()), set(filed.regular_servers())
    if has != wanted:
        how = _difference(has, wanted, _pods(index, address), ("lacks {} of the file", "has {}, not in the file"))
        return f"runs virtual server {name}, which {how}"
    return ""


def _one(virtuals: dict[str, ByPort], address: str, port: Port) -> ConfVirtualServer | None:
    return virtuals.get(address, {}).get(port)
