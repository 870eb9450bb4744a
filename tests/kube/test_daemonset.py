"""The nodes on which a DaemonSet should have a pod, and the container that kvtui reads."""

from __future__ import annotations

from typing import Any

import pytest

from kvtui.backend.kube.daemonset import is_wanted, pods_of

TERM = "requiredDuringSchedulingIgnoredDuringExecution"


def node(name: str = "n", labels: dict[str, str] | None = None, *taints: str) -> dict[str, Any]:
    """Returns a Node; a taint is ``key=value:effect``."""
    parts = [(t.partition("=")[0], *t.partition("=")[2].split(":")) for t in taints]
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"taints": [{"key": k, "value": v, "effect": e} for k, v, e in parts]},
    }


def affinity(*expressions: dict[str, Any], kind: str = "matchExpressions") -> dict[str, Any]:
    return {"affinity": {"nodeAffinity": {TERM: {"nodeSelectorTerms": [{kind: list(expressions)}]}}}}


@pytest.mark.parametrize(
    ("spec", "on", "wanted"),
    [
        ({}, node(), True),
        ({"nodeSelector": {"vip": "yes"}}, node(labels={"vip": "yes"}), True),
        ({"nodeSelector": {"vip": "yes"}}, node(labels={"vip": "no"}), False),
        ({}, node("n", {}, "role=x:NoSchedule"), False),
        ({}, node("n", {}, "role=x:PreferNoSchedule"), True),
        ({}, node("n", {}, "node.kubernetes.io/unschedulable=:NoSchedule"), True),
        ({}, node("n", {}, "node.kubernetes.io/network-unavailable=:NoSchedule"), False),
        ({"hostNetwork": True}, node("n", {}, "node.kubernetes.io/network-unavailable=:NoSchedule"), True),
        ({"tolerations": [{"operator": "Exists"}]}, node("n", {}, "role=x:NoExecute"), True),
        ({"tolerations": [{"key": "role", "value": "x"}]}, node("n", {}, "role=x:NoExecute"), True),
        ({"tolerations": [{"key": "role", "value": "y"}]}, node("n", {}, "role=x:NoExecute"), False),
        ({"tolerations": [{"key": "role", "operator": "Exists", "effect": "NoSchedule"}]},
         node("n", {}, "role=x:NoExecute"), False),
        (affinity({"key": "a", "operator": "In", "values": ["1", "2"]}), node(labels={"a": "2"}), True),
        (affinity({"key": "a", "operator": "NotIn", "values": ["1"]}), node(), True),
        (affinity({"key": "a", "operator": "DoesNotExist"}), node(labels={"a": ""}), False),
        (affinity({"key": "a", "operator": "Gt", "values": ["3"]}), node(labels={"a": "4"}), True),
        (affinity({"key": "a", "operator": "Lt", "values": ["3"]}), node(labels={"a": "x"}), False),
        (affinity({"key": "metadata.name", "operator": "In", "values": ["n"]}, kind="matchFields"), node(), True),
        (affinity(), node(), False),  # an empty term matches nothing
    ],
)  # fmt: skip
def test_where_a_pod_is_wanted(spec: dict[str, Any], on: dict[str, Any], wanted: bool) -> None:
    assert is_wanted(spec, on) is wanted


def pod(name: str, on: str, *containers: str, phase: str = "Running", uid: str = "u") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "lb", "ownerReferences": [{"uid": uid}]},
        "spec": {"nodeName": on, "containers": [{"name": c} for c in containers]},
        "status": {"phase": phase},
    }


def test_pods_by_node_and_nodes_without_a_pod() -> None:
    daemonset = {
        "metadata": {"uid": "u"},
        "spec": {"template": {"spec": {}}},
        "status": {"desiredNumberScheduled": 3, "currentNumberScheduled": 2},
    }
    pods = [
        pod("a", "n1", "keepalived", "kvtui"),
        pod("b", "n2", "init", "kube-keepalived-vip"),
        pod("evicted", "n3", "kvtui", phase="Failed"),
        pod("other", "n3", "kvtui", uid="v"),
    ]
    found = {"n1": {"host": "pod/lb/a/kvtui", "kvtui": True},
             "n2": {"host": "pod/lb/b/kube-keepalived-vip", "kvtui": False}}  # fmt: skip
    known = pods_of(daemonset, pods, [node("n1"), node("n2"), node("n3")], "kvtui")
    assert known == {"pods": found, "missing": ["n3"], "unnamed": 0}
    assert pods_of(daemonset, pods, [], "kvtui") == {"pods": found, "missing": [], "unnamed": 1}
