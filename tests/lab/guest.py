"""The host's side of a booted kernel with a pytest inside: gives it tests, reads its events, detects a hang."""

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
FORWARDED_VARIABLES = ("KVTUI_PROPERTY_SEED", "KVTUI_PROPERTY_STEPS")
BOOT_TIME = 300.0  # seconds until the first test starts, on a busy machine
END_TIME = 120.0


class Guest:
    """A kernel and the tests that the host gave it."""

    def __init__(self, config: pytest.Config, number: int, selected: Iterable[str]) -> None:
        self.config = config
        self.number = number
        self.failure: str | None = None  # why it can run no more tests
        self.has_ended = False  # the host has sent the end of the tests
        self.unfinished: list[str] = []  # node ids, the running one first
        self.started: str | None = None  # the node id of the latest test that started
        self.cpu_taken: dict[str, float] = {}  # node id -> seconds of CPU
        self._cpu = 0.0
        self._given = 0
        self._broken: list[str] = []
        self._offset = 0
        self._last_event = time.monotonic()
        files = {SELECTED: "".join(f"{nodeid}\n" for nodeid in selected)}
        env = {IN_LAB: "1"} | {name: os.environ[name] for name in FORWARDED_VARIABLES if name in os.environ}
        self.kernel = Kernel(guest_command(config), env=env, cwd=config.rootpath, files=files)
        try:
            self.kernel.start()
        except LabError as error:
            self.failure = str(error)

    @property
    def needs_test(self) -> bool:
        """Whether no test waits behind the running one."""
        waits = not self.unfinished or (len(self.unfinished) == 1 and self.started == self.unfinished[0])
        return self.failure is None and not self.has_ended and waits

    @property
    def has_panicked(self) -> bool:
        """Whether user-mode Linux crashed (6.12.113 once accessed unmapped memory in a fork)."""
        return self.failure is not None and "Kernel panic" in self.failure

    def give(self, nodeid: str | None, waiting: Iterable[str] = ()) -> None:
        """Gives the guest one more test (None ends the tests), and a waiting test for each cluster still needed."""
        self._given += 1
        path = next_file(self.kernel.out, self._given)
        temp = path.with_suffix(".new")
        temp.write_text("\n".join([nodeid or "", *waiting]))
        temp.replace(path)
        if nodeid is None:
            self.has_ended = True
        else:
            self.unfinished.append(nodeid)

    def events(self, limit: float) -> list[dict[str, Any]]:
        """Returns the events since the last call. After `limit` seconds without an event the guest has failed."""
        if self.failure is not None:
            return []
        alive = self.kernel.alive()  # checked first, so that the events before its end are read below
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
        """Stops the kernel and stores the reason with the guest's last output."""
        self.failure = "\n".join([why, *self._broken, self.kernel.console_tail()])
        self.kernel.stop()

    def finish(self) -> None:
        """Waits for the guest's pytest to end: it tears down session fixtures and writes coverage data."""
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
        """Copies the guest's coverage data beside the host's, where pytest-cov combines them."""
        if (controller := coverage_controller(self.config)) is None:
            return
        data_file = Path(controller.cov.config.data_file).absolute()
        for found in self.kernel.out.glob(".coverage.*"):
            name = f"{data_file.name}.lab{self.number}{found.name.removeprefix('.coverage')}"
            shutil.copy(found, data_file.with_name(name))


def coverage_controller(config: pytest.Config) -> Any:
    """Returns the host's coverage controller, see pytest_cov.engine; None without one."""
    controller = getattr(config.pluginmanager.get_plugin("_cov"), "cov_controller", None)
    return controller if controller is not None and controller.cov is not None else None


def guest_command(config: pytest.Config) -> list[str]:
    """Returns the command of the guest's pytest, with the same interpreter and seed."""
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
    """Returns a command's beginning that puts coverage data and the list of tests into the output folder ($LAB_OUT)."""
    return ["sh", "-c", f'COVERAGE_FILE="$LAB_OUT/.coverage" exec "$@" "@$LAB_OUT/{SELECTED}"', "sh"]
