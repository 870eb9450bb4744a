"""The pytest plugin in the lab's kernel: runs the tests that the host gives, and writes each event to a file at once.

The host gives a test by a file `next-N` in the output folder, N = 1, 2, …: a node id; an empty line is the end. Each
more line names a waiting test, one for each cluster that is still needed. A test starts when the next one is known,
because pytest keeps the fixtures that the next test needs.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.lab.wanted import wanted_cluster

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from tests.lab.spec import ClusterSpec


class Clusters(Protocol):
    """What a session has built."""

    def keep_only(self, specs: Container[ClusterSpec | None]) -> None:
        """Take down all others."""


CLUSTERS = pytest.StashKey[Clusters]()

REPORTS = "reports.jsonl"
POLL_SECONDS = 0.05  # between two checks for the next test


def next_file(out: Path, number: int) -> Path:
    """Returns the path of the file that names test `number`."""
    return out / f"next-{number}"


class GuestReporter:
    """The pytest plugin in the guest."""

    def __init__(self, config: pytest.Config, out: Path) -> None:
        self.config = config
        self._out = out
        self._number = 0
        self._needed: set[ClusterSpec | None] = set()
        self._file = (out / REPORTS).open("a")

    def _write(self, **event: object) -> None:
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())  # hostfs writes its pages only then

    def _next(self, items: dict[str, pytest.Item]) -> pytest.Item | None:
        """Waits for the next test from the host; None at the end."""
        self._number += 1
        path = next_file(self._out, self._number)
        while not path.exists():
            time.sleep(POLL_SECONDS)
        nodeid, *waiting = path.read_text().split("\n")
        self._needed = {wanted_cluster(items[name]) for name in waiting}
        return items[nodeid] if nodeid else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs tests until the host sends the end."""
        if session.testsfailed:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        items = {item.nodeid: item for item in session.items}
        self._write(event="ready")
        item = self._next(items)
        while item is not None:
            self._write(event="start", nodeid=item.nodeid)
            following = self._next(items)
            self._remove_clusters(item, following)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            item = following
        return True

    def _remove_clusters(self, *coming: pytest.Item | None) -> None:
        """Take down the clusters that no test needs any more: they cost CPU while they are there."""
        needed = self._needed | {wanted_cluster(item) for item in coming if item is not None}
        if CLUSTERS in self.config.stash:
            self.config.stash[CLUSTERS].keep_only(needed)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self._write(event="report", nodeid=report.nodeid, data=data)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._write(event="finish", nodeid=nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(event="broken", nodeid=report.nodeid, text=report.longreprtext)

    def pytest_unconfigure(self) -> None:
        self._file.close()
