"""The kernel's IPVS table against what keepalived runs and what its checkers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import Protocol
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.rules.servers import KUBE_PROXY_INTERFACE, conf_key
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import edit_weight, group, listed, real_name, service_option, vips_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.vrrp import RealServerCheck
    from kvtui.rules.past import Past

CheckKey = tuple[str, str, int]


def odd(
    seen: Observation, wanted: Callable[[RealServerView], bool]
) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    """Virtual servers of the kernel with those of their real servers that are ``wanted``; one pass."""
    for virtual in seen.virtual_servers or ():
        found = [r for r in virtual.real_servers if wanted(r)] if virtual.in_kernel else []
        if found:
            yield virtual, found


def checks_of(seen: Observation) -> dict[CheckKey, RealServerCheck]:
    """What keepalived's checkers say, by virtual server, address and port."""
    return {(c.virtual_server, c.address, c.port): c for c in seen.snapshot.checks or ()}


def configured(seen: Observation) -> dict[ServiceKey, ConfVirtualServer]:
    """The virtual servers of the running config (else of the file) by the kernel's key, without groups."""
    conf = _conf(seen)
    pairs = ((conf_key(v), v) for v in conf.virtual_servers) if conf else ()
    return {key: v for key, v in pairs if key is not None}


def _conf(seen: Observation) -> Conf | None:
    return seen.snapshot.running or seen.snapshot.conf


def kernel_key(virtual: VirtualServerView) -> ServiceKey:
    """See ``model.ipvs.VirtualServer.key``; of a fwmark the family is guessed from its real servers."""
    if virtual.fwmark is not None:
        six = any(":" in r.address for r in virtual.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, virtual.fwmark)
    return (virtual.protocol, virtual.address or "", virtual.port or 0, 0)


# --- virtual servers


def ip_vs_missing(seen: Observation, _past: Past) -> Iterator[Finding]:
    """The config has virtual servers, and this kernel has no ip_vs (contrib#2818)."""
    conf, sysctls = _conf(seen), seen.snapshot.sysctls
    if not conf or not conf.virtual_servers or seen.snapshot.ipvs is not None or not sysctls:
        return
    if not any(name.startswith("net.ipv4.vs.") for name in sysctls):
        yield Finding(
            "ip-vs-missing",
            Severity.CRITICAL,
            "ip_vs is not loaded: no virtual server of this node works",
            (
                f"{len(conf.virtual_servers)} virtual servers are configured (conf)",
                "this kernel has no net.ipv4.vs.* and no /proc/net/ip_vs (ipvs)",
            ),
            "modprobe ip_vs  # then restart keepalived; in a pod: mount /lib/modules, or load it on the node at boot",
            "ip_vs",
            tuple(dict.fromkeys(v.address for v in conf.virtual_servers if v.address)),
        )


