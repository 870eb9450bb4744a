"""``-p tests.covering``: measures which lines and branches of kvtui the tests run, at little cost.

Before Python 3.12 coverage.py traces each line with ``sys.settrace``. This also slows down Textual and the standard
library: the tests took 1.6 times the CPU. SlipCover (https://github.com/plasma-umass/slipcover) adds a probe to each
line and branch of kvtui at import and leaves all other code unchanged.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from slipcover import FileMatcher, ImportManager, Slipcover

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "kvtui"
KEEP_PROBES = 1_000_000_000
"""Idle probes before SlipCover removes them. The removal searches all modules and costs more than the probes."""


class File(NamedTuple):
    """Coverage of a file."""

    name: str
    run: int
    missed: Sequence[int]
    branches_run: int
    branches_missed: Sequence[tuple[int, int]]

    @property
    def percent(self) -> float:
        """Coverage of lines and branches together, as coverage.py counts it."""
        return percent(self.run + self.branches_run, len(self.missed) + len(self.branches_missed))

    @property
    def where(self) -> str:
        """Lines that did not run, and branches not taken between lines that ran."""
        lines = set(self.missed)
        kept = (f"{a}->{b or 'exit'}" for a, b in self.branches_missed if not lines & {a, b})
        return " ".join([*spans(self.missed), *kept])


def percent(run: int, missed: int) -> float:
    """Returns the percentage that ran; 100 if there is nothing to run."""
    return 100 * run / (run + missed) if run + missed else 100.0


def spans(lines: Sequence[int]) -> Iterator[str]:
    """Yields line ranges: ``3-5`` for 3, 4 and 5."""
    start = None
    for line, after in zip(lines, [*lines, -1][1:], strict=True):
        start = line if start is None else start
        if after != line + 1:
            yield str(line) if start == line else f"{start}-{line}"
            start = None


def measure() -> Slipcover:
    """Starts the measurement: adds probes to modules imported from now on. pyproject.toml has the exclusions."""
    report = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]
    exclude = report["exclude_also"]
    cover = Slipcover(branch=True, source=[str(PACKAGE)], exclude_also=exclude, d_miss_threshold=KEEP_PROBES)
    ImportManager(cover, FileMatcher(sources=[PACKAGE])).__enter__()
    return cover


COVER = measure()


def files() -> list[File]:
    """Returns the coverage of kvtui's files, sorted by name."""
    found = COVER.get_coverage()["files"]
    return [
        File(name, len(f["executed_lines"]), f["missing_lines"], len(f["executed_branches"]), f["missing_branches"])
        for name, f in sorted(found.items())
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints a line for each file that is not fully covered, and a total."""
    covered = files()
    terminalreporter.section("coverage: SlipCover, lines and branches")
    for file in covered:
        if file.percent < 100:
            terminalreporter.write_line(f"{file.name:60} {file.percent:5.0f} %  {file.where}")
    run = sum(f.run + f.branches_run for f in covered)
    missed = sum(len(f.missed) + len(f.branches_missed) for f in covered)
    lines = sum(f.run + len(f.missed) for f in covered)
    terminalreporter.write_line(f"{len(covered)} files, {lines} lines: {percent(run, missed):.1f} % covered")
