"""Views of virtual and real servers: the IPVS table joined with keepalived's config and health checks."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.observation import ManagedBy, PodView, RealServerState, RealServerView, VirtualServerView
from kvtui.rules.identity_cache import IdentityCache
from kvtui.rules.servers.previous_views import PreviousView, PreviousViews
from kvtui.rules.servers.rates import RateMeter
from kvtui.rules.vrrp.instances import KUBE_PROXY_INTERFACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.conf import Conf, ConfRealServer, ConfVirtualServer
    from kvtui.model.ipvs import IpvsTable, RealServer, ServiceKey, Stats, VirtualServer
    from kvtui.model.kube import Kube, NamespacedName
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import RealServerCheck

    Checks = dict[tuple[str, str, int], RealServerCheck]
    """Name of the virtual server, address and port of the real server → its health check."""

PASSES = "passes"
"""The value of ``RealServerView.check`` for a passing check."""
HIDDEN_FLAGS = frozenset({"hashed"})
"""The kernel sets IP_VS_SVC_F_HASHED on every service; ipvsadm hides it too."""


def virtual_server_views(
    snapshot: Snapshot,
    previous: IpvsTable | None,
    services: Mapping[str, NamespacedName] | None = None,
    before: Observation | None = None,
) -> tuple[VirtualServerView, ...] | None:
    """Returns all virtual servers: the kernel's in its order, then those that only the config has."""
    if snapshot.ipvs is None:
        return None
    virtuals = snapshot.ipvs.virtual_servers
    previous_views = PreviousViews(before, snapshot, services or {})
    reused, missing = previous_views.unread(virtuals), previous_views.missing(virtuals)
    if before is not None and before.virtual_servers is not None and all(reused) and missing is not None:
        return before.virtual_servers
    context = ServerContext(snapshot, RateMeter(previous, snapshot.ipvs), services or {}, previous_views)
    kernel = [_view(v, n, context) if r is None else r for n, (v, r) in enumerate(zip(virtuals, reused, strict=True))]
    if missing is None:
        present = {v.key for v in virtuals}
        missing = [_missing(c, context.pods(c.address)) for key, c in context.configured.items() if key not in present]
    return (*kernel, *missing)


class ServerContext:
    """Look-up tables of the layers other than IPVS; ``comments`` are of both configs: the running one has none."""

    def __init__(
        self, snapshot: Snapshot, meter: RateMeter, services: Mapping[str, NamespacedName], previous: PreviousViews
    ) -> None:
        confs = (snapshot.running, snapshot.conf)
        self.addresses, self.kube = snapshot.addresses, snapshot.kube
        self.configured = configured_servers(snapshot)
        self.comments = _comments.get(confs, "", lambda: _commented(confs))
        self.checks = checks_of(snapshot)
        self.meter = meter
        self.services = services
        self.previous = previous

    @cached_property
    def checked(self) -> frozenset[str]:
        """Names of the virtual servers with health checks."""
        return frozenset(name for name, _, _ in self.checks)

    def pods(self, vip: str | None) -> dict[str, PodView]:
        return pods(self.kube, self.services.get(vip or ""))


_configured: IdentityCache[dict[ServiceKey, ConfVirtualServer]] = IdentityCache(2)
_comments: IdentityCache[dict[ServiceKey, str]] = IdentityCache(2)
_checks: IdentityCache[Checks] = IdentityCache(2)


def configured_servers(snapshot: Snapshot) -> dict[ServiceKey, ConfVirtualServer]:
    """Returns the virtual servers of the config that keepalived runs."""
    conf = snapshot.effective_conf
    return _configured.get((conf,), "", conf.virtual_servers_by_key) if conf else {}


def checks_of(snapshot: Snapshot) -> Checks:
    checks = snapshot.checks or ()
    return _checks.get((checks,), "", lambda: {(c.virtual_server, c.address, c.port): c for c in checks})


def _commented(confs: tuple[Conf | None, ...]) -> dict[ServiceKey, str]:
    virtuals = (v for c in confs if c for v in c.virtual_servers)
    return {key: v.service for v in virtuals if v.service and (key := v.key) is not None}


