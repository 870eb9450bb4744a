"""Runs lab tests inside the lab's kernel and reports their results as the host session's own.

On the host (`HostBridge`) the lab tests go to one or more kernels (`KVTUI_LAB_KERNELS`). In each of them a second
pytest runs what it is given (`GuestReporter`). A kernel gets its next test when the one before begins, so that all
kernels finish together. `pytest tests/lab/test_x.py -k foo` just works, and a test that fails inside fails outside.

Why not pytest-xdist: its workers are processes of one machine and do not boot a kernel, and it does not know which
cluster a test needs and which kernel has that cluster already.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cpu import PROPERTY
from tests.lab.deal import Deal, Task
from tests.lab.guest import IN_LAB, Guest
from tests.lab.reporter import GuestReporter
from tests.lab.wanted import wanted_cluster

TEST_TIME = 600.0  # seconds for one test, set-up included, until it hangs: the machine may be busy
USUAL, LONG = 8.0, 30.0  # seconds that a test counts for which never ran here; LONG with a timeout of its own
CACHE = "lab/seconds"  # node id -> seconds, of the last runs, in pytest's cache
LOOK = 0.05  # seconds between looks at what the kernels report
MAX_PANICS = 2  # of user-mode Linux, in a run: more of them are no accident


class HostBridge:
    """The plugin on the outside."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self._panics: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run the lab tests in kernels, then the others here; pytest's own loop runs where there is nothing to boot.

        pytest-cov wraps this: the kernels have ended before it combines its data files.
        """
        lab = [item for item in session.items if item.get_closest_marker("lab")]
        broken = session.testsfailed and not self.config.option.continue_on_collection_errors
        if not lab or broken or self.config.option.collectonly:
            return None
        run = LabRun(session, lab)
        try:
            run.run()
        finally:
            run.close()
            self._panics += run.panics
        others = [item for item in session.items if not item.get_closest_marker("lab")]
        for number, item in enumerate(others, 1):
            following = others[number] if number < len(others) else None
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            stop_if_asked(session)
        return True

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell of each kernel that crashed, and what ran anew."""
        for text in self._panics:
            terminalreporter.section("a kernel of the lab crashed; another one ran its tests")
            terminalreporter.write_line(text)


