"""`make unit`: the whole suite, a few processes at once, so that it fits into CI's time on two cores.

The lab's kernel has one CPU and waits for more than half of its time (elections, health checks), so kernels and the
tests that need none run side by side, two processes more than there are cores. The tests of the lab are dealt out by
how long they took when last measured; the table at the end of a run says how long they took this time, and how much
of that a CPU was at work.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

PROJECT = Path(__file__).parents[1]
SECONDS = {
    "drain": 330,
    "killed": 220,
    "versions": 190,
    "triage": 190,
    "adverts": 180,
    "sidecar": 150,
    "reload": 110,
    "failover": 110,
    "priority": 100,
    "lab": 90,
    "drain_by_file": 80,
    "status": 80,
    "writes_nothing": 75,
    "screen": 65,
}
"""How long the lab's test files take, roughly; one that is not named counts as ``USUAL``."""
USUAL = 50
KERNELS = 3
"""Processes that the lab's tests are dealt out to, beside the one of all others; each boots a kernel and clusters."""
COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


@dataclass
class Group:
    """Some of the tests, running in a process of their own."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    seconds: float = 0.0
    cpu: float = 0.0

    @property
    def log(self) -> Path:
        """What pytest prints."""
        return PROJECT / ".lab" / f"{self.name}.log"

    @property
    def times(self) -> Path:
        """How long each test took, as JUnit's XML."""
        return PROJECT / ".lab" / f"{self.name}.xml"

    def start(self) -> None:
        """Begin."""
        self.began = time.monotonic()
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("wb") as out:
            command = [sys.executable, "-m", "pytest", f"--junitxml={self.times}", *self.arguments]
            self.process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT)

    def ended(self) -> bool:
        """Whether it has come to its end; keeps how long it took, and how much of a CPU with all that it waited for."""
        before = cpu_of_the_ended()
        if self.process is None or self.process.poll() is None:
            return False
        self.seconds = self.seconds or time.monotonic() - self.began
        self.cpu = self.cpu or cpu_of_the_ended() - before
        return True

    def seconds_a_file(self) -> Counter[str]:
        """Test file → seconds."""
        taken: Counter[str] = Counter()
        if self.times.exists():
            for case in ET.parse(self.times).iter("testcase"):  # noqa: S314 - pytest wrote it a moment ago
                taken[case.get("classname", "").rpartition(".test_")[2]] += float(case.get("time", "0"))  # type: ignore[assignment] # a Counter of seconds
        return taken


def cpu_of_the_ended() -> float:
    """Seconds of CPU of all processes that we have waited for so far, see getrusage(2)."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def weight(file: Path) -> int:
    """Seconds that a file of lab tests takes."""
    return SECONDS.get(file.stem.removeprefix("test_"), USUAL)


def dealt(files: list[Path], hands: int) -> list[list[Path]]:
    """The files in so many groups that take about as long: the longest first, each to the group that has least."""
    groups: list[list[Path]] = [[] for _ in range(hands)]
    for file in sorted(files, key=lambda f: (-weight(f), f)):
        min(groups, key=lambda g: sum(map(weight, g))).append(file)
    return groups


def groups(more: list[str]) -> list[Group]:
    """All of them, in the order in which they begin."""
    files = sorted((PROJECT / "tests" / "lab").glob("test_*.py"))
    lab = [
        Group(f"lab-{number}", ["-p", "no:cacheprovider", *(str(f.relative_to(PROJECT)) for f in hand), *more])
        for number, hand in enumerate(dealt(files, KERNELS), 1)
    ]
    unit = Group("unit", ["--ignore=tests/lab", "--ignore=tests/packaging", "-p", "tests.covering", *more])
    packaging = Group("packaging", ["tests/packaging", *more])
    return [unit, *lab, packaging]


def run(waiting: list[Group], at_once: int) -> None:
    """Run them, so many at once; whoever stops this stops them."""
    running: list[Group] = []
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(waiting.pop(0))
                running[-1].start()
            running = [group for group in running if not group.ended()]
            time.sleep(0.2)
    finally:
        for group in running:
            if group.process is not None and group.process.poll() is None:
                group.process.terminate()
                group.process.wait()


def main(more: list[str]) -> int:
    """Run everything; pytest's own words, those of failed groups last, then how long files took, and the counts."""
    everything = groups(more)
    run(list(everything), (os.cpu_count() or 1) + 2)
    failed, counts = False, {"passed": 0, "failed": 0, "error": 0}
    for group in sorted(everything, key=lambda g: g.process is None or g.process.returncode != 0):
        failed |= group.process is None or group.process.returncode != 0
        text = group.log.read_text(errors="replace")
        print(f"=== {group.name}: {group.seconds:.0f} s\n{text}", flush=True)
        for number, what in COUNTS.findall(text.rstrip().splitlines()[-1] if text.strip() else ""):
            counts[what.removesuffix("s") if what == "errors" else what] += int(number)
    for group in everything:
        table = " ".join(f"{name} {taken:.0f}" for name, taken in group.seconds_a_file().most_common(12))
        print(f"seconds in {group.name} ({group.seconds:.0f} in all, {group.cpu:.0f} of CPU): {table}")
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
