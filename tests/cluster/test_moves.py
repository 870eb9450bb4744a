"""The steps of `failover --to`, with and without preemption."""

from __future__ import annotations

from typing import Any

import pytest

from kvtui.cli.all_nodes import RefusedError, moves
from kvtui.rules.cluster.view import ClusterRules
from tests.kit.cluster import node, peer, silent


def words(target: int, *, best: int = 105, unknown: bool = False, **backup: Any) -> list[tuple[str, str]]:
    """Returns (node, command) of each step; node 5 is master, 3 and 4 are backups."""
    nodes = [
        node(3, peers=(peer(5),), **backup),
        node(4, peers=(peer(5),), **backup),
        node(5, "MASTER", effective_priority=best),
    ]
    view = ClusterRules().view((*nodes, *([silent(6)] if unknown else [])), 1000.0)
    return [(p.node, " ".join((*p.options, *p.words))) for p in moves(view.routers[0], f"node-{target}")]


def test_a_node_that_may_preempt_gets_a_higher_priority() -> None:
    assert words(3) == [("node-3", "priority vips 106")]
    assert words(3, effective_priority=93) == [("node-3", "priority vips 116")]  # a script takes 10


def test_with_nopreempt_the_master_fails_over_with_the_peers_priorities() -> None:
    assert words(3, nopreempt=True) == [
        ("node-3", "priority vips 254"),
        ("node-5", "--peers 10.4.0.3=254,10.4.0.4=104 failover vips"),
    ]
    assert words(3, nopreempt=True, effective_priority=108)[0] == ("node-3", "priority vips 249")  # a script adds 5
    assert words(3, nopreempt=True, effective_priority=93)[1][1].startswith(
        "--peers 10.4.0.3=244,"
    )  # a script takes 10


def test_with_nopreempt_a_master_of_priority_254_can_be_replaced() -> None:
    assert words(3, best=254, nopreempt=True)[0] == ("node-3", "priority vips 254")


def test_a_node_that_is_certainly_next_keeps_its_priority() -> None:
    assert words(4, nopreempt=True) == [("node-5", "--peers 10.4.0.3=103,10.4.0.4=104 failover vips")]
    assert len(words(4, nopreempt=True, unknown=True)) == 2


def test_a_node_that_cannot_become_master() -> None:
    assert words(5) == []
    with pytest.raises(RefusedError, match="node-3 is FAULT: it cannot become master"):
        words(3, state="FAULT")
    with pytest.raises(RefusedError, match="node-3 would need priority 255"):
        words(3, best=254)
