"""Virtual servers of the kernel against what keepalived runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.observation import ManagedBy
from kvtui.rules.servers.views import KUBE_PROXY_INTERFACE
from kvtui.rules.triage.kernel import configured, kernel_key, running_or_file
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import listed, service_option, vips_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory


def ip_vs_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The config has virtual servers, and this kernel has no ip_vs (contrib#2818)."""
    conf, sysctls = running_or_file(seen), seen.snapshot.sysctls
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


def virtual_not_in_kernel(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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


def foreign_virtual(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A virtual server on one of our VIPs that keepalived did not make."""
    conf = running_or_file(seen)
    if conf is None or any(v.address is None and v.fwmark is None for v in conf.virtual_servers):
        # the members of a group are not known: any may be one
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


def virtual_differs(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
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


def kube_proxy(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Two masters of one IPVS table (kubernetes#76267, #85799)."""
    signs = kube_proxy_signs(seen)
    conf = running_or_file(seen)
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


RULES = (
    Rule(ip_vs_missing),
    Rule(virtual_not_in_kernel, PASSING),
    Rule(virtual_differs, PASSING),
    Rule(foreign_virtual, ROLLOUT),
    Rule(kube_proxy),
)
