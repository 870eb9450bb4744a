"""The cluster around this node: rights, the node's own address, the controllers' pods, peers that are not heard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceState
from kvtui.model.text import plain
from kvtui.rules.triage.routers import routers
from kvtui.rules.triage.rule import PASSING, ROLLOUT, Rule
from kvtui.rules.triage.words import listed, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.kube import KubeNode, Pod
    from kvtui.model.observation import Observation
    from kvtui.rules.triage.condition_history import ConditionHistory
    from kvtui.rules.triage.routers import Router

CRASHING = frozenset({"CrashLoopBackOff", "Error", "OOMKilled", "ImagePullBackOff", "ErrImagePull"})
OWN_ACCOUNT = "it is the controller's own account: the controller lacks the same right"
EARLIER = 10.0
"""Seconds by which a peer must have been there first, so that this node would have heard it."""


def missing_right(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """403 that persists: a right is missing, in the controller's pod to the controller as well (contrib#2520)."""
    for resource in seen.snapshot.kube.resources if seen.snapshot.kube else ():
        if resource.state is SourceState.OK or not resource.forbidden:
            continue
        yield Finding(
            "rbac-missing",
            Severity.WARNING,
            f"The right to read {resource.resource.value} is missing",
            (f"{plain(resource.detail, 400)} (Kubernetes)", *([OWN_ACCOUNT] if "rbac.yaml" in resource.remedy else [])),
            plain(resource.remedy, 400)
            or f"kubectl auth can-i list {resource.resource.value} -A --as=system:serviceaccount:NAMESPACE:NAME",
            resource.resource.value,
        )


def own_node(seen: Observation) -> KubeNode | None:
    """This node in the API: by its name, else by an address of its interfaces."""
    kube, table = seen.snapshot.kube, seen.snapshot.addresses
    if kube is None or not kube.nodes:
        return None
    named = kube.nodes.get(seen.snapshot.node.name)
    if named is not None or table is None:
        return named
    here = {a.address for a in table.addresses}
    return next((n for n in kube.nodes.values() if here & {*n.internal_ips, *n.external_ips}), None)


def node_address_missing(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """The controller looks for the NIC that holds the node's IP, and finds none (keepalived-vip#41, #73)."""
    chosen, node, table = seen.snapshot.chosen_keepalived, own_node(seen), seen.snapshot.addresses
    if node is None or table is None or node.address is None or table.holding(node.address):
        return
    controller = chosen.controller if chosen else None
    if controller is None or controller.interface is not None:  # --iface: it does not look
        return
    yield Finding(
        "node-address-missing",
        Severity.CRITICAL,
        f"{node.address}, the address of node {node.name}, is on no interface here",
        (
            f"ExternalIP {listed(node.external_ips) or 'none'} (Kubernetes)",
            f"InternalIP {listed(node.internal_ips) or 'none'} (Kubernetes)",
            "keepalived-vip takes the first ExternalIP and writes an empty «interface», on which keepalived crashes",
        ),
        "kubectl edit daemonset  # args: --iface=NIC",
        node.name,
        tuple(v.address for v in seen.vips or ()),
    )


def controller_pod(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """A controller that is not ready is a backup that does not take over."""
    kube = seen.snapshot.kube
    own = own_node(seen)
    for pod in (kube.pods or {}).values() if kube else ():
        if not pod.controller or pod.ready:
            continue
        here = own is not None and pod.node == own.name
        why = f": {pod.reason}" if pod.reason else ""
        yield Finding(
            "controller-not-ready",
            Severity.CRITICAL if here and pod.reason in CRASHING else Severity.WARNING,
            f"{pod.namespace}/{pod.name} on {pod.node or 'no node'} is not ready{why}",
            (f"phase {pod.phase}, {pod.reason or 'no reason is given'} (Kubernetes)",),
            f"kubectl -n {quoted(pod.namespace)} logs --previous {quoted(pod.name)}",
            f"{pod.namespace}/{pod.name}",
        )


def peers_unheard(seen: Observation, _history: ConditionHistory) -> Iterator[Finding]:
    """Multicast is blocked: this node is master, and never heard a peer that was there before it.

    A backup is silent, so that a master hears nobody is no fault in itself. But keepalived-vip starts as a backup: a
    node that started later than a peer whose controller is ready must have heard whoever was master then.
    """
    chosen, kube, own = seen.snapshot.chosen_keepalived, seen.snapshot.kube, own_node(seen)
    if chosen is None or kube is None or own is None or seen.snapshot.advertisers is None:
        return
    before = [p for p in (kube.pods or {}).values() if _there_first(p, own.name, chosen.started)]
    for router in routers(seen):
        if not before or not router.own_live or router.others or _heard_anything(router):
            continue
        yield Finding(
            "multicast-blocked",
            Severity.CRITICAL,
            f"This node is master of {router.instance.name} and never heard another one: adverts do not arrive here",
            (
                f"own adverts on {router.instance.interface}, none of another node (adverts)",
                "advert_rcvd is 0 since keepalived's start (keepalived's counters)",
                f"ready before that: {listed(f'{p.name} on {p.node}' for p in before)} (Kubernetes)",
            ),
            "tcpdump -ni any 'ip proto 112'  # on the other nodes: are they masters as well? Something blocks "
            "224.0.0.18 (CNI, firewall); or use unicast (keepalived-vip: --use-unicast)",
            router.instance.name,
            router.vips,
        )


def _there_first(pod: Pod, own: str, started: float) -> bool:
    there = pod.controller and pod.ready and pod.node not in (None, own)
    return there and pod.started is not None and pod.started < started - EARLIER


def _heard_anything(router: Router) -> bool:
    counters = router.view.counters
    return counters is None or counters.get("advert_rcvd", 1) > 0


RULES = (
    Rule(peers_unheard, PASSING),
    Rule(node_address_missing, PASSING),
    Rule(controller_pod, ROLLOUT),
    Rule(missing_right, PASSING),
)
