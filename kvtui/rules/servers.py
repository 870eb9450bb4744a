"""Virtual and real servers: the kernel's table beside keepalived's config and its health checks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.observation import ManagedBy, RealServerState, RealServerView, VirtualServerView
from kvtui.rules.pods import pods
from kvtui.rules.rates import RateMeter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.conf import ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, VirtualServer
    from kvtui.model.kube import NamespacedName
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import RealServerCheck

    Checks = dict[tuple[str, str, int], RealServerCheck]
    """Name of the virtual server, address and port of the real server → what the checker says."""

KUBE_PROXY_INTERFACE = "kube-ipvs0"
"""The dummy interface on which kube-proxy in IPVS mode puts every service address (pkg/proxy/ipvs/proxier.go)."""

ALWAYS_SET = frozenset({"hashed"})
"""The kernel sets IP_VS_SVC_F_HASHED on every service in its table: it says nothing, and ipvsadm hides it too."""


def views(
    snapshot: Snapshot, previous: IpvsTable | None, services: Mapping[str, NamespacedName] | None = None
) -> tuple[VirtualServerView, ...] | None:
    """Every virtual server: the kernel's in its order, then those that only the config has.

    Args:
        snapshot: the layers to compare.
        previous: an earlier reading of the table, for rates; None when there is none.
        services: VIP → the Service that the ConfigMap maps it to: it tells the pods behind real servers.
    """
    if snapshot.ipvs is None:
        return None
    meter = RateMeter(previous, snapshot.ipvs)
    configured = _configured(snapshot)
    checks = {(c.virtual_server, c.address, c.port): c for c in snapshot.checks or ()}
    kernel = [_view(snapshot, v, configured.get(v.key), checks, meter) for v in snapshot.ipvs.virtual_servers]
    present = {v.key for v in snapshot.ipvs.virtual_servers}
    missing = [_missing(c) for key, c in configured.items() if key not in present]
    return tuple(_with_pods(snapshot, v, services or {}) for v in (*kernel, *missing))


def _with_pods(
    snapshot: Snapshot, view: VirtualServerView, services: Mapping[str, NamespacedName]
) -> VirtualServerView:
    known = pods(snapshot.kube, services.get(view.address or ""))
    if not known:
        return view
    return replace(view, real_servers=tuple(replace(r, pod=known.get(r.address)) for r in view.real_servers))


def conf_key(conf: ConfVirtualServer) -> ServiceKey | None:
    """The kernel's key for a configured virtual server; None for a group, which stands for several."""
    if conf.fwmark is not None:
        six = any(":" in r.address for r in conf.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, conf.fwmark)
    return None if conf.address is None else (conf.protocol, conf.address, conf.port or 0, 0)


def _configured(snapshot: Snapshot) -> dict[ServiceKey, ConfVirtualServer]:
    conf = snapshot.running or snapshot.conf
    pairs = [(conf_key(v), v) for v in conf.virtual_servers] if conf else []
    return {key: v for key, v in pairs if key is not None}


def _view(
    snapshot: Snapshot,
    virtual: VirtualServer,
    conf: ConfVirtualServer | None,
    checks: Checks,
    meter: RateMeter,
) -> VirtualServerView:
    wanted = {(r.address, r.port or virtual.port or 0): r for r in conf.real_servers if not r.sorry} if conf else {}
    reals = []
    for real in virtual.real_servers:
        check = checks.get((virtual.name, real.address, real.port))
        reals.append(_real(meter, virtual, real, wanted.get(real.key), check))
    present = {r.key for r in virtual.real_servers}
    reals += [
        _removed(key, r, conf, checks.get((virtual.name, *key)))
        for key, r in wanted.items()
        if conf and key not in present
    ]
    return VirtualServerView(
        name=virtual.name,
        protocol=virtual.protocol,
        address=virtual.address,
        port=virtual.port,
        fwmark=virtual.fwmark,
        scheduler=virtual.scheduler,
        persistence_timeout=virtual.persistence_timeout,
        flags=tuple(f for f in virtual.flags if f not in ALWAYS_SET),
        managed_by=_managed_by(snapshot, virtual, conf, checks),
        stats=meter.of_virtual(virtual),
        real_servers=tuple(reals),
        service=_service(snapshot, virtual.key),
    )


def _service(snapshot: Snapshot, key: ServiceKey) -> str | None:
    """Its Kubernetes Service: a comment in the file, which the running copy has lost."""
    for conf in (snapshot.conf, snapshot.running):
        for virtual in conf.virtual_servers if conf else ():
            if virtual.service and conf_key(virtual) == key:
                return virtual.service
    return None


def _real(
    meter: RateMeter,
    virtual: VirtualServer,
    real: RealServer,
    conf: ConfRealServer | None,
    check: RealServerCheck | None,
) -> RealServerView:
    failed = check is not None and check.alive is False
    weight = (1 if conf.weight is None else conf.weight) if conf else (check.configured_weight if check else None)
    state = RealServerState.UP if real.weight else RealServerState.FAILED if failed else RealServerState.DRAINED
    return RealServerView(
        address=real.address,
        port=real.port,
        method=real.method,
        weight=real.weight,
        active=real.active,
        inactive=real.inactive,
        persistent=real.persistent,
        upper_threshold=real.upper_threshold,
        lower_threshold=real.lower_threshold,
        stats=meter.of_real(virtual, real),
        state=state,
        configured_weight=weight,
        check=_check_words(check),
    )


def _check_words(check: RealServerCheck | None) -> str | None:
    if check is None or check.alive is None:
        return None
    return "passes" if check.alive else f"fails ({check.failed_checkers or 1} of its checks)"


def _removed(
    key: tuple[str, int], real: ConfRealServer, conf: ConfVirtualServer, check: RealServerCheck | None = None
) -> RealServerView:
    return RealServerView(
        address=key[0],
        port=key[1],
        method=real.method or conf.method,
        weight=None,
        active=None,
        inactive=None,
        persistent=None,
        upper_threshold=real.upper_threshold,
        lower_threshold=real.lower_threshold,
        stats=None,
        state=RealServerState.REMOVED,
        configured_weight=1 if real.weight is None else real.weight,
        check=_check_words(check),
    )


def _missing(conf: ConfVirtualServer) -> VirtualServerView:
    name = f"fwmark {conf.fwmark}" if conf.fwmark is not None else endpoint(conf.address or "", conf.port or 0)
    reals = tuple(_removed((r.address, r.port or conf.port or 0), r, conf) for r in conf.real_servers if not r.sorry)
    return VirtualServerView(
        name=name,
        protocol=conf.protocol,
        address=conf.address,
        port=conf.port,
        fwmark=conf.fwmark,
        scheduler=conf.scheduler,
        persistence_timeout=conf.persistence_timeout,
        flags=(),
        managed_by=ManagedBy.KEEPALIVED,
        stats=None,
        real_servers=reals,
        in_kernel=False,
        service=conf.service,
    )


def _managed_by(
    snapshot: Snapshot,
    virtual: VirtualServer,
    conf: ConfVirtualServer | None,
    checks: Checks,
) -> ManagedBy:
    if conf is not None or any(c.virtual_server == virtual.name for c in checks.values()):
        return ManagedBy.KEEPALIVED
    places = snapshot.addresses.holding(virtual.address) if snapshot.addresses and virtual.address else ()
    if any(p.interface == KUBE_PROXY_INTERFACE for p in places):
        return ManagedBy.KUBE_PROXY
    return ManagedBy.UNKNOWN
