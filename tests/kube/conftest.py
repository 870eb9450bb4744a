"""Fixtures: a fake cluster, or a real one."""

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
    """Starts an empty fake cluster, for tests that must not run on a real one."""
    with FakeCluster(bookmark_every=0.2) as cluster:
        yield cluster


@pytest.fixture
def cluster() -> Iterator[FakeCluster | RealCluster]:
    """Starts the fake cluster, or uses the real one of ``KVTUI_TEST_KUBECONFIG``."""
    path = os.environ.get("KVTUI_TEST_KUBECONFIG")
    with RealCluster(path) if path else FakeCluster() as chosen:
        yield chosen