def virtual_not_in_kernel(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Keepalived runs it, the kernel does not have it: somebody deleted it (kubernetes#59507)."""
    proxied = kube_proxy_signs(seen)
    for virtual in seen.virtual_servers or ():
        if virtual.in_kernel:
            continue
        yield Finding(
            "virtual-server-not-in-kernel",
            Severity.CRITICAL,
            f"Virtual server {virtual.name} is in keepalived's config but not in the kernel",
            (
                f"the running config has it with {len(virtual.real_servers)} real servers (conf)",
                f"the IPVS table does not have {virtual.protocol.value} {virtual.name} (ipvs)",
                *(f"kube-proxy in IPVS mode purges what it does not know: {sign}" for sign in proxied),
            ),
            "restart keepalived: it compares configs, never the kernel, so a reload does not bring it back"
            + (" ; and set ipvs.excludeCIDRs in kube-proxy's ConfigMap" if proxied else ""),
            virtual.name,
            vips_of(virtual),
        )


def foreign_virtual(seen: Observation, _past: Past) -> Iterator[Finding]:
    """A virtual server on one of our VIPs that keepalived did not make."""
    conf = _conf(seen)
    if conf is None or any(v.group for v in conf.virtual_servers):  # a group's servers are not told apart
        return
    vips = {v.address for v in seen.vips or ()}
    for virtual in seen.virtual_servers or ():
        if virtual.managed_by is not ManagedBy.UNKNOWN or virtual.address not in vips:
            continue
        yield Finding(
            "virtual-server-not-in-config",
            Severity.WARNING,
            f"Virtual server {virtual.name} is in the kernel but not in keepalived's config",
            (
                f"{virtual.scheduler}, {len(virtual.real_servers)} real servers (ipvs)",
                "the running config does not have it: made by hand, or left by a keepalived that ended (conf)",
            ),
            f"ipvsadm -D {service_option(virtual)}",
            virtual.name,
            vips_of(virtual),
        )


def virtual_differs(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Scheduler or persistence of the kernel is not what keepalived runs (keepalived#1542)."""
    conf = configured(seen)
    for virtual in seen.virtual_servers or ():
        wanted = conf.get(kernel_key(virtual)) if virtual.in_kernel else None
        if wanted is None:
            continue
        facts = []
        if wanted.scheduler and wanted.scheduler != virtual.scheduler:
            facts.append(f"scheduler {virtual.scheduler} (ipvs), {wanted.scheduler} (conf)")
        if (wanted.persistence_timeout or 0) != (virtual.persistence_timeout or 0):
            old, new = virtual.persistence_timeout or 0, wanted.persistence_timeout or 0
            facts.append(f"persistence {old} s (ipvs), {new} s (conf)")
        if facts:
            persistent = f" -p {wanted.persistence_timeout}" if wanted.persistence_timeout else ""
            scheduler = wanted.scheduler or virtual.scheduler
            yield Finding(
                "virtual-server-differs",
                Severity.WARNING,
                f"Virtual server {virtual.name} of the kernel is not what keepalived runs",
                tuple(facts),
                f"ipvsadm -E {service_option(virtual)} -s {scheduler}{persistent}  # a reload does not",
                virtual.name,
                vips_of(virtual),
            )


def kube_proxy_signs(seen: Observation) -> tuple[str, ...]:
    """How one sees that kube-proxy works in IPVS mode in this network namespace."""
    table = seen.snapshot.addresses
    link = any(i.name == KUBE_PROXY_INTERFACE for i in table.interfaces) if table else False
    its = sum(1 for v in seen.virtual_servers or () if v.managed_by is ManagedBy.KUBE_PROXY)
    signs = [f"interface {KUBE_PROXY_INTERFACE} exists (addresses)"] if link else []
    return (*signs, *((f"{its} virtual servers on its addresses (ipvs)",) if its else ()))


def kube_proxy(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Two masters of one IPVS table (kubernetes#76267, #85799)."""
    signs = kube_proxy_signs(seen)
    conf = _conf(seen)
    if not signs or conf is None or not conf.virtual_servers:
        return
    mine = [v.name for v in seen.virtual_servers or () if v.managed_by is ManagedBy.KEEPALIVED]
    yield Finding(
        "kube-proxy-ipvs",
        Severity.WARNING,
        "kube-proxy in IPVS mode shares this kernel's table with keepalived, and purges what it does not know",
        (*signs, f"keepalived's: {listed(mine)} (ipvs)"),
        "kubectl -n kube-system edit configmap kube-proxy  # ipvs.excludeCIDRs: the VIPs; or mode: iptables",
        KUBE_PROXY_INTERFACE,
        tuple(dict.fromkeys(v.address for v in conf.virtual_servers if v.address)),
    )


# --- real servers


def no_live_real(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Clients are refused."""
    vips = {v.address for v in seen.vips or ()}
    for virtual in seen.virtual_servers or ():
        ours = virtual.managed_by is ManagedBy.KEEPALIVED or virtual.address in vips
        if not virtual.in_kernel or not ours or virtual.up:
            continue
        states = [f"{sum(1 for r in virtual.real_servers if r.state is s)} {s.value}" for s in RealServerState]
        some = [w for w in states if not w.startswith("0 ")]
        yield Finding(
            "no-live-real-server",
            Severity.CRITICAL,
            f"No real server of {virtual.name} takes connections",
            (
                f"{', '.join(some) if some else 'it has no real servers at all'} (ipvs, conf)",
                *(
                    f"{real_name(r)}: {r.state.value}{f', check {r.check}' if r.check else ''}"
                    for r in virtual.real_servers[:4]
                ),
            ),
            _revive(virtual),
            virtual.name,
            vips_of(virtual),
        )


def _revive(virtual: VirtualServerView) -> str:
    drained = [r for r in virtual.real_servers if r.state is RealServerState.DRAINED]
    if drained:
        return f"kvtui undrain {real_name(drained[0])}"
    if virtual.service:
        namespace, _, name = virtual.service.partition("/")
        return f"kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
    return f"kvtui ipvs  # which checks fail? then ask a real server itself: nc -vz {_some_real(virtual)}"


def _some_real(virtual: VirtualServerView) -> str:
    return " ".join(f"{r.address} {r.port}" for r in virtual.real_servers[:1]) or "ADDRESS PORT"


def real_down(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Its health check fails."""
    absent = {RealServerState.REMOVED, RealServerState.FAILED}
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in odd(seen, lambda r: r.state in absent):
        lookup = checks_of(seen) if lookup is None else lookup
        down = [r for r in reals if r.state is RealServerState.FAILED or _fails(lookup, virtual, r)]
        if not down:
            continue
        what, subject, words = group(virtual, down)
        yield Finding(
            "real-server-down",
            Severity.WARNING,
            f"{subject} fail{'s' if len(down) == 1 else ''} the health check",
            (*words, *_failed_checks(lookup, virtual, down)),
            f"nc -vz {down[0].address} {down[0].port}  # from this node: is it the server, or the way there?",
            what,
            vips_of(virtual),
        )


def _fails(lookup: dict[CheckKey, RealServerCheck], virtual: VirtualServerView, real: RealServerView) -> bool:
    check = lookup.get((virtual.name, real.address, real.port))
    return check is not None and check.alive is False


def _failed_checks(
    lookup: dict[CheckKey, RealServerCheck], virtual: VirtualServerView, reals: list[RealServerView]
) -> Iterator[str]:
    for real in reals[:1]:
        check = lookup.get((virtual.name, real.address, real.port))
        if check is not None:
            yield f"keepalived: {check.failed_checkers or 1} failed checks of {real_name(real)} (dump)"


def real_not_in_kernel(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Configured, its check does not fail as far as is known, and the kernel does not have it."""
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in odd(seen, lambda r: r.state is RealServerState.REMOVED):
        lookup = checks_of(seen) if lookup is None else lookup
        gone = [r for r in reals if not _fails(lookup, virtual, r)]
        if not gone:
            continue
        what, subject, _words = group(virtual, gone)
        passes = any((c := lookup.get((virtual.name, r.address, r.port))) and c.alive for r in gone)
        word = "keepalived says that its check passes (dump)" if passes else "its health check is not known (no dump)"
        yield Finding(
            "real-server-not-in-kernel",
            Severity.WARNING,
            f"{subject} {'is' if len(gone) == 1 else 'are'} in the config but not in the kernel",
            (f"not in the IPVS table: {listed(real_name(r) for r in gone)} (ipvs)", word),
            "a reload does not bring it back (keepalived compares configs, never the kernel): change its weight, "
            "reload, and change it back; or restart keepalived",
            what,
            vips_of(virtual),
        )


def real_not_in_config(seen: Observation, _past: Past) -> Iterator[Finding]:
    """In the kernel, in a virtual server of keepalived's, but not in its config."""
    if _conf(seen) is None:
        return
    conf: dict[ServiceKey, ConfVirtualServer] | None = None
    for virtual, reals in odd(seen, lambda r: r.configured_weight is None):
        conf = configured(seen) if conf is None else conf
        wanted = conf.get(kernel_key(virtual))
        if wanted is None:
            continue
        sorry = {(r.address, r.port or virtual.port or 0) for r in wanted.real_servers if r.sorry}
        extra = [r for r in reals if r.key not in sorry]
        if not extra:
            continue
        what, subject, _words = group(virtual, extra)
        commands = (f"ipvsadm -d {service_option(virtual)} -r {real_name(r)}" for r in extra[:4])
        yield Finding(
            "real-server-not-in-config",
            Severity.WARNING,
            f"{subject} {'is' if len(extra) == 1 else 'are'} in the kernel but not in keepalived's config",
            (
                f"in the IPVS table: {listed(f'{real_name(r)} weight {r.weight}' for r in extra)} (ipvs)",
                "the running config does not have it, so no check watches it (conf)",
            ),
            "; ".join(commands),
            what,
            vips_of(virtual),
        )


def weight_differs(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Neither the configured weight, nor the one that a check gave it, nor a drain."""
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in odd(seen, _other_weight):
        lookup = checks_of(seen) if lookup is None else lookup
        meant = [r for r in reals if not _given(lookup.get((virtual.name, r.address, r.port)), r)]
        if not meant:
            continue
        what, subject, _words = group(virtual, meant)
        yield Finding(
            "weight-differs",
            Severity.WARNING,
            f"{subject} {'has' if len(meant) == 1 else 'have'} another weight than the config says",
            tuple(f"{real_name(r)}: weight {r.weight} (ipvs), {r.configured_weight} (conf)" for r in meant[:6]),
            edit_weight(virtual, meant[0], meant[0].configured_weight or 0),
            what,
            vips_of(virtual),
        )


def _other_weight(real: RealServerView) -> bool:
    return bool(real.weight) and real.configured_weight is not None and real.weight != real.configured_weight


def _given(check: RealServerCheck | None, real: RealServerView) -> bool:
    """A checker has given it that weight (MISC_CHECK dynamic, FILE_CHECK)."""
    return check is not None and check.effective_weight == real.weight


def drained(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Somebody took it out; worth knowing, and often forgotten."""
    for virtual, reals in odd(seen, lambda r: r.state is RealServerState.DRAINED):
        meant = [r for r in reals if r.configured_weight != 0]
        if not meant:
            continue
        what, subject, _words = group(virtual, meant)
        left = (f"{real_name(r)}: {r.active} active, {r.inactive} inactive connections (ipvs)" for r in meant[:6])
        yield Finding(
            "drained",
            Severity.INFO,
            f"{subject} {'is' if len(meant) == 1 else 'are'} drained (weight 0)",
            tuple(left),
            f"kvtui undrain {real_name(meant[0])}  # kvtui journal says who drained it, and why",
            what,
            vips_of(virtual),
        )


def overloaded(seen: Observation, _past: Past) -> Iterator[Finding]:
    """Above its upper threshold a real server takes no more connections."""
    for virtual, reals in odd(seen, _full):
        what, subject, _words = group(virtual, reals)
        numbers = ((r, (r.active or 0) + (r.inactive or 0)) for r in reals[:6])
        yield Finding(
            "real-server-full",
            Severity.WARNING,
            f"{subject} {'has' if len(reals) == 1 else 'have'} reached the upper threshold",
            tuple(f"{real_name(r)}: {n} connections, uthreshold {r.upper_threshold} (ipvs)" for r, n in numbers),
            "raise uthreshold in its real_server block (or add real servers), then: kvtui reload",
            what,
            vips_of(virtual),
        )


def _full(real: RealServerView) -> bool:
    return bool(real.upper_threshold) and (real.active or 0) + (real.inactive or 0) >= (real.upper_threshold or 0)


RULES = (
    Rule(ip_vs_missing),
    Rule(virtual_not_in_kernel, PASSING),
    Rule(no_live_real, PASSING),
    Rule(real_down, PASSING),
    Rule(real_not_in_kernel, PASSING),
    Rule(real_not_in_config, ROLLOUT),
    Rule(weight_differs, PASSING),
    Rule(virtual_differs, PASSING),
    Rule(foreign_virtual, ROLLOUT),
    Rule(kube_proxy),
    Rule(overloaded, PASSING),
    Rule(drained),
)
