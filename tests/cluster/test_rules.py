"""The cluster view and findings from the reports of all nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.cluster import ClusterNode, ClusterView, Comparison, Heard, NodeState, ReportedHmac
from kvtui.presenters.cluster import NodeCells
from kvtui.rules.cluster.view import ClusterRules
from tests.kit.cluster import node, peer, silent

if TYPE_CHECKING:
    from kvtui.model.cluster import Hearing


def settled_view(*nodes: ClusterNode) -> ClusterView:
    """Returns the view after these reports were unchanged for a minute."""
    rules = ClusterRules()
    rules.view(nodes, 1000.0)
    return rules.view(nodes, 1060.0)


def ids(view: ClusterView) -> set[str]:
    """Returns the ids of the findings."""
    return {f.id for f in view.findings}


def cell(view: ClusterView, listener: int, speaker: int) -> Hearing:
    """Returns a cell of the hearing matrix."""
    return next(h for h in view.hearing if (h.listener, h.speaker) == (f"node-{listener}", f"node-{speaker}"))


def test_a_healthy_cluster_has_an_owner_the_next_in_line_and_no_finding() -> None:
    view = settled_view(node(3), node(4), node(5, "MASTER"))
    (router,) = view.routers
    assert router.masters == ("node-5",)
    assert router.next is not None
    assert (router.next.node, router.next.seconds, router.next.certain) == ("node-4", 3.6, True)
    assert cell(view, 3, 5).heard is Heard.HEARD
    assert cell(view, 5, 3).heard is Heard.SILENT
    assert not view.findings
    assert not view.differences


def test_next_in_line_is_not_certain_while_a_node_is_unknown() -> None:
    view = settled_view(node(3), node(5, "MASTER"), silent(4))
    follows = view.routers[0].next
    assert follows is not None
    assert (follows.node, follows.certain) == ("node-3", False)
    assert ids(view) == {"cluster-node-unknown"}


def test_one_way_loss_names_the_direction() -> None:
    view = settled_view(node(4, "MASTER", peers=(peer(5, 40.0),)), node(5, "MASTER", peers=(peer(4),)))
    assert ids(view) == {"cluster-two-owners", "cluster-one-way-hearing"}
    lost = cell(view, 4, 5)
    assert (lost.heard, lost.age) == (Heard.LOST, 40.0)
    assert "lost on the way" in lost.cause
    assert cell(view, 5, 4).heard is Heard.HEARD


def test_transient_states_of_an_election_are_not_reported() -> None:
    rules = ClusterRules()
    view = rules.view((node(4, "MASTER"), node(5, "MASTER", peers=(peer(4),))), 1000.0)
    assert not view.findings
    assert rules.pending


@pytest.mark.parametrize(
    ("listener", "speaker", "heard", "cause"),
    [
        ({"vrid": 51}, {}, Heard.LOST, "virtual_router_id differs: 50 on node-5, 51 on node-4"),
        ({}, {"unicast_peers": ("10.4.0.3",)}, Heard.LOST, "unicast_peer on node-5 lacks 10.4.0.4"),
        ({"unicast_peers": ("10.4.0.5",)}, {}, Heard.LOST, "node-5 sends multicast, node-4 expects unicast"),
        ({"peers": (peer(5),), "version": 2}, {}, Heard.REJECTED, "VRRP versions differ: 3 on node-5, 2 on node-4"),
        ({"peers": (peer(5),)}, {"auth_hmac": ReportedHmac("enforce", 1)}, Heard.REJECTED, "auth_hmac differs"),
        ({"peers": (peer(5),)}, {}, Heard.REJECTED, "its keepalived does not take them"),
    ],
    ids=["vrid", "unicast peer", "multicast", "version", "hmac", "firewall"],
)
def test_the_cause_of_a_lost_or_rejected_advert(
    listener: dict[str, Any], speaker: dict[str, Any], heard: Heard, cause: str
) -> None:
    view = settled_view(node(4, "MASTER", **listener), node(5, "MASTER", **{"peers": (peer(4),)} | speaker))
    found = cell(view, 4, 5)
    assert found.heard is heard
    assert cause in found.cause
    assert found.remedy


def test_a_missing_owner_is_reported_only_where_no_node_may_be_master() -> None:
    assert "cluster-no-owner" in ids(settled_view(node(3, peers=()), node(4, peers=())))
    assert "cluster-no-owner" not in ids(settled_view(node(3), node(4)))  # an unqueried node may be master
    late = replace(node(5, "MASTER"), state=NodeState.LATE)
    assert "cluster-no-owner" not in ids(settled_view(node(4, peers=()), late))  # it may still be master


def test_ties() -> None:
    view = settled_view(node(3, effective_priority=150), node(4, effective_priority=150), node(5, "MASTER"))
    assert [f.title for f in view.findings if f.id == "cluster-tie"] == [
        "vips: node-3, node-4 have the same priority 150"
    ]


def test_a_node_known_only_from_adverts_is_listed_and_not_counted() -> None:
    view = settled_view(node(4, peers=(peer(9, 0.4), peer(8, 70.0))))
    assert [(n.name, n.state) for n in view.nodes[1:]] == [("10.4.0.8", NodeState.HEARD), ("10.4.0.9", NodeState.HEARD)]
    assert view.nodes[2].detail == "vips MASTER 109: known from its adverts only (heard by node-4)"
    assert "silent for 70 s" in view.nodes[1].detail
    assert not view.routers[0].masters
    assert [c.text for c in NodeCells(view, "-", "*").cells(view.nodes[2])[:3]] == [
        "10.4.0.9", "heard", view.nodes[2].detail,
    ]  # fmt: skip


def test_a_node_without_its_daemonset_pod_is_a_finding() -> None:
    missing = ClusterNode("node-6", NodeState.MISSING, "daemonset/lb/vip has no pod on this node")
    view = settled_view(node(4), node(5, "MASTER"), missing)
    assert [f.title for f in view.findings] == ["node-6 should have a keepalived pod and has none"]
    assert view.routers[0].next is not None
    assert view.routers[0].next.certain  # no keepalived runs there


def test_findings_that_the_operator_ignores() -> None:
    view = ClusterRules(frozenset({"cluster-node-unknown"})).view((node(5, "MASTER"), silent(4)), 1000.0)
    assert not view.findings


def test_differences_name_the_nodes_and_the_lines() -> None:
    same: dict[str, Any] = {"kvtui": "1", "ipvs_digest": "d"}
    one = Comparison(config_hash="a", config=("x: 1", "both"), drained=("V -> R",), sysctls={"n": 1, "m": 1}, **same)
    other = Comparison(config_hash="b", config=("x: 2", "both"), drained=(), sysctls={"n": 0}, **same)
    view = settled_view(node(3, comparison=one), node(4, comparison=one), node(5, "MASTER", comparison=other))
    differences = {(d.kind, d.what): {v.value: v.nodes for v in d.values} for d in view.differences}
    assert differences == {
        ("config", "x: 1"): {"yes": ("node-3", "node-4"), "": ("node-5",)},
        ("config", "x: 2"): {"yes": ("node-5",), "": ("node-3", "node-4")},
        ("sysctl", "n"): {"1": ("node-3", "node-4"), "0": ("node-5",)},
        ("drained", "V -> R"): {"drained": ("node-3", "node-4"), "": ("node-5",)},
    }
    assert ids(view) == {"cluster-config-split", "cluster-drain-split"}


def test_instances_are_grouped_by_their_vips_even_with_different_vrids() -> None:
    view = settled_view(node(4, "MASTER", vrid=51), node(5, "MASTER", peers=(peer(4),)))
    assert [r.vrids for r in view.routers] == [(50, 51)]
    assert "cluster-vrid-mismatch" in ids(view)


def test_long_configs_are_compared_by_their_hash() -> None:
    one, other = (Comparison(kvtui="1", config_hash=h, ipvs_digest="d", drained=()) for h in "ab")
    view = settled_view(node(4, comparison=one), node(5, "MASTER", comparison=other))
    (difference,) = view.differences
    assert (difference.kind, {v.value for v in difference.values}) == ("config", {"a", "b"})