def pods(kube: Kube | None, service: NamespacedName | None) -> dict[str, PodView]:
    """Returns address → pod for a Service's endpoints; prefers a ready pod if slices share an address."""
    if kube is None or kube.endpoints is None or service is None:
        return {}
    by_address: dict[str, PodView] = {}
    for group in kube.endpoints.get(service, ()):
        for at in group.endpoints:
            known = by_address.get(at.address)
            if at.pod is not None and not (known and known.ready):
                by_address[at.address] = PodView(*at.pod, at.ready, at.node)
    return by_address


def _view(virtual: VirtualServer, place: int, context: ServerContext) -> VirtualServerView:
    conf, previous = context.configured.get(virtual.key), context.previous.find(virtual, place)
    own = previous.own_stats_unless_read(virtual) if previous else None
    reals = previous.reals_unless_read(virtual) if previous else None
    view = VirtualServerView(
        name=virtual.name,
        protocol=virtual.protocol,
        address=virtual.address,
        port=virtual.port,
        fwmark=virtual.fwmark,
        scheduler=virtual.scheduler,
        persistence_timeout=virtual.persistence_timeout,
        flags=tuple(f for f in virtual.flags if f not in HIDDEN_FLAGS),
        managed_by=_managed_by(virtual, conf, context),
        stats=context.meter.of_virtual(virtual, place) if own is None else own,
        real_servers=_reals(virtual, place, conf, context, previous) if reals is None else reals,
        service=context.comments.get(virtual.key),
    )
    return previous.view if previous and previous.view == view else view


def _reals(
    virtual: VirtualServer,
    place: int,
    conf: ConfVirtualServer | None,
    context: ServerContext,
    previous: PreviousView | None,
) -> tuple[RealServerView, ...]:
    known, name = context.pods(virtual.address), virtual.name
    wanted = conf.regular_servers() if conf else {}
    stats = previous.stats_unless_read(virtual) if previous else None
    if stats is None:
        stats = context.meter.of_reals(virtual, place)
    before = previous.reals() if previous else iter(())
    sorry = conf.sorry_keys() if conf else set()
    reals = []
    for real, counted in zip(virtual.real_servers, stats, strict=True):
        old, view = next(before, (None, None))
        if view is None or old != real or view.stats != counted:
            check = context.checks.get((name, real.address, real.port))
            pod = known.get(real.address)
            view = _real(real, wanted.get(real.key), check, counted, pod, is_sorry=real.key in sorry)
        reals.append(view)
    present = {r.key for r in virtual.real_servers}
    for key, configured in wanted.items():
        if conf and key not in present:
            check = context.checks.get((name, *key))
            reals.append(_removed(key, configured, conf, known.get(key[0]), check))
    return tuple(reals)


def _configured_weight(conf: ConfRealServer | None, check: RealServerCheck | None) -> int | None:
    """Returns it by the config; else, or where only keepalived knows it, by its dump."""
    if conf is not None and not conf.weight_unknown:
        return conf.initial_weight
    return check.configured_weight if check else None


def _real(
    real: RealServer,
    conf: ConfRealServer | None,
    check: RealServerCheck | None,
    stats: Stats | None,
    pod: PodView | None,
    *,
    is_sorry: bool,
) -> RealServerView:
    state = RealServerState.UP if real.weight else RealServerState.DRAINED
    if check is not None and check.alive is False and (is_sorry or not real.weight):  # it serves as sorry server only
        state = RealServerState.FAILED
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
        configured_weight=_configured_weight(conf, check),
        check=_check_words(check),
        pod=pod,
    )


def check_fails(real: RealServerView) -> bool:
    return real.check is not None and real.check != PASSES


def _check_words(check: RealServerCheck | None) -> str | None:
    if check is None or check.alive is None:
        return None
    return PASSES if check.alive else f"fails ({check.failed_checkers or 1} of its checks)"


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
        configured_weight=_configured_weight(real, check),
        check=_check_words(check),
        pod=pod,
    )


def _missing(conf: ConfVirtualServer, known: Mapping[str, PodView]) -> VirtualServerView:
    name = f"fwmark {conf.fwmark}" if conf.fwmark is not None else endpoint(conf.address or "", conf.port or 0)
    reals = tuple(_removed(key, r, conf, known.get(r.address)) for key, r in conf.regular_servers().items())
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
    entries = context.addresses.holding(virtual.address) if context.addresses and virtual.address else ()
    is_proxied = any(e.interface == KUBE_PROXY_INTERFACE for e in entries)
    return ManagedBy.KUBE_PROXY if is_proxied else ManagedBy.UNKNOWN
