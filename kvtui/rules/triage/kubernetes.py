"""The cluster: permissions, the node's address, the controller pods, peers that this node does not hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.mapping.controller import own_node
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import routers
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import Pod
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.routers import Router

CRASHING = frozenset({"CrashLoopBackOff", "Error", "OOMKilled", "ImagePullBackOff", "ErrImagePull"})
OWN_ACCOUNT = "the controller uses the same account and lacks this permission too"
MIN_HEAD_START = 10.0
"""Seconds. A peer that started earlier by this time had taken over before this node could."""


def missing_right(observation: Observation) -> Iterator[Finding]:
    """The API keeps answering 403; in the controller's pod the controller lacks the permission too (contrib#2520)."""
    for resource in observation.snapshot.kube.resources if observation.snapshot.kube else ():
        if resource.state is SourceState.OK or not resource.forbidden:
            continue
        yield Finding(
            "rbac-missing",
            Severity.WARNING,
            f"Permission to read {resource.resource.value} is missing",
            (f"{plain(resource.detail, 400)} (Kubernetes)", *([OWN_ACCOUNT] if "rbac.yaml" in resource.remedy else [])),
            plain(resource.remedy, 400)
            or f"grant list and watch of {resource.resource.value} to the ServiceAccount (see packaging/kubernetes)",
            resource.resource.value,
        )


def node_address_missing(observation: Observation) -> Iterator[Finding]:
    """The controller searches the NIC with the node's IP and does not find it (keepalived-vip#41, #73)."""
    snapshot = observation.snapshot
    node, table, controller = own_node(snapshot), snapshot.addresses, snapshot.controller
    if node is None or table is None or node.address is None or table.holding(node.address):
        return
    if controller is None or controller.interface is not None:  # with --iface it does not search
        return
    yield Finding(
        "node-address-missing",
        Severity.CRITICAL,
        f"{node.address}, the address of node {node.name}, is on no interface here",
        (
            f"ExternalIP {listed(node.external_ips) or 'none'} (Kubernetes)",
            f"InternalIP {listed(node.internal_ips) or 'none'} (Kubernetes)",
            'keepalived-vip uses the first ExternalIP and writes an empty "interface"; keepalived crashes on it',
        ),
        "add --iface with the node's interface to the args of the controller's DaemonSet",
        node.name,
        tuple(v.address for v in observation.vips or ()),
    )


def controller_pod(observation: Observation) -> Iterator[Finding]:
    """A node whose controller is not ready cannot take over."""
    kube = observation.snapshot.kube
    own = own_node(observation.snapshot)
    for pod in (kube.pods or {}).values() if kube else ():
        if not pod.controller or pod.ready:
            continue
        here = own is not None and pod.node == own.name
        why = f": {pod.reason}" if pod.reason else ""
        yield Finding(
            "controller-not-ready",
            Severity.CRITICAL if here and pod.reason in CRASHING else Severity.WARNING,
            f"Controller pod {pod.namespace}/{pod.name} on {pod.node or 'no node'} is not ready{why}",
            (f"phase {pod.phase}, reason {pod.reason or 'unknown'} (Kubernetes)",),
            f"kubectl -n {shell_word(pod.namespace)} logs --previous {shell_word(pod.name)}",
            f"{pod.namespace}/{pod.name}",
        )


def peers_unheard(observation: Observation) -> Iterator[Finding]:
    """Multicast is blocked: this node is master and has never heard a peer that started before it.

    Backups do not advertise, so a master normally hears nobody. But keepalived-vip starts as a backup: a node that
    started after a peer with a ready controller must have heard the master of that time.
    """
    snapshot = observation.snapshot
    chosen, kube, own = snapshot.chosen_keepalived, snapshot.kube, own_node(snapshot)
    if chosen is None or kube is None or own is None or snapshot.advertisers is None:
        return
    earlier = [p for p in (kube.pods or {}).values() if _started_first(p, own.name, chosen.started)]
    for router in routers(observation):
        if not earlier or not router.own_live or router.others or _heard_anything(router):
            continue
        yield Finding(
            "multicast-blocked",
            Severity.CRITICAL,
            f"This node is master of {router.instance.name} and has never received an advert: multicast is blocked",
            (
                f"only own adverts on {router.instance.interface} (adverts)",
                "advert_rcvd is 0 since keepalived's start (keepalived's counters)",
                f"ready before that: {listed(f'{p.name} on {p.node}' for p in earlier)} (Kubernetes)",
            ),
            "tcpdump -ni any 'ip proto 112'  # on the other nodes: are they masters too? Allow 224.0.0.18 (CNI, "
            "firewall), or use unicast (keepalived-vip: --use-unicast)",
            router.instance.name,
            router.vips,
        )


def _started_first(pod: Pod, own: str, started: float) -> bool:
    is_peer = pod.controller and pod.ready and pod.node not in (None, own)
    return is_peer and pod.started is not None and pod.started < started - MIN_HEAD_START


def _heard_anything(router: Router) -> bool:
    counters = router.view.counters
    return counters is None or counters.get("advert_rcvd", 1) > 0


RULES = (
    Rule(peers_unheard, PASSING),
    Rule(node_address_missing, PASSING),
    Rule(controller_pod, ROLLOUT),
    Rule(missing_right, PASSING),
)
