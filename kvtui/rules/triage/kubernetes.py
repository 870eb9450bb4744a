"""The cluster: permissions, the node's address, the controller pods, peers that this node does not hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Severity
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.mapping.controller import own_node
from kvtui.rules.phrases import listed, shell_word
from kvtui.rules.triage.routers import InstanceRouter, each_router
from kvtui.rules.triage.rule import ROLLOUT_SECONDS, TRANSIENT_SECONDS, Findings, Rule, finding

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

CRASHING = frozenset({"CrashLoopBackOff", "Error", "OOMKilled", "ImagePullBackOff", "ErrImagePull"})
OWN_ACCOUNT = "the controller uses the same account and lacks this permission too"
MIN_HEAD_START = 10.0
"""Seconds. A peer that started earlier by this time had taken over before this node could."""


def missing_right(observation: Observation) -> Findings:
    """The API keeps answering 403; in the controller's pod the controller lacks the permission too (contrib#2520)."""
    for resource in observation.snapshot.kube.resources if observation.snapshot.kube else ():
        kind = resource.resource.value
        grant = f"grant list and watch of {kind} to the ServiceAccount (see packaging/kubernetes)"
        if resource.state is not SourceState.OK and resource.forbidden:
            yield finding(
                "rbac-missing",
                Severity.WARNING,
                f"Permission to read {kind} is missing",
                f"{plain(resource.detail, 400)} (Kubernetes)",
                *([OWN_ACCOUNT] if "rbac.yaml" in resource.remedy else []),
                remedy=plain(resource.remedy, 400) or grant,
                about=kind,
            )


def node_address_missing(observation: Observation) -> Findings:
    """The controller searches the NIC with the node's IP and does not find it (keepalived-vip#41, #73)."""
    snapshot = observation.snapshot
    node, table, controller = own_node(snapshot), snapshot.addresses, snapshot.controller
    if node is None or table is None or node.address is None or table.holding(node.address):
        return
    if controller is None or controller.interface is not None:  # with --iface it does not search
        return
    yield finding(
        "node-address-missing",
        Severity.CRITICAL,
        f"{node.address}, the address of node {node.name}, is on no interface here",
        f"ExternalIP {listed(node.external_ips) or 'none'} (Kubernetes)",
        f"InternalIP {listed(node.internal_ips) or 'none'} (Kubernetes)",
        'keepalived-vip uses the first ExternalIP and writes an empty "interface"; keepalived crashes on it',
        remedy="add --iface with the node's interface to the args of the controller's DaemonSet",
        about=node.name,
        vips=(v.address for v in observation.vips or ()),
    )


def controller_pod(observation: Observation) -> Findings:
    """A node whose controller is not ready cannot take over."""
    kube = observation.snapshot.kube
    own = own_node(observation.snapshot)
    for pod in (kube.pods or {}).values() if kube else ():
        if pod.controller and not pod.ready:
            here = own is not None and pod.node == own.name
            why = f": {pod.reason}" if pod.reason else ""
            yield finding(
                "controller-not-ready",
                Severity.CRITICAL if here and pod.reason in CRASHING else Severity.WARNING,
                f"Controller pod {pod.namespace}/{pod.name} on {pod.node or 'no node'} is not ready{why}",
                f"phase {pod.phase}, reason {pod.reason or 'unknown'} (Kubernetes)",
                remedy=f"kubectl -n {shell_word(pod.namespace)} logs --previous {shell_word(pod.name)}",
                about=f"{pod.namespace}/{pod.name}",
            )


def peers_unheard(router: InstanceRouter) -> Findings:
    """Multicast is blocked: this node is master and has never heard a peer that started before it.

    Backups do not advertise, so a master normally hears nobody. But keepalived-vip starts as a backup: a node that
    started after a peer with a ready controller must have heard the master of that time.
    """
    chosen, kube, own = router.snapshot.chosen_keepalived, router.snapshot.kube, own_node(router.snapshot)
    if chosen is None or kube is None or own is None or not router.own_live:
        return
    peers = [p for p in (kube.pods or {}).values() if p.controller and p.ready and p.node not in {None, own.name}]
    earlier = [p for p in peers if p.started is not None and p.started < chosen.started - MIN_HEAD_START]
    if earlier and not router.others and router.counters.get("advert_rcvd") == 0:
        yield router.finding(
            "multicast-blocked",
            Severity.CRITICAL,
            f"This node is master of {router.instance.name} and has never received an advert: multicast is blocked",
            f"only own adverts on {router.instance.interface} (adverts)",
            "advert_rcvd is 0 since keepalived's start (keepalived's counters)",
            f"ready before that: {listed(f'{p.name} on {p.node}' for p in earlier)} (Kubernetes)",
            remedy="tcpdump -ni any 'ip proto 112'  # on the other nodes: are they masters too? Allow 224.0.0.18 (CNI, "
            "firewall), or use unicast (keepalived-vip: --use-unicast)",
        )


RULES = (
    Rule(each_router(peers_unheard), TRANSIENT_SECONDS),
    Rule(node_address_missing, TRANSIENT_SECONDS),
    Rule(controller_pod, ROLLOUT_SECONDS),
    Rule(missing_right, TRANSIENT_SECONDS),
)
