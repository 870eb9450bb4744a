"""Virtual and real servers: the kernel's table beside keepalived's config and its health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.observation import ManagedBy, RealServerState, RealServerView, VirtualServerView
from kvtui.model.record import dataclass
from kvtui.rules.earlier import Earlier
from kvtui.rules.pods import pods
from kvtui.rules.rates import RateMeter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from kvtui.model.conf import ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, VirtualServer
    from kvtui.model.kube import NamespacedName
    from kvtui.model.observation import Observation, PodView, StatsView
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import RealServerCheck

    Checks = dict[tuple[str, str, int], RealServerCheck]
    """Name of the virtual server, address and port of the real server → what the checker says."""

KUBE_PROXY_INTERFACE = "kube-ipvs0"
"""The dummy interface on which kube-proxy in IPVS mode puts every service address (pkg/proxy/ipvs/proxier.go)."""

ALWAYS_SET = frozenset({"hashed"})
"""The kernel sets IP_VS_SVC_F_HASHED on every service in its table: it says nothing, and ipvsadm hides it too."""


def views(
    snapshot: Snapshot,
    previous: IpvsTable | None,
    services: Mapping[str, NamespacedName] | None = None,
    before: Observation | None = None,
) -> tuple[VirtualServerView, ...] | None:
    """Every virtual server: the kernel's in its order, then those that only the config has.

    Args:
        snapshot: the layers to compare.
        previous: an earlier reading of the table, for rates; None when there is none.
        services: VIP → the Service that the ConfigMap maps it to: it tells the pods behind real servers.
        before: the observation before this one: the views of servers that are as they were are its objects.
    """
    if snapshot.ipvs is None:
        return None
    meter = RateMeter(previous, snapshot.ipvs)
    beside = _Beside.of(snapshot, meter, services or {}, Earlier.of(before, snapshot, services or {}))
    kernel = [_view(v, beside) for v in snapshot.ipvs.virtual_servers]
    present = {v.key for v in snapshot.ipvs.virtual_servers}
    missing = [_missing(c, beside.pods(c.address)) for key, c in beside.configured.items() if key not in present]
    return (*kernel, *missing)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What stands beside the kernel's table, laid out so that each look-up is one step.

    Attributes:
        snapshot: the layers.
        configured: the virtual servers of the running config (else of the file).
        comments: the Kubernetes Service that the file's comment names; the running copy has lost it.
        checks: what the checkers say.
        checked: names of the virtual servers that they know.
        meter: for rates.
        services: VIP → Service.
        earlier: the views of the observation before.
    """

    snapshot: Snapshot
    configured: dict[ServiceKey, ConfVirtualServer]
    comments: dict[ServiceKey, str]
    checks: Checks
    checked: frozenset[str]
    meter: RateMeter
    services: Mapping[str, NamespacedName]
    earlier: Earlier

    @classmethod
    def of(cls, snapshot: Snapshot, meter: RateMeter, services: Mapping[str, NamespacedName], earlier: Earlier) -> Self:
        """Laid out of a snapshot."""
        conf = snapshot.running or snapshot.conf
        commented = [v for c in (snapshot.running, snapshot.conf) if c for v in c.virtual_servers if v.service]
        return cls(
            snapshot=snapshot,
            configured=_keyed(conf.virtual_servers if conf else ()),
            comments={key: v.service or "" for key, v in _keyed(commented).items()},
            checks={(c.virtual_server, c.address, c.port): c for c in snapshot.checks or ()},
            checked=frozenset(c.virtual_server for c in snapshot.checks or ()),
            meter=meter,
            services=services,
            earlier=earlier,
        )

    def pods(self, vip: str | None) -> dict[str, PodView]:
        """Address → pod, behind one VIP."""
        return pods(self.snapshot.kube, self.services.get(vip or ""))


def conf_key(conf: ConfVirtualServer) -> ServiceKey | None:
    """The kernel's key for a configured virtual server; None for a group whose members are not known."""
    if conf.fwmark is not None:
        six = any(":" in r.address for r in conf.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, conf.fwmark)
    return None if conf.address is None else (conf.protocol, conf.address, conf.port or 0, 0)


