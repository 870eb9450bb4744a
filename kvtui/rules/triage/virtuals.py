"""Virtual servers in the kernel compared with keepalived's config."""

from __future__ import annotations

from kvtui.model.finding import Severity
from kvtui.model.observation import ManagedBy, Observation
from kvtui.rules.ipvsadm import edit_service, service
from kvtui.rules.phrases import listed, plural
from kvtui.rules.servers.views import configured_servers
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding
from kvtui.rules.vrrp.instances import KUBE_PROXY_INTERFACE


def ip_vs_missing(observation: Observation) -> Findings:
    """The config has virtual servers, but the kernel has not loaded ip_vs (contrib#2818)."""
    conf, sysctls = observation.snapshot.effective_conf, observation.snapshot.sysctls
    if not conf or not conf.virtual_servers or observation.snapshot.ipvs is not None or not sysctls:
        return
    if not any(name.startswith("net.ipv4.vs.") for name in sysctls):
        yield finding(
            "ip-vs-missing",
            Severity.CRITICAL,
            "ip_vs is not loaded: no virtual server of this node works",
            f"{plural(len(conf.virtual_servers), 'virtual server')} in the config (conf)",
            "the kernel has no net.ipv4.vs.* and no /proc/net/ip_vs (ipvs)",
            remedy="modprobe ip_vs  # then restart keepalived; in a pod: mount /lib/modules, or load ip_vs at boot",
            about="ip_vs",
            vips=(v.address for v in conf.virtual_servers),
        )


def virtual_not_in_kernel(observation: Observation) -> Findings:
    """Keepalived runs a virtual server that the kernel lacks: somebody deleted it (kubernetes#59507)."""
    proxied = kube_proxy_signs(observation)
    for virtual in observation.virtual_servers or ():
        if not virtual.in_kernel:
            yield finding(
                "virtual-server-not-in-kernel",
                Severity.CRITICAL,
                f"Virtual server {virtual.name} is in keepalived's config but not in the kernel",
                f"the running config has it with {len(virtual.real_servers)} real servers (conf)",
                f"the IPVS table does not have {virtual.protocol.value} {virtual.name} (ipvs)",
                *(f"kube-proxy in IPVS mode deletes unknown virtual servers: {sign}" for sign in proxied),
                remedy="restart keepalived (a reload does not add it: keepalived compares configs, not the kernel)"
                + ("; set ipvs.excludeCIDRs in kube-proxy's ConfigMap" if proxied else ""),
                about=virtual.name,
                vips=(virtual.address,),
            )


def foreign_virtual(observation: Observation) -> Findings:
    """The kernel has a virtual server on a VIP that keepalived did not create."""
    conf = observation.snapshot.effective_conf
    if conf is None or any(v.address is None and v.fwmark is None for v in conf.virtual_servers):
        return  # it may be a member of an unresolved group
    vips = {v.address for v in observation.vips or ()}
    for virtual in observation.virtual_servers or ():
        if virtual.managed_by is ManagedBy.UNKNOWN and virtual.address in vips:
            yield finding(
                "virtual-server-not-in-config",
                Severity.WARNING,
                f"Virtual server {virtual.name} is in the kernel but not in keepalived's config",
                f"{virtual.scheduler}, {len(virtual.real_servers)} real servers (ipvs)",
                "the running config does not have it: created manually, or left by another keepalived (conf)",
                remedy=f"ipvsadm -D {service(virtual)}",
                about=virtual.name,
                vips=(virtual.address,),
            )


def virtual_differs(observation: Observation) -> Findings:
    """Scheduler or persistence in the kernel differ from the config (keepalived#1542)."""
    configured, table = configured_servers(observation.snapshot), observation.snapshot.ipvs
    for virtual in observation.virtual_servers or ():
        wanted = configured.get(virtual.key) if virtual.in_kernel else None
        if wanted is None:
            continue
        scheduler = wanted.scheduler or virtual.scheduler
        old, new = virtual.persistence_timeout or 0, wanted.persistence_timeout or 0
        facts = [f"scheduler {virtual.scheduler} (ipvs), {scheduler} (conf)"] if scheduler != virtual.scheduler else []
        facts += [f"persistence {old} s (ipvs), {new} s (conf)"] if old != new else []
        if facts:
            command = edit_service(table, virtual, scheduler or "wlc", wanted.persistence_timeout)
            yield finding(
                "virtual-server-differs",
                Severity.WARNING,
                f"Virtual server {virtual.name} in the kernel differs from keepalived's config",
                *facts,
                remedy=f"{command}  # a reload does not change it",
                about=virtual.name,
                vips=(virtual.address,),
            )


def kube_proxy_signs(observation: Observation) -> list[str]:
    table = observation.snapshot.addresses
    link = any(i.name == KUBE_PROXY_INTERFACE for i in table.interfaces) if table else False
    number = sum(1 for v in observation.virtual_servers or () if v.managed_by is ManagedBy.KUBE_PROXY)
    signs = [f"interface {KUBE_PROXY_INTERFACE} exists (addresses)"] if link else []
    return signs + ([f"{plural(number, 'virtual server')} on its addresses (ipvs)"] if number else [])


def kube_proxy(observation: Observation) -> Findings:
    """kube-proxy and keepalived manage the same IPVS table (kubernetes#76267, #85799)."""
    signs = kube_proxy_signs(observation)
    conf = observation.snapshot.effective_conf
    if not signs or conf is None or not conf.virtual_servers:
        return
    own = [v.name for v in observation.virtual_servers or () if v.managed_by is ManagedBy.KEEPALIVED]
    yield finding(
        "kube-proxy-ipvs",
        Severity.WARNING,
        "kube-proxy in IPVS mode shares the IPVS table with keepalived and deletes unknown virtual servers",
        *signs,
        f"virtual servers of keepalived: {listed(own) or 'none'} (ipvs)",
        remedy="kubectl -n kube-system edit configmap kube-proxy  # set ipvs.excludeCIDRs to the VIPs, or mode: "
        "iptables",
        about=KUBE_PROXY_INTERFACE,
        vips=(v.address for v in conf.virtual_servers),
    )


RULES = (
    Rule(ip_vs_missing),
    Rule(virtual_not_in_kernel, TRANSIENT_SECONDS),
    Rule(virtual_differs, TRANSIENT_SECONDS),
    Rule(foreign_virtual, ROLLOUT_SECONDS),
    Rule(kube_proxy),
)
