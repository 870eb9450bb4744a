"""The IPVS table that most tests of this folder read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ipvs.ipvsadm import ipvsadm
from tests.lab.ipvs.tables import NETNS, RULES, load, namespace

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def lab_pid() -> Iterator[int]:
    with namespace(NETNS) as pid:
        yield pid


@pytest.fixture
def pid(lab_pid: int) -> int:
    """Returns the PID of a process in a network namespace with an empty table."""
    ipvsadm(NETNS, "-C")
    return lab_pid


@pytest.fixture
def rules(pid: int) -> int:
    """Returns the same PID, with a table of every kind of rule."""
    load(RULES)
    return pid
