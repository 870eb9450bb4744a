"""Which steps `failover --to` takes, by what preemption allows."""

from __future__ import annotations

from typing import Any

import pytest

from kvtui.cli.all_nodes import RefusedError, moves
from kvtui.rules.cluster.view import ClusterRules
from tests.kit.cluster import node, peer, silent


def words(target: int, *, best: int = 105, unknown: bool = False, **backup: Any) -> list[tuple[str, str]]:
    """(Node, command) of each step; node 5 is master, 3 and 4 are backups."""
    nodes = [
        node(3, peers=(peer(5),), **backup),
        node(4, peers=(peer(5),), **backup),
        node(5, "MASTER", effective_priority=best),
    ]
    view = ClusterRules().view((*nodes, *([silent(6)] if unknown else [])), 1000.0)
    return [(p.node, " ".join((*p.options, *p.words))) for p in moves(view.routers[0], f"node-{target}")]


def test_where_it_may_preempt_it_is_raised() -> None:
    assert words(3) == [("node-3", "priority vips 106")]
    assert words(3, effective_priority=93) == [("node-3", "priority vips 116")]  # a script of weight -10 fails there


def test_with_nopreempt_the_master_leaves_too_and_learns_who_takes_over() -> None:
    assert words(3, nopreempt=True) == [
        ("node-3", "priority vips 254"),
        ("node-5", "--peers 10.4.0.3=254,10.4.0.4=104 failover vips"),
    ]
    assert words(3, nopreempt=True, effective_priority=108)[0] == ("node-3", "priority vips 249")  # a script adds 5
    assert words(3, nopreempt=True, effective_priority=93)[1][1].startswith("--peers 10.4.0.3=244,")  # one takes 10


def test_with_nopreempt_there_is_a_way_on_from_a_master_that_was_raised_before() -> None:
    assert words(3, best=254, nopreempt=True)[0] == ("node-3", "priority vips 254")


def test_who_is_next_for_sure_needs_no_other_priority() -> None:
    assert words(4, nopreempt=True) == [("node-5", "--peers 10.4.0.3=103,10.4.0.4=104 failover vips")]
    assert len(words(4, nopreempt=True, unknown=True)) == 2


def test_what_cannot_become_master() -> None:
    assert words(5) == []
    with pytest.raises(RefusedError, match="node-3 is FAULT: it cannot become master"):
        words(3, state="FAULT")
    with pytest.raises(RefusedError, match="node-3 would need priority 255"):
        words(3, best=254)