class LabRun:
    """One run of lab tests on some kernels."""

    def __init__(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        self.session = session
        self.items = {item.nodeid: item for item in items}
        self._left = dict(self.items)
        self._reports: dict[str, list[pytest.TestReport]] = {}
        self._seconds: dict[str, float] = {}
        self._cache = getattr(session.config, "cache", None)  # absent under `-p no:cacheprovider`
        if self._cache is not None:
            self._seconds.update(self._cache.get(CACHE, {}))
        self._deal = Deal(self._task(item) for item in items)
        count = min(len(items), max(1, int(os.environ.get("KVTUI_LAB_KERNELS", "1"))))
        self._guests = [Guest(session.config, number, self.items) for number in range(1, count + 1)]
        self.panics: list[str] = []

    def _task(self, item: pytest.Item) -> Task:
        seconds = self._seconds.get(item.nodeid)
        if seconds is None:
            arguments = {name: value for mark in item.iter_markers("lab") for name, value in mark.kwargs.items()}
            seconds = arguments.get("seconds", LONG if "timeout" in arguments else USUAL)
        return Task(item.nodeid, wanted_cluster(item) or item.path, seconds)

    def run(self) -> None:
        """Give out tests and report what comes back, until each test is reported."""
        while self._left:
            served = [self._serve(guest) for guest in self._guests]  # each of them, not only up to the first
            if not any(served):
                if all(guest.failure is not None for guest in self._guests):
                    self._give_up()
                time.sleep(LOOK)
            stop_if_asked(self.session)
        for guest in self._guests:
            guest.finish()
        if self._cache is not None:
            self._cache.set(CACHE, self._seconds)

    def _serve(self, guest: Guest) -> bool:
        """Give this kernel its next test and report what it did; returns whether there was something to report."""
        while guest.needs_test:
            task = self._deal.take(guest.number)
            guest.give(task.nodeid if task else None, self._deal.one_of_each())
        events = guest.events(self._limit(guest))
        for event in events:
            if event["event"] == "report":
                self._reports.setdefault(event["nodeid"], []).append(self._revive(event["data"]))
            elif event["event"] == "finish":
                last = self._reports[event["nodeid"]][-1]
                last.user_properties.append((PROPERTY, guest.cpu_taken[event["nodeid"]]))
                self._report(event["nodeid"])
        if guest.has_panicked and guest.unfinished and len(self.panics) < MAX_PANICS:
            self._replace(guest)
        elif guest.failure is not None and guest.unfinished:
            self._lose(guest)
        return bool(events)

    def _limit(self, guest: Guest) -> float:
        """Seconds that the test which runs may take without an event."""
        marks = self.items[guest.unfinished[0]].iter_markers("lab") if guest.unfinished else ()
        return max([TEST_TIME, *(float(mark.kwargs["timeout"]) for mark in marks if "timeout" in mark.kwargs)])

    def _replace(self, guest: Guest) -> None:
        """Let another kernel run the tests of one that crashed."""
        self.panics.append("\n".join([*guest.unfinished, str(guest.failure)]))
        other = Guest(self.session.config, max(g.number for g in self._guests) + 1, self.items)
        self._guests[self._guests.index(guest)] = other
        for nodeid in guest.unfinished:
            self._reports.pop(nodeid, None)  # such as of its set-up
            other.give(nodeid)
        guest.kernel.close()

    def _lose(self, guest: Guest) -> None:
        """Report that the tests of a kernel that failed did not run; the other kernels go on."""
        for nodeid in guest.unfinished:
            why = str(guest.failure) if nodeid in {guest.started, guest.unfinished[0]} else f"Not run. {guest.failure}"
            self._reports.setdefault(nodeid, []).append(failed_report(self.items[nodeid], why))
            self._report(nodeid)
        guest.unfinished.clear()

    def _give_up(self) -> None:
        """Report all tests that are left as failed: no kernel runs any more."""
        for nodeid, item in list(self._left.items()):
            self._reports.setdefault(nodeid, []).append(failed_report(item, f"Not run. {self._guests[-1].failure}"))
            self._report(nodeid)

    def _report(self, nodeid: str) -> None:
        """Hand a finished test's reports to pytest as if it had run here."""
        item = self._left.pop(nodeid)
        item.ihook.pytest_runtest_logstart(nodeid=nodeid, location=item.location)
        reports = self._reports.pop(nodeid, [])
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=nodeid, location=item.location)
        self._seconds[nodeid] = round(sum(report.duration for report in reports), 1)

    def _revive(self, data: dict[str, Any]) -> pytest.TestReport:
        if isinstance(data["longrepr"], list):  # a skip's file, line and reason; JSON knows no tuples
            data["longrepr"] = tuple(data["longrepr"])
        config = self.session.config
        report = config.hook.pytest_report_from_serializable(config=config, data=data)
        assert isinstance(report, pytest.TestReport)
        report.user_properties = [(name, value) for name, value in report.user_properties]
        return report

    def close(self) -> None:
        """Stop the kernels and remove their folders."""
        for guest in self._guests:
            guest.kernel.close()


def stop_if_asked(session: pytest.Session) -> None:
    """End as pytest's own loop does, for -x and --maxfail."""
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


def failed_report(item: pytest.Item, why: str) -> pytest.TestReport:
    """Make the report of a test that could not run."""
    return pytest.TestReport(item.nodeid, item.location, {"lab": 1}, "failed", why, "call")


def plugin_for(config: pytest.Config) -> GuestReporter | HostBridge:
    """Choose the side."""
    if os.environ.get(IN_LAB):
        return GuestReporter(config, Path(os.environ["LAB_OUT"]))
    return HostBridge(config)
