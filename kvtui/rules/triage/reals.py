"""Real servers in the kernel compared with keepalived's config and health checks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import ManagedBy, RealServerState
from kvtui.rules.ipvsadm import address_word, edit_weight, service
from kvtui.rules.phrases import MAX_NAMES, listed, shell_word
from kvtui.rules.triage.kernel import checks_of, unusual_reals
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import describe_real, group, real_name, vips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.vrrp import RealServerCheck
    from kvtui.rules.triage.kernel import CheckKey


def no_live_real(observation: Observation) -> Iterator[Finding]:
    """The kernel refuses all clients of a virtual server."""
    vips = {v.address for v in observation.vips or ()}
    for virtual in observation.virtual_servers or ():
        ours = virtual.managed_by is ManagedBy.KEEPALIVED or virtual.address in vips
        if not virtual.in_kernel or not ours or any(r.state is RealServerState.UP for r in virtual.real_servers):
            continue
        counts = Counter(r.state for r in virtual.real_servers)
        states = ", ".join(f"{counts[s]} {s.value}" for s in RealServerState if counts[s])
        yield Finding(
            "no-live-real-server",
            Severity.CRITICAL,
            f"No real server of {virtual.name} accepts connections",
            (
                f"{states or 'it has no real servers'} (ipvs, conf)",
                *(describe_real(r) for r in virtual.real_servers[:4]),
            ),
            _revive(virtual),
            virtual.name,
            vips_of(virtual),
        )


def _revive(virtual: VirtualServerView) -> str:
    drained = [r for r in virtual.real_servers if r.state is RealServerState.DRAINED]
    if drained:
        return f"kvtui undrain {address_word(real_name(drained[0]))}"
    if virtual.service:
        namespace, _, name = virtual.service.partition("/")
        return f"kubectl -n {shell_word(namespace)} get endpointslices -l kubernetes.io/service-name={shell_word(name)}"
    test = "".join(f"; does one answer? nc -vz {r.address} {r.port}" for r in virtual.real_servers[:1])
    return f"kvtui ipvs  # which checks fail?{test}"


def real_down(observation: Observation) -> Iterator[Finding]:
    """The health check of a real server fails."""
    absent = {RealServerState.REMOVED, RealServerState.FAILED}
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in unusual_reals(observation, lambda r: r.state in absent):
        lookup = checks_of(observation) if lookup is None else lookup
        down = [r for r in reals if r.state is RealServerState.FAILED or _fails(lookup, virtual, r)]
        if not down:
            continue
        target, subject = group(virtual, down)
        yield Finding(
            "real-server-down",
            Severity.WARNING,
            f"{subject} fail{'s' if len(down) == 1 else ''} the health check",
            (
                *(f"{describe_real(r)} (ipvs, dump)" for r in down[:MAX_NAMES]),
                *(
                    f"{real_name(r)}: {words} (dump)"
                    for r in down[:MAX_NAMES]
                    if (check := lookup.get((virtual.name, r.address, r.port)))
                    for words in check.failing
                ),
            ),
            f"kvtui check {address_word(real_name(down[0]))}  # runs its checks as keepalived does: server or network?",
            target,
            vips_of(virtual),
        )


def _fails(lookup: dict[CheckKey, RealServerCheck], virtual: VirtualServerView, real: RealServerView) -> bool:
    check = lookup.get((virtual.name, real.address, real.port))
    return check is not None and check.alive is False


def real_not_in_kernel(observation: Observation) -> Iterator[Finding]:
    """The config has a real server without a failing check, but the kernel does not."""
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in unusual_reals(observation, lambda r: r.state is RealServerState.REMOVED):
        lookup = checks_of(observation) if lookup is None else lookup
        gone = [r for r in reals if not _fails(lookup, virtual, r)]
        if not gone:
            continue
        target, subject = group(virtual, gone)
        passes = any((c := lookup.get((virtual.name, r.address, r.port))) and c.alive for r in gone)
        check = "keepalived reports that its check passes (dump)" if passes else "its health check is unknown (no dump)"
        yield Finding(
            "real-server-not-in-kernel",
            Severity.WARNING,
            f"{subject} {'is' if len(gone) == 1 else 'are'} in the config but not in the kernel",
            (f"not in the IPVS table: {listed(real_name(r) for r in gone)} (ipvs)", check),
            "change its weight, reload, and change it back; or restart keepalived (a reload alone does not add it: "
            "keepalived compares configs, not the kernel)",
            target,
            vips_of(virtual),
        )


def real_not_in_config(observation: Observation) -> Iterator[Finding]:
    """The kernel has a real server in a virtual server of keepalived, but the config does not."""
    conf = observation.snapshot.effective_conf
    if conf is None:
        return
    configured: dict[ServiceKey, ConfVirtualServer] | None = None
    for virtual, reals in unusual_reals(observation, lambda r: r.configured_weight is None):
        configured = conf.virtual_servers_by_key() if configured is None else configured
        wanted = configured.get(virtual.key)
        if wanted is None:
            continue
        sorry = {wanted.key_of(r) for r in wanted.real_servers if r.sorry}
        extra = [r for r in reals if r.key not in sorry]
        if not extra:
            continue
        target, subject = group(virtual, extra)
        commands = (f"ipvsadm -d {service(virtual)} -r {address_word(real_name(r))}" for r in extra[:4])
        yield Finding(
            "real-server-not-in-config",
            Severity.WARNING,
            f"{subject} {'is' if len(extra) == 1 else 'are'} in the kernel but not in keepalived's config",
            (
                f"in the IPVS table: {listed(f'{real_name(r)} weight {r.weight}' for r in extra)} (ipvs)",
                "the running config does not have it, so keepalived does not check it (conf)",
            ),
            "; ".join(commands),
            target,
            vips_of(virtual),
        )


def weight_differs(observation: Observation) -> Iterator[Finding]:
    """A weight that neither the config, nor a check, nor a drain has set."""
    lookup: dict[CheckKey, RealServerCheck] | None = None
    for virtual, reals in unusual_reals(observation, _other_weight):
        lookup = checks_of(observation) if lookup is None else lookup
        changed = [r for r in reals if not _set_by_check(lookup.get((virtual.name, r.address, r.port)), r)]
        if not changed:
            continue
        target, subject = group(virtual, changed)
        yield Finding(
            "weight-differs",
            Severity.WARNING,
            f"{subject} {'has' if len(changed) == 1 else 'have'} another weight than configured",
            tuple(f"{real_name(r)}: weight {r.weight} (ipvs), {r.configured_weight} (conf)" for r in changed[:6]),
            edit_weight(observation.snapshot.ipvs, virtual, changed[0].key, changed[0].configured_weight or 0),
            target,
            vips_of(virtual),
        )


def _other_weight(real: RealServerView) -> bool:
    return bool(real.weight) and real.configured_weight is not None and real.weight != real.configured_weight


def _set_by_check(check: RealServerCheck | None, real: RealServerView) -> bool:
    """Returns whether a check has set the weight (MISC_CHECK dynamic, FILE_CHECK)."""
    return check is not None and check.effective_weight == real.weight


def drained(observation: Observation) -> Iterator[Finding]:
    """Somebody drained a real server, which is often forgotten (keepalived#2240).

    Not reported for virtual servers on firewall marks that keepalived does not manage: Docker Swarm keeps such weights
    in its ingress_sbox (moby/libnetwork, service_linux.go).
    """
    conf = observation.snapshot.effective_conf
    configured = conf.virtual_servers_by_key() if conf else {}
    for virtual, reals in unusual_reals(observation, lambda r: r.state is RealServerState.DRAINED):
        wanted = configured.get(virtual.key)
        inhibited = {k for k, r in wanted.regular_servers().items() if r.inhibit_on_failure} if wanted else set()
        meant = [r for r in reals if r.configured_weight != 0]
        if not meant or (virtual.fwmark is not None and virtual.managed_by is ManagedBy.UNKNOWN):
            continue
        unknown = [r for r in meant if r.key in inhibited and r.check is None]
        if unknown:
            yield _drained_or_failed(virtual, unknown)
        meant = [r for r in meant if r not in unknown]
        if not meant:
            continue
        target, subject = group(virtual, meant)
        left = (f"{real_name(r)}: {r.active} active, {r.inactive} inactive connections (ipvs)" for r in meant[:6])
        yield Finding(
            "drained",
            Severity.INFO,
            f"{subject} {'is' if len(meant) == 1 else 'are'} drained (weight 0)",
            tuple(left),
            f"kvtui undrain {address_word(real_name(meant[0]))}  # kvtui journal shows who drained it and why",
            target,
            vips_of(virtual),
        )


def _drained_or_failed(virtual: VirtualServerView, reals: list[RealServerView]) -> Finding:
    target, subject = group(virtual, reals)
    return Finding(
        "drained-or-failed",
        Severity.WARNING,
        f"{subject} {'has' if len(reals) == 1 else 'have'} weight 0: drained, or failed (inhibit_on_failure)",
        (
            *(f"{real_name(r)}: weight 0 (ipvs), {r.configured_weight} and inhibit_on_failure (conf)" for r in reals),
            "only keepalived's check dump tells a failed real server from a drained one, and kvtui has none (dump)",
        ),
        f"nc -vz {reals[0].address} {reals[0].port}  # does it answer? As root kvtui reads the checks",
        target,
        vips_of(virtual),
    )


def overloaded(observation: Observation) -> Iterator[Finding]:
    """At its upper threshold a real server accepts no more connections."""
    for virtual, reals in unusual_reals(observation, _full):
        target, subject = group(virtual, reals)
        numbers = ((r, (r.active or 0) + (r.inactive or 0)) for r in reals[:6])
        yield Finding(
            "real-server-full",
            Severity.WARNING,
            f"{subject} {'has' if len(reals) == 1 else 'have'} reached the upper threshold",
            tuple(f"{real_name(r)}: {n} connections, uthreshold {r.upper_threshold} (ipvs)" for r, n in numbers),
            "increase uthreshold in its real_server block (or add real servers), then: kvtui reload",
            target,
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
