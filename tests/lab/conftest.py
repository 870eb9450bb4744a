"""Lab tests and their fixtures run inside the lab's own kernel (bridge.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.bridge import plugin_for
from tests.lab.cluster import Cluster
from tests.lab.deal import CLUSTERS_KEPT
from tests.lab.reporter import CLUSTERS
from tests.lab.spec import ClusterSpec
from tests.lab.zygote import ZYGOTE

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

    MakeCluster = Callable[[ClusterSpec], Cluster]


def pytest_configure(config: pytest.Config) -> None:
    """Registers the host's or the guest's side of the bridge."""
    config.pluginmanager.register(plugin_for(config), "kvtui-lab")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Marks each test of this folder as a lab test."""
    if item.get_closest_marker("lab") is None:
        item.add_marker(pytest.mark.lab)


class Clusters:
    """Keeps clusters for later tests with an equal spec; removes the least recently used one first."""

    def __init__(self) -> None:
        self._built: dict[ClusterSpec, Cluster] = {}
        self._prefixes = ["", *(f"c{number}-" for number in range(2, CLUSTERS_KEPT + 1))]

    def get(self, spec: ClusterSpec) -> Cluster:
        """Returns a cluster of this spec in its initial state."""
        cluster = self._built.pop(spec, None)
        if cluster is not None:
            cluster.heal()
            if cluster.has_stuck_connections():  # only a new network namespace has an empty connection table
                self._remove(cluster)
                cluster = None
        if cluster is None:
            cluster = self._build(spec)
        self._built[spec] = cluster  # most recently used
        return cluster

    def _build(self, spec: ClusterSpec) -> Cluster:
        if not self._prefixes:
            oldest = next(iter(self._built))
            self._remove(self._built.pop(oldest))
        cluster = Cluster(spec, prefix=self._prefixes.pop(0))
        try:
            cluster.up()
        except BaseException:
            self._remove(cluster)
            raise
        return cluster

    def _remove(self, cluster: Cluster) -> None:
        cluster.down()
        self._prefixes.insert(0, cluster.network.prefix)

    def keep_only(self, specs: Container[ClusterSpec | None]) -> None:
        """Take down all others."""
        for spec in [spec for spec in self._built if spec not in specs]:
            self._remove(self._built.pop(spec))

    def close(self) -> None:
        """Removes all clusters."""
        for cluster in self._built.values():
            cluster.down()


@pytest.fixture(scope="session")
def clusters(pytestconfig: pytest.Config) -> Iterator[Clusters]:
    """All clusters of the session."""
    kept = Clusters()
    pytestconfig.stash[CLUSTERS] = kept
    yield kept
    kept.close()
    ZYGOTE.close()


@pytest.fixture
def make_cluster(clusters: Clusters) -> MakeCluster:
    """Returns the function that gives a cluster for a spec. Equal specs share a cluster, healed between tests."""
    return clusters.get


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder for kvtui's journal."""
    return tmp_path / "state"


@pytest.fixture
def cluster(clusters: Clusters) -> Cluster:
    """The default cluster: three nodes, multicast, preemption, direct routing, traffic; node-c is MASTER."""
    return clusters.get(ClusterSpec())
