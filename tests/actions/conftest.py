"""Fixtures for tests of actions: a journal, and a runner that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import Runner

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


@pytest.fixture
def runner(journal: Journal) -> Runner:
    return Runner(journal)
