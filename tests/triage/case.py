"""A healthy backup (tests.kit) with one change, and the findings of triage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from kvtui.rules.triage.runner import pending_findings
from tests import kit
from tests.kit import kube as build_kube

if TYPE_CHECKING:
    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.finding import Finding
    from kvtui.model.snapshot import Snapshot

LISTENED = 60.0
SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "net.ipv4.ip_nonlocal_bind": 1,
    "net.ipv4.vs.conntrack": 1,
    "net.ipv4.vs.expire_nodest_conn": 0,
    "net.ipv4.vs.expire_quiescent_template": 0,
    "net.ipv4.conf.all.rp_filter": 1,
    "net.ipv4.conf.eth0.rp_filter": 1,
    "net.ipv4.conf.all.arp_ignore": 0,
    "net.ipv4.conf.eth0.arp_ignore": 0,
}
"""The sysctls of a keepalived-vip node, with the distribution's strict rp_filter."""


def conf(*numbers: int, digest: str = "a", server: dict[str, Any] | None = None, **changes: Any) -> Conf:
    """Returns the healthy node's config with real servers 10.2.68.``numbers``, its virtual server changed."""
    base = kit.conf(*(kit.conf_real(n) for n in numbers or (5, 6)), digest=digest)
    (virtual,) = base.virtual_servers
    changed: ConfVirtualServer = replace(virtual, **{"persistence_timeout": 1800, **(server or {})})
    return replace(base, **{"virtual_servers": (changed,), **changes})


def backup(**changes: Any) -> Snapshot:
    """Returns a healthy backup with changes."""
    base = kit.snapshot(conf=conf(), running=conf(), sysctls=SYSCTLS)
    return replace(base, **changes)


def master(**changes: Any) -> Snapshot:
    """Returns a healthy master with changes."""
    base = backup(
        instances=(kit.instance(VrrpState.MASTER, counters={"advert_rcvd": 5, "become_master": 1}),),
        addresses=kit.addresses(kit.VIP),
        advertisers=(kit.advertiser(0, outgoing=True),),
    )
    return replace(base, **changes)


def suspected(snapshot: Snapshot, *, listened: float = LISTENED) -> dict[str, Finding]:
    """Returns the pending findings by the id of their rule, without waiting for the time that each must persist.

    Args:
        snapshot: of the node.
        listened: seconds since the first observation.
    """
    if snapshot.advertisers is not None:
        snapshot = replace(snapshot, heard_since=snapshot.time - listened)
    return {s.finding.id: s.finding for s in pending_findings(observe(snapshot))}


def only(snapshot: Snapshot, *, listened: float = LISTENED) -> Finding:
    """Returns the one pending finding."""
    found = suspected(snapshot, listened=listened)
    assert len(found) == 1, list(found)
    return next(iter(found.values()))


def asked(**changes: object) -> Snapshot:
    """Returns the healthy node with the API: file, running config and kernel match the ConfigMap."""
    base = conf(server={"scheduler": "wlc"})
    good = replace(base, instances=(replace(base.instances[0], state="BACKUP"),))
    return replace(build_kube.snapshot(), **{"conf": good, "running": good, "sysctls": SYSCTLS, **changes})
