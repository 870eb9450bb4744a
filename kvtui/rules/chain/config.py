"""The layers of keepalived's configuration: what the file says, and what it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import LVS_METHODS, endpoint
from kvtui.model.source import SourceName
from kvtui.rules.chain.index import has_vip
from kvtui.rules.chain.link import Layer, Link, Mark
from kvtui.rules.chain.names import listed, real_name
from kvtui.rules.mapping.grammar import keepalived_method
from kvtui.rules.servers.pods import pods

if TYPE_CHECKING:
    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.observation import PodView
    from kvtui.rules.chain.cluster import Demand
    from kvtui.rules.chain.index import ByPort, ChainIndex, Port

    Backend = tuple[str, int]
    """Address and port of a real server."""

SYNC = "see the controller's log; any change of an endpoint makes it write the file again"


def conf_link(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> Link:
    """What the file says, beside what the cluster asks for."""
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
        return Link(Layer.CONF, Mark.NONE, f"{conf.path} does not have it, as nothing asks for it", age)
    if demand.vip:
        return Link(Layer.CONF, Mark.BROKEN, f"{conf.path} does not have it, though the cluster asks for it", age, SYNC)
    if runs or address in index.views:
        lost = f"{conf.path} does not have it: a reload removes it"
        return Link(Layer.CONF, Mark.BROKEN, lost, age, "put it back before anybody reloads keepalived")
    return Link(Layer.CONF, Mark.NONE, f"{conf.path} does not have it, as nothing asks for it", age)


def _instance(conf: Conf, address: str) -> str:
    return next(i.name for i in conf.instances if any(v.address == address for v in (*i.vips, *i.excluded_vips)))


def _reals(index: ChainIndex, address: str, port: Port | None) -> str:
    virtual = index.conf.get(address, {}).get(port) if port else None
    if virtual is None:
        marks = [v.name for v in index.marked_for(address) if v.key in index.conf_marks] if port is None else []
        return f"; what a firewall marks goes to {listed(marks)}" if marks else ""
    count = len(_backends(virtual))
    return f"; virtual server {endpoint(address, virtual.port or 0)} has {count} real server{'s' * (count != 1)}"


def _backends(virtual: ConfVirtualServer) -> set[Backend]:
    return {(r.address, r.port or virtual.port or 0) for r in virtual.real_servers if not r.sorry}


def _differs_from_demand(index: ChainIndex, address: str, port: Port | None, demand: Demand) -> str:
    """In what the file differs from what the cluster asks for; empty when it does not, or nothing is asked."""
    if demand.reals is None or port is None:
        return ""
    virtual = index.conf.get(address, {}).get(port)
    name = endpoint(address, port.number)
    if virtual is None:
        return f"has the VIP but no virtual server {name}" if demand.reals else ""
    if not demand.reals:
        return f"has virtual server {name}, though the entry asks for the VIP alone"
    known = _pods(index, address)
    has, wanted = _backends(virtual), set(demand.reals)
    if has != wanted:
        return f"has virtual server {name}, but {_difference(has, wanted, known, 'is a ready endpoint')}"
    method = LVS_METHODS.get(keepalived_method(demand.method)) if demand.method else None
    if method is not None and virtual.method is not None and virtual.method is not method:
        return f"has virtual server {name} by {virtual.method.value}, and the entry asks for {method.value}"
    return ""


def _pods(index: ChainIndex, address: str) -> dict[str, PodView]:
    entry = index.entries.get(address)
    return pods(index.seen.snapshot.kube, entry.target if entry else None)


def _difference(has: set[Backend], wanted: set[Backend], known: dict[str, PodView], what: str) -> str:
    """What one has less and more than the other: ``lacks A, which … and has B, which …``."""

    def name(backend: Backend) -> str:
        return real_name(backend, known.get(backend[0]))

    lacking, extra = listed(sorted(wanted - has), name), listed(sorted(has - wanted), name)
    words = [f"lacks {lacking}, which {what}"] if lacking else []
    return " and ".join([*words, f"has {extra}, which {what.replace('is a', 'is no')}"] if extra else words)


def running_link(index: ChainIndex, address: str, port: Port | None, conf: Link) -> Link:
    """What keepalived runs, beside the file."""
    snapshot, age = index.seen.snapshot, index.age(SourceName.CONF)
    running, file = snapshot.running, snapshot.conf
    if snapshot.chosen is None:
        return Link(Layer.RUNNING, Mark.BROKEN, "no keepalived runs here", age, "start it, or wait for its pod")
    if running is None:
        why = "the running config cannot be read (keepalived ≥ 2.2.0, as root)"
        return Link(Layer.RUNNING, Mark.UNKNOWN, why, age)
    runs, filed = has_vip(running, address), None if file is None else has_vip(file, address)
    if not runs and filed:
        return Link(Layer.RUNNING, Mark.BROKEN, "keepalived runs without it: reload", age, "kvtui reload")
    if not runs:
        return Link(Layer.RUNNING, Mark.NONE, "keepalived runs without it", age)
    if filed is False and conf.mark is Mark.NONE:
        still = "keepalived still runs it, though the file has it no more: reload"
        return Link(Layer.RUNNING, Mark.BROKEN, still, age, "kvtui reload")
    if conf.mark is Mark.OK and port is not None and (wrong := _stale(index, address, port)):
        return Link(Layer.RUNNING, Mark.BROKEN, f"keepalived {wrong}: reload", age, "kvtui reload")
    if file is not None and file.digest != running.digest:
        return Link(Layer.RUNNING, Mark.OK, "keepalived runs it; the file was edited since and not reloaded", age)
    return Link(Layer.RUNNING, Mark.OK, "keepalived runs what the file says", age)


def _stale(index: ChainIndex, address: str, port: Port) -> str:
    """In what the running config of this virtual server differs from the file's; empty when it does not."""
    filed, runs = _one(index.conf, address, port), _one(index.running, address, port)
    name = endpoint(address, port.number)
    if filed is None:
        return f"still runs virtual server {name}, which the file has no more" if runs else ""
    if runs is None:
        return f"runs without virtual server {name}"
    has, wanted = _backends(runs), _backends(filed)
    if has != wanted:
        how = _difference(has, wanted, _pods(index, address), "is a real server of the file")
        return f"runs virtual server {name}, but {how}"
    return ""


def _one(virtuals: dict[str, ByPort], address: str, port: Port) -> ConfVirtualServer | None:
    return virtuals.get(address, {}).get(port)
