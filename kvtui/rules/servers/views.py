"""Virtual and real servers: the kernel's table with keepalived's config and its health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.observation import ManagedBy, RealServerState, RealServerView, VirtualServerView
from kvtui.rules.identity_cache import Remembered
from kvtui.rules.servers.pods import pods
from kvtui.rules.servers.previous_views import Earlier
from kvtui.rules.servers.rates import RateMeter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from kvtui.model.conf import Conf, ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, VirtualServer
    from kvtui.model.kube import NamespacedName
    from kvtui.model.observation import Observation, PodView, StatsView
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import RealServerCheck
    from kvtui.rules.servers.previous_views import EarlierVirtual

    Checks = dict[tuple[str, str, int], RealServerCheck]
    """Name of the virtual server, address and port of the real server → what the checker says."""

KUBE_PROXY_INTERFACE = "kube-ipvs0"
"""The dummy interface on which kube-proxy in IPVS mode puts every service address (pkg/proxy/ipvs/proxier.go)."""

ALWAYS_SET = frozenset({"hashed"})
"""The kernel sets IP_VS_SVC_F_HASHED on every service in its table: it says nothing, and ipvsadm hides it too."""


def virtual_server_views(
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
    virtuals = snapshot.ipvs.virtual_servers
    earlier = Earlier.of(before, snapshot, services or {})
    kept, missing = earlier.unread(virtuals), earlier.missing(virtuals)
    if before is not None and before.virtual_servers is not None and all(kept) and missing is not None:
        return before.virtual_servers
    context = ServerContext.of(snapshot, RateMeter(previous, snapshot.ipvs), services or {}, earlier)
    kernel = [_view(v, n, context) if k is None else k for n, (v, k) in enumerate(zip(virtuals, kept, strict=True))]
    if missing is None:
        present = {v.key for v in virtuals}
        missing = [_missing(c, context.pods(c.address)) for key, c in context.configured.items() if key not in present]
    return (*kernel, *missing)


class ServerContext(Struct, frozen=True):
    """What belongs to the rows of the kernel's table, laid out so that each look-up is one step.

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
        """Laid out of a snapshot; what of it is as it was, once."""
        confs = (snapshot.running, snapshot.conf)
        conf, checks = snapshot.running or snapshot.conf, snapshot.checks or ()
        return cls(
            snapshot=snapshot,
            configured=_configured.get((conf,), "", lambda: _keyed(conf.virtual_servers if conf else ())),
            comments=_comments.get(confs, "", lambda: _commented(confs)),
            checks=_checks.get((checks,), "", lambda: {(c.virtual_server, c.address, c.port): c for c in checks}),
            checked=_checked.get((checks,), "", lambda: frozenset(c.virtual_server for c in checks)),
            meter=meter,
            services=services,
            earlier=earlier,
        )

    def pods(self, vip: str | None) -> dict[str, PodView]:
        """Address → pod, behind one VIP."""
        return pods(self.snapshot.kube, self.services.get(vip or ""))


_configured: Remembered[dict[ServiceKey, ConfVirtualServer]] = Remembered(2)
_comments: Remembered[dict[ServiceKey, str]] = Remembered(2)
_checks: Remembered[Checks] = Remembered(2)
_checked: Remembered[frozenset[str]] = Remembered(2)


def _commented(confs: tuple[Conf | None, ...]) -> dict[ServiceKey, str]:
    commented = [v for c in confs if c for v in c.virtual_servers if v.service]
    return {key: v.service or "" for key, v in _keyed(commented).items()}


def conf_key(conf: ConfVirtualServer) -> ServiceKey | None:
    """The kernel's key for a configured virtual server; None for a group whose members are not known."""
    if conf.fwmark is not None:
        six = any(":" in r.address for r in conf.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, conf.fwmark)
    return None if conf.address is None else (conf.protocol, conf.address, conf.port or 0, 0)


def _keyed(virtuals: Iterable[ConfVirtualServer]) -> dict[ServiceKey, ConfVirtualServer]:
    pairs = ((conf_key(v), v) for v in virtuals)
    return {key: v for key, v in pairs if key is not None}


def _view(virtual: VirtualServer, place: int, context: ServerContext) -> VirtualServerView:
    conf, earlier = context.configured.get(virtual.key), context.earlier.find(virtual, place)
    own = earlier.own_stats_unless_read(virtual) if earlier else None
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
        managed_by=_managed_by(virtual, conf, context),
        stats=context.meter.of_virtual(virtual, place) if own is None else own,
        real_servers=_reals(virtual, place, conf, context, earlier) if reals is None else reals,
        service=context.comments.get(virtual.key),
    )
    return earlier.same(view) if earlier else view


def _reals(
    virtual: VirtualServer,
    place: int,
    conf: ConfVirtualServer | None,
    context: ServerContext,
    earlier: EarlierVirtual | None,
) -> tuple[RealServerView, ...]:
    known, name = context.pods(virtual.address), virtual.name
    wanted = {(r.address, r.port or virtual.port or 0): r for r in conf.real_servers if not r.sorry} if conf else {}
    stats = earlier.stats_unless_read(virtual) if earlier else None
    if stats is None:
        stats = context.meter.of_reals(virtual, place)
    before = earlier.reals() if earlier else iter(())
    reals = []
    for real, counted in zip(virtual.real_servers, stats, strict=True):
        old, view = next(before, (None, None))
        if view is None or old != real or view.stats != counted:
            check = context.checks.get((name, real.address, real.port))
            view = _real(real, wanted.get(real.key), check, counted, known.get(real.address))
        reals.append(view)
    present = {r.key for r in virtual.real_servers}
    for key, configured in wanted.items():
        if conf and key not in present:
            check = context.checks.get((name, *key))
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


def _managed_by(virtual: VirtualServer, conf: ConfVirtualServer | None, context: ServerContext) -> ManagedBy:
    if conf is not None or virtual.name in context.checked:
        return ManagedBy.KEEPALIVED
    addresses = context.snapshot.addresses
    places = addresses.holding(virtual.address) if addresses and virtual.address else ()
    if any(p.interface == KUBE_PROXY_INTERFACE for p in places):
        return ManagedBy.KUBE_PROXY
    return ManagedBy.UNKNOWN
