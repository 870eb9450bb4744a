"""`make unit`: the whole suite in three processes at once, so that it fits into CI's time on two cores.

The lab's kernel has one CPU and waits a lot (elections, health checks), so two kernels and the tests that need none
run side by side. The tests of the lab are dealt out by how long they took when last measured, on one quiet machine.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SECONDS = {"drain": 650, "versions": 200, "adverts": 170, "ipvs": 150, "lab": 120, "reload": 90, "status": 80}
"""How long the lab's test files take, roughly; one that is not named counts as ``USUAL``."""
USUAL = 50
COUNTS = re.compile(r"(\d+) (passed|failed|errors?)\b")


@dataclass
class Group:
    """Some of the tests, running in a process of their own."""

    name: str
    arguments: list[str]
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0

    @property
    def log(self) -> Path:
        """What pytest prints."""
        return PROJECT / ".lab" / f"{self.name}.log"

    def start(self) -> None:
        """Begin."""
        self.began = time.monotonic()
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("wb") as out:
            command = [sys.executable, "-m", "pytest", *self.arguments]
            self.process = subprocess.Popen(command, cwd=PROJECT, stdout=out, stderr=subprocess.STDOUT)


def weight(file: Path) -> int:
    """Seconds that a file of lab tests takes."""
    return SECONDS.get(file.stem.removeprefix("test_"), USUAL)


def dealt(files: list[Path], hands: int) -> list[list[Path]]:
    """The files in so many groups that take about as long: the longest first, each to the group that has least."""
    groups: list[list[Path]] = [[] for _ in range(hands)]
    for file in sorted(files, key=lambda f: (-weight(f), f)):
        min(groups, key=lambda g: sum(map(weight, g))).append(file)
    return groups


def main(more: list[str]) -> int:
    """Run everything; pytest's own words for each group, then one line of counts."""
    files = sorted((PROJECT / "tests" / "lab").glob("test_*.py"))
    groups = [
        Group(
            f"lab-{number}",
            ["-p", "no:cacheprovider", "--durations=5", *(str(f.relative_to(PROJECT)) for f in hand), *more],
        )
        for number, hand in enumerate(dealt(files, 2), 1)
    ]
    groups.append(Group("unit", ["--ignore=tests/lab", "--cov", "--cov-report=term", *more]))
    for group in groups:
        group.start()
    failed, counts = False, {"passed": 0, "failed": 0, "error": 0}
    try:
        for group in reversed(groups):
            assert group.process is not None
            failed |= group.process.wait() != 0
            text = group.log.read_text(errors="replace")
            print(f"=== {group.name}: {time.monotonic() - group.began:.0f} s\n{text}", flush=True)
            for number, what in COUNTS.findall(text.rstrip().splitlines()[-1] if text.strip() else ""):
                counts[what.removesuffix("s") if what == "errors" else what] += int(number)
    finally:
        for group in groups:
            if group.process is not None and group.process.poll() is None:
                group.process.terminate()
                group.process.wait()
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
