"""Fixtures: a cluster (the pretended one, or a real one), and what kvtui sees of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.kube.cluster import FakeCluster
from tests.kube.real import RealCluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def fake() -> Iterator[FakeCluster]:
    """The pretended cluster, empty: for what nobody may do to a real one."""
    with FakeCluster(bookmark_every=0.2) as cluster:
        yield cluster


@pytest.fixture
def cluster() -> Iterator[FakeCluster | RealCluster]:
    """The cluster of ``KVTUI_TEST_KUBECONFIG`` where that is set, else the pretended one."""
    path = os.environ.get("KVTUI_TEST_KUBECONFIG")
    with RealCluster(path) if path else FakeCluster() as chosen:
        yield chosen
