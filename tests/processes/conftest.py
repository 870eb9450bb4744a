from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from tests.processes.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(psutil, "PROCFS_PATH", "/proc")  # put back afterwards
    return Machine(tmp_path)