def _keyed(virtuals: Iterable[ConfVirtualServer]) -> dict[ServiceKey, ConfVirtualServer]:
    pairs = ((conf_key(v), v) for v in virtuals)
    return {key: v for key, v in pairs if key is not None}


def _view(virtual: VirtualServer, beside: _Beside) -> VirtualServerView:
    conf, earlier = beside.configured.get(virtual.key), beside.earlier.virtuals.get(virtual.key)
    reals = earlier.reals_unless_read(virtual) if earlier else None
    view = VirtualServerView(
        name=virtual.name,
        protocol=virtual.protocol,
        address=virtual.address,
        port=virtual.port,
        fwmark=virtual.fwmark,
        scheduler=virtual.scheduler,
        persistence_timeout=virtual.persistence_timeout,
        flags=tuple(f for f in virtual.flags if f not in ALWAYS_SET),
        managed_by=_managed_by(virtual, conf, beside),
        stats=beside.meter.of_virtual(virtual),
        real_servers=_reals(virtual, conf, beside) if reals is None else reals,
        service=beside.comments.get(virtual.key),
    )
    return earlier.same(view) if earlier else view


def _reals(virtual: VirtualServer, conf: ConfVirtualServer | None, beside: _Beside) -> tuple[RealServerView, ...]:
    known, name, earlier = beside.pods(virtual.address), virtual.name, beside.earlier.virtuals.get(virtual.key)
    wanted = {(r.address, r.port or virtual.port or 0): r for r in conf.real_servers if not r.sorry} if conf else {}
    stats = earlier.stats_unless_read(virtual) if earlier else None
    if stats is None:
        stats = beside.meter.of_reals(virtual)
    before = earlier.reals() if earlier else iter(())
    reals = []
    for real, counted in zip(virtual.real_servers, stats, strict=True):
        old, view = next(before, (None, None))
        if view is None or old != real or view.stats != counted:
            check = beside.checks.get((name, real.address, real.port))
            view = _real(real, wanted.get(real.key), check, counted, known.get(real.address))
        reals.append(view)
    present = {r.key for r in virtual.real_servers}
    for key, configured in wanted.items():
        if conf and key not in present:
            check = beside.checks.get((name, *key))
            reals.append(_removed(key, configured, conf, known.get(key[0]), check))
    return tuple(reals)


def _real(
    real: RealServer,
    conf: ConfRealServer | None,
    check: RealServerCheck | None,
    stats: StatsView | None,
    pod: PodView | None,
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
        stats=stats,
        state=state,
        configured_weight=weight,
        check=_check_words(check),
        pod=pod,
    )


def _check_words(check: RealServerCheck | None) -> str | None:
    if check is None or check.alive is None:
        return None
    return "passes" if check.alive else f"fails ({check.failed_checkers or 1} of its checks)"


def _removed(
    key: tuple[str, int],
    real: ConfRealServer,
    conf: ConfVirtualServer,
    pod: PodView | None,
    check: RealServerCheck | None = None,
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
        pod=pod,
    )


def _missing(conf: ConfVirtualServer, known: Mapping[str, PodView]) -> VirtualServerView:
    name = f"fwmark {conf.fwmark}" if conf.fwmark is not None else endpoint(conf.address or "", conf.port or 0)
    reals = tuple(
        _removed((r.address, r.port or conf.port or 0), r, conf, known.get(r.address))
        for r in conf.real_servers
        if not r.sorry
    )
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


def _managed_by(virtual: VirtualServer, conf: ConfVirtualServer | None, beside: _Beside) -> ManagedBy:
    if conf is not None or virtual.name in beside.checked:
        return ManagedBy.KEEPALIVED
    addresses = beside.snapshot.addresses
    places = addresses.holding(virtual.address) if addresses and virtual.address else ()
    if any(p.interface == KUBE_PROXY_INTERFACE for p in places):
        return ManagedBy.KUBE_PROXY
    return ManagedBy.UNKNOWN
