"""Real servers of the kernel against what keepalived runs and what its checkers say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.rules.triage.kernel import checks_of, configured, kernel_key, odd, running_or_file
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import edit_weight, group, listed, real_name, service_option, vips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.vrrp import RealServerCheck
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.kernel import CheckKey


def no_live_real(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Clients are refused."""
    vips = {v.address for v in seen.vips or ()}
    for virtual in seen.virtual_servers or ():
        ours = virtual.managed_by is ManagedBy.KEEPALIVED or virtual.address in vips
        if not virtual.in_kernel or not ours or any(r.state is RealServerState.UP for r in virtual.real_servers):
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


def real_down(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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
            tuple(f"{w} (ipvs, dump)" for w in words),
            f"nc -vz {down[0].address} {down[0].port}  # from this node: is it the server, or the way there?",
            what,
            vips_of(virtual),
        )


def _fails(lookup: dict[CheckKey, RealServerCheck], virtual: VirtualServerView, real: RealServerView) -> bool:
    check = lookup.get((virtual.name, real.address, real.port))
    return check is not None and check.alive is False


def real_not_in_kernel(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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


def real_not_in_config(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """In the kernel, in a virtual server of keepalived's, but not in its config."""
    if running_or_file(seen) is None:
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


def weight_differs(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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


def drained(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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


def overloaded(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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
    Rule(no_live_real, PASSING),
    Rule(real_down, PASSING),
    Rule(real_not_in_kernel, PASSING),
    Rule(real_not_in_config, ROLLOUT),
    Rule(weight_differs, PASSING),
    Rule(overloaded, PASSING),
    Rule(drained),
)
