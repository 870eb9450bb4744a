"""``-p tests.covering``: which lines and branches of kvtui the tests run, for next to nothing.

coverage.py follows each line by ``sys.settrace`` before Python 3.12, which makes also Textual and the standard library
slower: the tests took 1.6 times the CPU. SlipCover (https://github.com/plasma-umass/slipcover) puts a probe into each
line and branch of kvtui as it is imported; whatever else runs is left as it is.
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
NEVER = 1_000_000_000
"""Idle probes until they are taken out of the code: to look for it in all modules costs more than they do."""


class File(NamedTuple):
    """What was run of one file."""

    name: str
    run: int
    missed: Sequence[int]
    branches_run: int
    branches_missed: Sequence[tuple[int, int]]

    @property
    def percent(self) -> float:
        """Of lines and branches together, as coverage.py counts."""
        return percent(self.run + self.branches_run, len(self.missed) + len(self.branches_missed))

    @property
    def where(self) -> str:
        """Lines that never ran, and branches between lines that did."""
        lines = set(self.missed)
        kept = (f"{a}->{b or 'exit'}" for a, b in self.branches_missed if not lines & {a, b})
        return " ".join([*spans(self.missed), *kept])


def percent(run: int, missed: int) -> float:
    """How much was run; all of it where there is nothing to run."""
    return 100 * run / (run + missed) if run + missed else 100.0


def spans(lines: Sequence[int]) -> Iterator[str]:
    """``3-5`` for 3, 4 and 5."""
    start = None
    for line, after in zip(lines, [*lines, -1][1:], strict=True):
        start = line if start is None else start
        if after != line + 1:
            yield str(line) if start == line else f"{start}-{line}"
            start = None


def measure() -> Slipcover:
    """Begin: what is imported from now on has probes; what counts is what pyproject.toml says."""
    report = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["coverage"]["report"]
    exclude = report["exclude_also"]
    cover = Slipcover(branch=True, source=[str(PACKAGE)], exclude_also=exclude, d_miss_threshold=NEVER)
    ImportManager(cover, FileMatcher(sources=[PACKAGE])).__enter__()
    return cover


COVER = measure()


def files() -> list[File]:
    """Those of kvtui, by name."""
    found = COVER.get_coverage()["files"]
    return [
        File(name, len(f["executed_lines"]), f["missing_lines"], len(f["executed_branches"]), f["missing_branches"])
        for name, f in sorted(found.items())
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each file of which something was not run, and one for all of them."""
    covered = files()
    terminalreporter.section("coverage: SlipCover, lines and branches")
    for file in covered:
        if file.percent < 100:
            terminalreporter.write_line(f"{file.name:60} {file.percent:5.0f} %  {file.where}")
    run = sum(f.run + f.branches_run for f in covered)
    missed = sum(len(f.missed) + len(f.branches_missed) for f in covered)
    lines = sum(f.run + len(f.missed) for f in covered)
    terminalreporter.write_line(f"{len(covered)} files, {lines} lines: {percent(run, missed):.1f} % covered")
