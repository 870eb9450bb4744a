"""All nodes → one view with conclusions; remembers how long each condition has held."""

from __future__ import annotations

from kvtui.model.cluster import ClusterNode, ClusterView
from kvtui.rules.cluster.comparison import differences
from kvtui.rules.cluster.findings import findings, hold_seconds
from kvtui.rules.cluster.hearing import hearing
from kvtui.rules.cluster.routers import heard_nodes, routers
from kvtui.rules.triage.rule import ConditionHistory

TRANSIENT = frozenset({"cluster-two-owners", "cluster-no-owner", "cluster-one-way-hearing", "cluster-drain-split",
                       "cluster-config-split"})  # fmt: skip
"""Findings that can be transient during an election, or during a reload or drain on all nodes."""


class ClusterRules:
    """The views of one cluster. ``pending`` is True while a condition holds that is not a finding yet."""

    def __init__(self, ignore: frozenset[str] = frozenset()) -> None:
        self._ignore = ignore
        self._history = ConditionHistory()
        self.pending = False

    def view(self, nodes: tuple[ClusterNode, ...], now: float) -> ClusterView:
        found_routers = routers(nodes)
        heard = hearing(nodes, found_routers)
        differing = tuple(differences(nodes, found_routers))
        found = findings(nodes, found_routers, heard, differing)
        conditions = tuple(f for f in found if f.id not in self._ignore)
        self._history.fold(now, frozenset((f.id, f.object) for f in conditions))
        hold = hold_seconds(found_routers)
        confirmed = [
            f for f in conditions if f.id not in TRANSIENT or self._history.held((f.id, f.object), now) >= hold
        ]
        self.pending = len(confirmed) < len(conditions)
        confirmed.sort(key=lambda f: f.severity.rank)
        every = (*nodes, *heard_nodes(found_routers))
        return ClusterView(now, every, found_routers, heard, differing, tuple(confirmed))
