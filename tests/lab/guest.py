"""A booted kernel with a pytest inside, as the host sees it: gives it tests, reads its events, sees that it hangs."""

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
from tests.lab.reporter import REPORTS, next_file

if TYPE_CHECKING:
    from collections.abc import Iterable

IN_LAB = "KVTUI_IN_LAB"
SELECTED = "selected.txt"
PASSED = ("KVTUI_PROPERTY_SEED", "KVTUI_PROPERTY_STEPS")
BOOT_TIME = 300.0  # seconds until the first test starts, on a busy machine
END_TIME = 120.0


class Guest:
    """A kernel and the tests that it has been given."""

    def __init__(self, config: pytest.Config, number: int, selected: Iterable[str]) -> None:
        self.config = config
        self.number = number
        self.failure: str | None = None  # why it runs no further test
        self.has_ended = False  # it was told that there are no more tests
        self.unfinished: list[str] = []  # node ids, the one that runs first
        self.started: str | None = None  # the node id of the latest test that has begun
        self.cpu_taken: dict[str, float] = {}  # node id -> seconds of CPU
        self._cpu = 0.0
        self._given = 0
        self._broken: list[str] = []
        self._offset = 0
        self._last_event = time.monotonic()
        files = {SELECTED: "".join(f"{nodeid}\n" for nodeid in selected)}
        env = {IN_LAB: "1"} | {name: os.environ[name] for name in PASSED if name in os.environ}
        self.kernel = Kernel(guest_command(config), env=env, cwd=config.rootpath, files=files)
        try:
            self.kernel.start()
        except LabError as error:
            self.failure = str(error)

    @property
    def needs_test(self) -> bool:
        """Whether the test that runs has nothing after it."""
        waits = not self.unfinished or (len(self.unfinished) == 1 and self.started == self.unfinished[0])
        return self.failure is None and not self.has_ended and waits

    @property
    def has_panicked(self) -> bool:
        """Whether user-mode Linux crashed: in a fork, 6.12.113 once touched memory that is not there."""
        return self.failure is not None and "Kernel panic" in self.failure

    def give(self, nodeid: str | None, waiting: Iterable[str] = ()) -> None:
        """Hand it one more test, or the end; and a waiting test for each cluster that is still needed."""
        self._given += 1
        path = next_file(self.kernel.out, self._given)
        draft = path.with_suffix(".new")
        draft.write_text("\n".join([nodeid or "", *waiting]))
        draft.replace(path)
        if nodeid is None:
            self.has_ended = True
        else:
            self.unfinished.append(nodeid)

    def events(self, limit: float) -> list[dict[str, Any]]:
        """Return what it wrote since the last call; after `limit` seconds without an event it has failed."""
        if self.failure is not None:
            return []
        alive = self.kernel.alive()  # asked first: what it wrote before its end is read below
        events = self._read()
        for event in events:
            self._note(event)
        if events:
            self._last_event = time.monotonic()
        elif not alive and self.unfinished:
            self.fail("The lab's kernel stopped before this test was done.")
        elif self.unfinished and time.monotonic() - self._last_event > (limit if self._offset else limit + BOOT_TIME):
            self.fail(f"The lab did nothing for {limit:g} s: the test or its kernel hangs.")
        return events

    def _note(self, event: dict[str, Any]) -> None:
        if event["event"] == "ready":
            self._cpu = self.kernel.cpu()
        elif event["event"] == "start":
            self.started = event["nodeid"]
        elif event["event"] == "finish":
            self.unfinished.remove(event["nodeid"])
            before, self._cpu = self._cpu, self.kernel.cpu()
            self.cpu_taken[event["nodeid"]] = round(self._cpu - before, 2)
        elif event["event"] == "broken":
            self._broken.append(event["text"])

    def _read(self) -> list[dict[str, Any]]:
        path = self.kernel.out / REPORTS
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offset)
            lines = file.read().rpartition(b"\n")[0].splitlines()
        self._offset += sum(len(line) + 1 for line in lines)
        return [json.loads(line) for line in lines]

    def fail(self, why: str) -> None:
        """Stop the kernel; the reason has what the guest printed last."""
        self.failure = "\n".join([why, *self._broken, self.kernel.console_tail()])
        self.kernel.stop()

    def finish(self) -> None:
        """Let the guest's pytest end in peace: session fixtures are torn down, coverage is written."""
        if self.failure is not None:
            return
        if not self.has_ended:
            self.give(None)
        try:
            status = self.kernel.wait(END_TIME)
        except LabError as error:
            pytest.exit(f"The lab's kernel did not end well. {error}", returncode=1)
        expected = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
        if status not in expected:
            pytest.exit(f"The pytest inside the lab ended with {status}.\n{self.kernel.console_tail()}", returncode=1)
        self._keep_coverage()

    def _keep_coverage(self) -> None:
        """Put the guest's coverage data beside the host's, where pytest-cov looks for more to combine."""
        if (controller := coverage_controller(self.config)) is None:
            return
        data_file = Path(controller.cov.config.data_file).absolute()
        for found in self.kernel.out.glob(".coverage.*"):
            name = f"{data_file.name}.lab{self.number}{found.name.removeprefix('.coverage')}"
            shutil.copy(found, data_file.with_name(name))


def coverage_controller(config: pytest.Config) -> Any:
    """Return what measures coverage on the host, see pytest_cov.engine; None when nothing does."""
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    return controller if controller is not None and controller.cov is not None else None


def guest_command(config: pytest.Config) -> list[str]:
    """Return the command of the pytest that runs inside: same interpreter, same seed."""
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
        "--color=no",
    ]
    options += ["-v"] * max(0, config.option.verbose)
    options += ["-p", "no:hypothesispytest"]
    options += ["-p", "no:pytest_cov"] if controller is None else ["--no-cov"]
    if config.pluginmanager.hasplugin("randomly"):
        options += ["--randomly-dont-reorganize", f"--randomly-seed={config.getoption('randomly_seed')}"]
    else:
        options += ["-p", "no:randomly"]
    return [*in_output_folder(), *python, "-m", "pytest", *options]


def in_output_folder() -> list[str]:
    """Begin a command whose coverage data and list of tests are in the output folder, which only the guest knows."""
    return ["sh", "-c", f'COVERAGE_FILE="$LAB_OUT/.coverage" exec "$@" "@$LAB_OUT/{SELECTED}"', "sh"]
