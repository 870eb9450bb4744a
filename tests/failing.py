"""``-p tests.failing``: writes the names of failed tests to the file of ``KVTUI_FAILED``, one per line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

VARIABLE = "KVTUI_FAILED"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        with Path(os.environ[VARIABLE]).open("a") as file:
            file.write(report.nodeid + "\n")
