"""Real servers in the kernel compared with keepalived's config and health checks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import ManagedBy, Observation, RealServerState, RealServerView, VirtualServerView
from kvtui.rules.identity_cache import IdentityCache
from kvtui.rules.ipvsadm import address_word, edit_weight, service
from kvtui.rules.phrases import MAX_NAMES, listed, shell_word
from kvtui.rules.servers.views import PASSES, check_fails, checks_of, configured_servers
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.triage.words import describe_real, real_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.vrrp import RealServerCheck


class RealGroup(Struct, frozen=True):
    """Real servers of one virtual server with the same problem: a single one is named, several are counted."""

    virtual: VirtualServerView
    reals: list[RealServerView]

    @property
    def is_one(self) -> bool:
        return len(self.reals) == 1

    @property
    def subject(self) -> str:
        if self.is_one:
            return f"Real server {real_name(self.reals[0])} of {self.virtual.name}"
        return f"{len(self.reals)} of {len(self.virtual.real_servers)} real servers of {self.virtual.name}"

    def finding(self, ident: str, severity: Severity, title: str, *evidence: str, remedy: str) -> Finding:
        about = f"{self.virtual.name} -> {real_name(self.reals[0])}" if self.is_one else self.virtual.name
        return finding(ident, severity, title, *evidence, remedy=remedy, about=about, vips=(self.virtual.address,))


_unusual: IdentityCache[tuple[RealGroup, ...]] = IdentityCache(1)
"""Of one observation: several rules use it."""


def unusual_reals(
    observation: Observation, wanted: Callable[[VirtualServerView, RealServerView], bool]
) -> Iterator[RealGroup]:
    """Yields the wanted ones of each virtual server, if it has any."""
    servers = observation.virtual_servers or ()
    for group in _unusual.get((servers,), None, lambda: tuple(_find_unusual(servers))):
        if reals := [r for r in group.reals if wanted(group.virtual, r)]:
            yield RealGroup(group.virtual, reals)


def _find_unusual(servers: tuple[VirtualServerView, ...]) -> Iterator[RealGroup]:
    """Omits the usual real servers, which are nearly all: up, with their configured weight and no threshold."""
    up = RealServerState.UP
    for virtual in servers:
        reals = virtual.real_servers if virtual.in_kernel else ()
        if unusual := [r for r in reals if r.state is not up or r.weight != r.configured_weight or r.upper_threshold]:
            yield RealGroup(virtual, unusual)


def _check_of(observation: Observation, virtual: VirtualServerView, real: RealServerView) -> RealServerCheck | None:
    return checks_of(observation.snapshot).get((virtual.name, real.address, real.port))


def no_live_real(observation: Observation) -> Findings:
    """The kernel refuses all clients of a virtual server."""
    vips = {v.address for v in observation.vips or ()}
    for virtual in observation.virtual_servers or ():
        ours = virtual.managed_by is ManagedBy.KEEPALIVED or virtual.address in vips
        if not virtual.in_kernel or not ours or virtual.up:
            continue
        counts = Counter(r.state for r in virtual.real_servers)
        states = ", ".join(f"{counts[s]} {s.value}" for s in RealServerState if counts[s])
        yield finding(
            "no-live-real-server",
            Severity.CRITICAL,
            f"No real server of {virtual.name} accepts connections",
            f"{states or 'it has no real servers'} (ipvs, conf)",
            *(describe_real(r) for r in virtual.real_servers[:4]),
            remedy=_restore_command(virtual),
            about=virtual.name,
            vips=(virtual.address,),
        )


def _restore_command(virtual: VirtualServerView) -> str:
    drained = [r for r in virtual.real_servers if r.state is RealServerState.DRAINED]
    if drained:
        return f"kvtui undrain {address_word(real_name(drained[0]))}"
    if virtual.service:
        namespace, _, name = virtual.service.partition("/")
        return f"kubectl -n {shell_word(namespace)} get endpointslices -l kubernetes.io/service-name={shell_word(name)}"
    test = "".join(f"; does one answer? nc -vz {r.address} {r.port}" for r in virtual.real_servers[:1])
    return f"kvtui ipvs  # which checks fail?{test}"


def real_down(observation: Observation) -> Findings:
    """The health check of a real server fails."""

    def fails(_: VirtualServerView, real: RealServerView) -> bool:
        removed = real.state is RealServerState.REMOVED
        return real.state is RealServerState.FAILED or (removed and check_fails(real))

    for down in unusual_reals(observation, fails):
        shown = down.reals[:MAX_NAMES]
        checks = [(r, _check_of(observation, down.virtual, r)) for r in shown]
        yield down.finding(
            "real-server-down",
            Severity.WARNING,
            f"{down.subject} fail{'s' if down.is_one else ''} the health check",
            *(f"{describe_real(r)} (ipvs, dump)" for r in shown),
            *(f"{real_name(r)}: {words} (dump)" for r, check in checks if check for words in check.failing),
            remedy=f"kvtui check {address_word(real_name(shown[0]))}  # runs its checks as keepalived does: server or "
            "network?",
        )


def real_not_in_kernel(observation: Observation) -> Findings:
    """The config has a real server without a failing check, but the kernel does not."""
    removed = RealServerState.REMOVED
    for gone in unusual_reals(observation, lambda _, r: r.state is removed and not check_fails(r)):
        passes = any(r.check == PASSES for r in gone.reals)
        yield gone.finding(
            "real-server-not-in-kernel",
            Severity.WARNING,
            f"{gone.subject} {'is' if gone.is_one else 'are'} in the config but not in the kernel",
            f"not in the IPVS table: {listed(real_name(r) for r in gone.reals)} (ipvs)",
            "keepalived reports that its check passes (dump)" if passes else "its health check is unknown (no dump)",
            remedy="change its weight, reload, and change it back; or restart keepalived (a reload alone does not add "
            "it: keepalived compares configs, not the kernel)",
        )


def real_not_in_config(observation: Observation) -> Findings:
    """The kernel has a real server in a virtual server of keepalived, but the config does not."""
    configured = configured_servers(observation.snapshot)

    def is_unknown(virtual: VirtualServerView, real: RealServerView) -> bool:
        wanted = configured.get(virtual.key) if real.configured_weight is None else None
        return wanted is not None and real.key not in wanted.sorry_keys()

    for extra in unusual_reals(observation, is_unknown):
        commands = [f"ipvsadm -d {service(extra.virtual)} -r {address_word(real_name(r))}" for r in extra.reals[:4]]
        yield extra.finding(
            "real-server-not-in-config",
            Severity.WARNING,
            f"{extra.subject} {'is' if extra.is_one else 'are'} in the kernel but not in keepalived's config",
            f"in the IPVS table: {listed(f'{real_name(r)} weight {r.weight}' for r in extra.reals)} (ipvs)",
            "the running config does not have it, so keepalived does not check it (conf)",
            remedy="; ".join(commands),
        )


def weight_differs(observation: Observation) -> Findings:
    """A weight that neither the config, nor a check, nor a drain has set."""

    def is_changed(virtual: VirtualServerView, real: RealServerView) -> bool:
        if not real.weight or real.configured_weight in {None, real.weight}:
            return False
        check = _check_of(observation, virtual, real)
        return check is None or check.effective_weight != real.weight  # MISC_CHECK dynamic, FILE_CHECK

    for changed in unusual_reals(observation, is_changed):
        first = changed.reals[0]
        yield changed.finding(
            "weight-differs",
            Severity.WARNING,
            f"{changed.subject} {'has' if changed.is_one else 'have'} another weight than configured",
            *(f"{real_name(r)}: weight {r.weight} (ipvs), {r.configured_weight} (conf)" for r in changed.reals[:6]),
            remedy=edit_weight(observation.snapshot.ipvs, changed.virtual, first.key, first.configured_weight or 0),
        )


def drained(observation: Observation) -> Findings:
    """Somebody drained a real server, which is often forgotten (keepalived#2240).

    Not reported for virtual servers on firewall marks that keepalived does not manage: Docker Swarm keeps such weights
    in its ingress_sbox (moby/libnetwork, service_linux.go).
    """
    configured = configured_servers(observation.snapshot)
    weight_0 = RealServerState.DRAINED
    for found in unusual_reals(observation, lambda _, r: r.state is weight_0 and r.configured_weight != 0):
        virtual = found.virtual
        if virtual.fwmark is not None and virtual.managed_by is ManagedBy.UNKNOWN:
            continue
        wanted = configured.get(virtual.key)
        inhibited = {k for k, r in wanted.regular_servers().items() if r.inhibit_on_failure} if wanted else set()
        unknown = [r for r in found.reals if r.key in inhibited and r.check is None]
        if unknown:
            yield _drained_or_failed(RealGroup(virtual, unknown))
        if known := [r for r in found.reals if r not in unknown]:
            meant, server = RealGroup(virtual, known), real_name(known[0])
            yield meant.finding(
                "drained",
                Severity.INFO,
                f"{meant.subject} {'is' if meant.is_one else 'are'} drained (weight 0)",
                *(f"{real_name(r)}: {r.active} active, {r.inactive} inactive connections (ipvs)" for r in known[:6]),
                remedy=f"kvtui undrain {address_word(server)}  # kvtui journal shows who drained it and why",
            )


def _drained_or_failed(found: RealGroup) -> Finding:
    first, weights = found.reals[0], [(real_name(r), r.configured_weight) for r in found.reals]
    return found.finding(
        "drained-or-failed",
        Severity.WARNING,
        f"{found.subject} {'has' if found.is_one else 'have'} weight 0: drained, or failed (inhibit_on_failure)",
        *(f"{server}: weight 0 (ipvs), {weight} and inhibit_on_failure (conf)" for server, weight in weights),
        "only keepalived's check dump tells a failed real server from a drained one, and kvtui has none (dump)",
        remedy=f"nc -vz {first.address} {first.port}  # does it answer? As root kvtui reads the checks",
    )


def overloaded(observation: Observation) -> Findings:
    """At its upper threshold a real server accepts no more connections."""

    def is_full(_: VirtualServerView, real: RealServerView) -> bool:
        return bool(real.upper_threshold) and _connections(real) >= (real.upper_threshold or 0)

    for full in unusual_reals(observation, is_full):
        numbers = [(r, _connections(r)) for r in full.reals[:6]]
        yield full.finding(
            "real-server-full",
            Severity.WARNING,
            f"{full.subject} {'has' if full.is_one else 'have'} reached the upper threshold",
            *(f"{real_name(r)}: {n} connections, uthreshold {r.upper_threshold} (ipvs)" for r, n in numbers),
            remedy="increase uthreshold in its real_server block (or add real servers), then: kvtui reload",
        )


def _connections(real: RealServerView) -> int:
    return (real.active or 0) + (real.inactive or 0)


RULES = (
    Rule(no_live_real, TRANSIENT_SECONDS),
    Rule(real_down, TRANSIENT_SECONDS),
    Rule(real_not_in_kernel, TRANSIENT_SECONDS),
    Rule(real_not_in_config, ROLLOUT_SECONDS),
    Rule(weight_differs, TRANSIENT_SECONDS),
    Rule(overloaded, TRANSIENT_SECONDS),
    Rule(drained),
)
