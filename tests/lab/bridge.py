"""Runs lab tests inside the lab's kernel and replays their results as the host session's own.

On the host (`HostBridge`) the first lab test boots one kernel, in which a second pytest runs exactly the tests that
were selected, in the same order. On the inside (`GuestReporter`) every report is written as a line of JSON as soon as
it exists. So `pytest tests/lab/test_x.py -k foo` just works, and a test that fails inside fails outside.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.kernel import Kernel, LabError

if TYPE_CHECKING:
    from collections.abc import Generator

IN_LAB = "KVTUI_IN_LAB"
REPORTS, SELECTED = "reports.jsonl", "selected.txt"
BOOT_TIME = 120.0  # seconds until the first test starts, on a busy machine
TEST_TIME = 180.0  # seconds for one test, set-up included; `@pytest.mark.lab(timeout=…)` gives more
END_TIME = 60.0


class GuestReporter:
    """The plugin on the inside: one line for each event, flushed through to the host."""

    def __init__(self, config: pytest.Config, out: Path) -> None:
        self.config = config
        self._file = (out / REPORTS).open("a")

    def _write(self, **event: object) -> None:
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())  # hostfs keeps pages back until then

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write(event="start", nodeid=nodeid)

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


class HostBridge:
    """The plugin on the outside."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.kernel: Kernel | None = None
        self.failure: str | None = None  # why no further lab test can run
        self._reports: dict[str, list[dict[str, Any]]] = {}
        self._finished: set[str] = set()
        self._broken: list[str] = []
        self._offset = 0
        self._last_event = 0.0

    # --- pytest's hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Take lab tests out of the host's hands; everything else runs as ever."""
        if item.get_closest_marker("lab") is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._run(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Take the kernel down before pytest-cov, which wraps this wrapper, combines its data files."""
        try:
            result = yield
            self._finish()
        finally:
            if self.kernel is not None:
                self.kernel.close()
        return result

    # --- one test

    def _run(self, item: pytest.Item) -> list[pytest.TestReport]:
        if self.kernel is None and self.failure is None:
            self._boot(item.session)
        if self.failure is None:
            self._wait_for(item)
        elif item.nodeid not in self._finished:
            return [failed_report(item, f"Not run. {self.failure}")]
        reports = [self._revive(data) for data in self._reports.pop(item.nodeid, [])]
        if item.nodeid not in self._finished:
            reports.append(failed_report(item, str(self.failure)))
        return reports

    def _revive(self, data: dict[str, Any]) -> pytest.TestReport:
        if isinstance(data["longrepr"], list):  # a skip's file, line and reason; JSON knows no tuples
            data["longrepr"] = tuple(data["longrepr"])
        report = self.config.hook.pytest_report_from_serializable(config=self.config, data=data)
        assert isinstance(report, pytest.TestReport)
        report.user_properties = [(name, value) for name, value in report.user_properties]
        return report

    def _boot(self, session: pytest.Session) -> None:
        selected = [item.nodeid for item in session.items if item.get_closest_marker("lab")]
        files = {SELECTED: "".join(f"{nodeid}\n" for nodeid in selected)}
        self.kernel = Kernel(guest_command(self.config), env={IN_LAB: "1"}, cwd=self.config.rootpath, files=files)
        try:
            self.kernel.start()
        except LabError as error:
            self.failure = str(error)
            self.kernel = None
        self._last_event = time.monotonic()

    def _wait_for(self, item: pytest.Item) -> None:
        """Read events until this test has finished; when the kernel is gone or hangs, say why."""
        marker = item.get_closest_marker("lab")
        limit = float(marker.kwargs.get("timeout", TEST_TIME)) if marker else TEST_TIME
        self._last_event = max(self._last_event, time.monotonic())
        assert self.kernel is not None
        while item.nodeid not in self._finished:
            alive = self.kernel.alive()  # asked first: what it wrote before its end is read below
            if self._read_events():
                continue
            if not alive:
                self._fail("The lab's kernel has stopped before this test was done.")
            elif time.monotonic() - self._last_event > (limit if self._offset else limit + BOOT_TIME):
                self._fail(f"The lab did nothing for {limit:g} s: the test or its kernel hangs.")
            else:
                time.sleep(0.1)
                continue
            return

    def _fail(self, why: str) -> None:
        assert self.kernel is not None
        self.failure = "\n".join([why, *self._broken, self.kernel.console_tail()])
        self.kernel.stop()

    def _read_events(self) -> bool:
        assert self.kernel is not None
        path = self.kernel.out / REPORTS
        if not path.exists():
            return False
        with path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().rpartition(b"\n")[0].splitlines()
        for line in lines:
            self._offset += len(line) + 1
            self._take(json.loads(line))
        return bool(lines)

    def _take(self, event: dict[str, Any]) -> None:
        self._last_event = time.monotonic()
        if event["event"] == "report":
            self._reports.setdefault(event["nodeid"], []).append(event["data"])
        elif event["event"] == "finish":
            self._finished.add(event["nodeid"])
        elif event["event"] == "broken":
            self._broken.append(event["text"])

    # --- the end

    def _finish(self) -> None:
        """Let the guest's pytest end in peace: session fixtures are torn down, coverage is written."""
        if self.kernel is None or self.failure is not None:
            return
        try:
            status = self.kernel.wait(END_TIME)
        except LabError as error:
            pytest.exit(f"The lab's kernel did not end well. {error}", returncode=1)
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            pytest.exit(f"The pytest inside the lab ended with {status}.\n{self.kernel.console_tail()}", returncode=1)
        self._keep_coverage()

    def _keep_coverage(self) -> None:
        """Put the guest's coverage data beside the host's, where pytest-cov looks for more to combine."""
        assert self.kernel is not None
        if (controller := coverage_controller(self.config)) is None:
            return
        data_file = Path(controller.cov.config.data_file).absolute()
        for found in self.kernel.out.glob(".coverage.*"):
            shutil.copy(found, data_file.with_name(f"{data_file.name}.lab{found.name.removeprefix('.coverage')}"))


def failed_report(item: pytest.Item, why: str) -> pytest.TestReport:
    """Make the report of a test that could not run."""
    return pytest.TestReport(item.nodeid, item.location, {"lab": 1}, "failed", why, "call")


def coverage_controller(config: pytest.Config) -> Any:
    """What measures coverage on the host, see pytest_cov.engine; None when nothing does."""
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    return controller if controller is not None and controller.cov is not None else None


def guest_command(config: pytest.Config) -> list[str]:
    """The pytest that runs inside: same interpreter and seed, in the order that the host chose."""
    python = [sys.executable]
    if (controller := coverage_controller(config)) is not None:
        python += ["-m", "coverage", "run", "--parallel-mode"]
        if controller.cov_source:
            python.append(f"--source={','.join(controller.cov_source)}")
    options = [
        "-p",
        "no:cacheprovider",
        "-q",
        "-rN",
        f"--tb={config.option.tbstyle}",
        f"--maxfail={config.option.maxfail or 0}",
        "--color=no",
    ]
    options += ["-v"] * max(0, config.option.verbose)
    if config.pluginmanager.hasplugin("_cov"):
        options.append("--no-cov")
    if config.pluginmanager.hasplugin("randomly"):
        options += ["--randomly-dont-reorganize", f"--randomly-seed={config.getoption('randomly_seed')}"]
    else:
        options += ["-p", "no:randomly"]
    return [*in_output_folder(), *python, "-m", "pytest", *options]


def in_output_folder() -> list[str]:
    """Begin a command whose coverage data and list of tests are in the output folder, which only the guest knows."""
    return ["sh", "-c", f'COVERAGE_FILE="$LAB_OUT/.coverage" exec "$@" "@$LAB_OUT/{SELECTED}"', "sh"]


def plugin_for(config: pytest.Config) -> GuestReporter | HostBridge:
    """Choose the side."""
    if os.environ.get(IN_LAB):
        return GuestReporter(config, Path(os.environ["LAB_OUT"]))
    return HostBridge(config)
