"""`make test`: runs linters, mypy and all tests in parallel, within CI's time limit on two cores.

The lab's tests share kernels (tests/lab/bridge.py). A kernel is idle for most of its time, so there are more kernels
than cores. All other groups run at the same time with a lower priority: an election must not wait for a linter.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from tests import failing
from tests.cpu import PROPERTY
from tests.lab.release import KERNEL_VARIABLE, VARIABLE, Release, machine

PROJECT = Path(__file__).parents[1]
KERNELS_PER_CORE = 2
"""A kernel takes about 8 s of CPU before its first test, and 3 s for each cluster that it builds."""
FAST_KERNEL = "13"
"""Debian release whose kernel takes a third less time than Debian 12's."""
AT_ONCE = 6
"""Number of groups that run at the same time as the lab."""
SCREENS = sorted(str(path.relative_to(PROJECT)) for path in PROJECT.glob("tests/ui/test_*.py"))
SEPARATE_GROUPS = {
    "screens": SCREENS[::2],
    "screens-2": [*SCREENS[1::2], "tests/demo", "tests/output"],
    "commands": ["tests/cli", "tests/kube", "tests/cluster", "tests/docs"],
    "fuzz": ["tests/fuzz"],
}
"""Two thirds of the unit tests in separate groups. A single process of unit tests ended minutes after all others, and
a single one of the screens two minutes after the lab."""
FUZZ_EXAMPLES = "KVTUI_FUZZ_EXAMPLES"
ENVIRONMENT = {"fuzz": {FUZZ_EXAMPLES: os.environ.get(FUZZ_EXAMPLES, "1000")}}
"""Fuzzing takes a minute of CPU: 100 examples of each reader take 8 s."""
NICE = 10
COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")
MAX_COSTS = 40
"""Number of the most expensive tests whose cost is printed."""
MAX_RERUNS = 4
"""Up to this many failed tests of a group run again, alone, and are named: four kernels on two cores sometimes starve
each other. A group has failed if a test fails again or if more tests failed."""
FAILED, NO_TESTS = 1, 5
"""pytest's exit codes for failed tests and for no selected tests."""
PYTEST = (sys.executable, "-m", "pytest")


@dataclass
class Group:
    """A command that runs in parallel with others."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    nice: int = NICE
    good: tuple[int, ...] = (0,)
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def log(self) -> Path:
        """The file with the command's output."""
        return PROJECT / ".lab" / f"{self.name}.log"

    @property
    def times(self) -> Path:
        """The JUnit XML file with the cost of each test; pytest groups only."""
        return times_file(self.name)

    @property
    def failed_tests(self) -> list[str]:
        path = failed_file(self.name)
        return list(dict.fromkeys(path.read_text().splitlines())) if path.exists() else []

    def start(self) -> None:
        self.began = time.monotonic()
        self.log.parent.mkdir(exist_ok=True)
        self.times.unlink(missing_ok=True)
        failed_file(self.name).unlink(missing_ok=True)
        command = ["nice", "-n", str(self.nice), *self.command]
        environment = {**os.environ, **self.environment}
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT, env=environment)

    def has_ended(self) -> bool:
        """Returns whether the command has ended; then sets its elapsed seconds and its CPU seconds."""
        before = cpu_of_ended_children()
        if self.process is None or self.process.poll() is None:
            return False
        self.seconds = time.monotonic() - self.began
        self.cpu = cpu_of_ended_children() - before
        return True

    def stop(self) -> None:
        """Ends the command early."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()

    @property
    def has_failed(self) -> bool:
        """Whether the command ended with an error or did not end."""
        return self.process is None or self.process.returncode not in self.good

    def costs(self) -> Counter[str]:
        """Returns test → CPU seconds, see tests/cpu.py."""
        taken: Counter[str] = Counter()
        if self.times.exists():
            for case in ET.parse(self.times).iter("testcase"):  # noqa: S314 - written by pytest
                name = f"{case.get('classname', '').rpartition('.test_')[2]}::{case.get('name')}"
                for found in case.iter("property"):
                    if found.get("name") == PROPERTY:
                        taken[name] += float(found.get("value", "0"))  # type: ignore[assignment] # a Counter of seconds
        return taken


def per_file(costs: Counter[str]) -> Counter[str]:
    """Returns the sum of the tests' costs for each file."""
    total: Counter[str] = Counter()
    for name, cost in costs.items():
        total[name.partition("::")[0]] += cost
    return total


def times_file(name: str) -> Path:
    """Returns the file to which pytest writes the costs of this group's tests."""
    return PROJECT / ".lab" / f"{name}.xml"


def failed_file(name: str) -> Path:
    return PROJECT / ".lab" / f"{name}.failed"


def cpu_of_ended_children() -> float:
    """Returns the CPU seconds of all children waited for so far, see getrusage(2)."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def pytest_group(name: str, *arguments: str, nice: int = NICE, **environment: str) -> Group:
    """Returns a group of tests."""
    command = [*PYTEST, f"--junitxml={times_file(name)}", "-p", failing.__name__, *arguments]
    return Group(name, command, {**environment, failing.VARIABLE: str(failed_file(name))}, nice)


def lab_groups(more: list[str], *, full: bool) -> list[Group]:
    """Returns the groups of lab tests: all on one Debian release; on the other those marked `debian13`, or all."""
    kernels = max(2, round((os.cpu_count() or 1) * KERNELS_PER_CORE))
    if full:
        number = "12" if machine() == "13" else "13"
        return [
            lab_group("lab", more, kernels - kernels // 2),
            lab_group(f"lab-debian-{number}", more, kernels // 2, **{VARIABLE: number}),
        ]
    fast = {KERNEL_VARIABLE: FAST_KERNEL} if Release(FAST_KERNEL).kernel is not None else {}
    other = {VARIABLE: "12"} if machine() == "13" else {VARIABLE: "13", KERNEL_VARIABLE: "12"}
    return [
        lab_group("lab", ["-m", "not long", *more], kernels, **fast),
        lab_group("lab-other", ["-m", "debian13", "-p", "no:cacheprovider", *more], 1, **other),
    ]


def lab_group(name: str, arguments: list[str], kernels: int, **environment: str) -> Group:
    """Returns a group of lab tests on that many kernels."""
    return pytest_group(name, "tests/lab", *arguments, nice=0, KVTUI_LAB_KERNELS=str(kernels), **environment)


def other_groups(more: list[str], *, full: bool, coverage: bool) -> list[Group]:
    """Returns the groups that need no kernel, the longest first."""
    tool = Path(sys.executable).parent
    cover = ("-p", "tests.covering") if coverage else ()
    short = () if full else ("-m", "not long")
    units = ["--ignore=tests/lab", "--ignore=tests/packaging", *short, *cover, *more]
    folders = {} if coverage else SEPARATE_GROUPS  # coverage is measured in one process
    apart = [
        pytest_group(name, *there, *short, *more, nice=NICE, **ENVIRONMENT.get(name, {}))
        for name, there in folders.items()
    ]
    return [
        pytest_group("unit", *(f"--ignore={folder}" for there in folders.values() for folder in there), *units),
        *apart,
        pytest_group("packaging", "tests/packaging", "-p", "no:cacheprovider", *short, *more),
        Group("types", [str(tool / "mypy")]),
        Group("lint", ["make", "--no-print-directory", "lint"]),
    ]


def run(lab: list[Group], others: list[Group]) -> None:
    """Runs all lab groups at once, and up to ``AT_ONCE`` other groups at the same time."""
    running: list[Group] = []
    try:
        while lab or others or running:
            running = [group for group in running if not group.has_ended()]
            beside = sum(group.nice != 0 for group in running)
            starting, others = [*lab, *others[: AT_ONCE - beside]], others[max(0, AT_ONCE - beside) :]
            lab = []
            for group in starting:
                running.append(group)
                group.start()
            time.sleep(0.2)
    finally:
        for group in running:
            group.stop()


def run_again(groups: list[Group]) -> list[Group]:
    """Runs a few failed tests again, one group at a time; returns the groups of these runs."""
    again = []
    for group in groups:
        failed = group.failed_tests
        if group.process is not None and group.process.returncode == FAILED and len(failed) <= MAX_RERUNS:
            later = pytest_group(f"{group.name}-again", *failed, nice=0)
            later.environment = {**group.environment, **later.environment}
            run([], [later])
            group.good = (*group.good, FAILED) if not later.has_failed else group.good
            again.append(later)
    return again


def report(groups: list[Group]) -> bool:
    """Prints the output of each group, failed ones last, then costs and counts; returns whether all passed."""
    counts = {"passed": 0, "failed": 0, "error": 0}
    for group in sorted(groups, key=lambda group: group.has_failed):
        text = group.log.read_text(errors="replace") if group.log.exists() else ""
        print(f"=== {group.name}: {group.seconds:.0f} s{', failed' if group.has_failed else ''}\n{text}", flush=True)
        for number, what in COUNTS.findall(text.rstrip().splitlines()[-1] if text.strip() else ""):
            counts[what.removesuffix("s") if what == "errors" else what] += int(number)
    for group in groups:
        table = " ".join(f"{name} {cost:.0f}" for name, cost in per_file(group.costs()).most_common(12))
        print(f"{group.name}: {group.seconds:.0f} s, {group.cpu:.0f} s of CPU: {table}")
    costs = sum((group.costs() for group in groups), Counter[str]()).most_common(MAX_COSTS)
    print("seconds of CPU:", *(f"{cost:5.1f} {name}" for name, cost in costs), sep="\n")
    print(f"CPU: {sum(group.cpu for group in groups) / 60:.1f} minutes")
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed")
    return not any(group.has_failed for group in groups)


def main(arguments: list[str]) -> int:
    """Runs everything; passes unknown options to each pytest."""
    parser = argparse.ArgumentParser(description="Run linters, mypy and all tests in parallel.")
    parser.add_argument(
        "--full", action="store_true", help="also run the long tests, and the whole lab on both Debian releases"
    )
    parser.add_argument("--coverage", action="store_true", help="measure the coverage of the tests without a kernel")
    options, more = parser.parse_known_args(arguments)
    lab, others = (
        lab_groups(more, full=options.full),
        other_groups(more, full=options.full, coverage=options.coverage or options.full),
    )
    groups = [*lab, *others]
    if more:  # such as -k: some groups may have no such test
        for group in groups:
            group.good = (0, NO_TESTS)
    run(list(lab), list(others))
    again = run_again(groups)
    all_passed = report([*groups, *again])
    for group in groups:
        for name in group.failed_tests:
            print(f"failed, and {'failed again' if group.has_failed else 'passed when run again alone'}: {name}")
    return 0 if all_passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
