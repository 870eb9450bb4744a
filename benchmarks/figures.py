# ruff: noqa: INP001 - part of the benchmarks, which are scripts
"""The results of a benchmark, and those of the last committed table."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RESULTS = Path(__file__).parent / "results.json"
MARK = "FIGURE "
"""The prefix of a figure in a benchmark's output: the lab's guest has no other way to return one."""
MAX_WORSE = 1.15
"""The limit of a figure as a multiple of the last table's; smaller differences are noise."""


class Figure(Struct, frozen=True):
    """One line of the table; smaller is better.

    Attributes:
        row: the row of issue 11's table.
        limit: the target; None: only compared with the last table.
        unit: ``x`` is a ratio within one run; others depend on the machine, and are not compared.
        detail: the values from which it was computed.
    """

    row: int
    what: str
    value: float
    limit: float | None
    unit: str = "x"
    detail: str = ""

    @property
    def is_missed(self) -> bool:
        return self.limit is not None and self.value > self.limit


def report(row: int, what: str, value: float, limit: float | None, *, unit: str = "x", detail: str = "") -> None:
    """Prints a figure for ``python -m benchmarks``."""
    figure = Figure(row, what, round(value, 4), limit, unit, detail)
    print(MARK + msgspec.json.encode(figure).decode(), flush=True)  # noqa: T201 - ``python -m benchmarks`` reads it from there


def by_turns(ours: Callable[[], float], theirs: Callable[[], float], runs: int) -> tuple[float, float, float]:
    """Returns the medians of the ratios and of both times; both run alternately, because the machine's speed varies."""
    rounds = [(ours(), theirs()) for _ in range(runs)]
    ratios = (a / b for a, b in rounds)
    return statistics.median(ratios), statistics.median(a for a, _ in rounds), statistics.median(b for _, b in rounds)


def read_figures(output: str) -> list[Figure]:
    lines = (line.removeprefix(MARK) for line in output.splitlines() if line.startswith(MARK))
    return [msgspec.json.decode(line, type=Figure) for line in lines]


def load() -> list[Figure]:
    """Returns the last committed table."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=list[Figure]) if RESULTS.exists() else []


def save(figures: Sequence[Figure]) -> None:
    encoded = b",\n".join(msgspec.json.encode(figure) for figure in figures)
    RESULTS.write_bytes(b"[\n" + encoded + b"\n]\n")


def worse(figures: Sequence[Figure], before: Sequence[Figure]) -> list[str]:
    """Returns a line for each ratio that is much worse than before."""
    then = {(f.row, f.what): f.value for f in before}
    return [
        f"row {f.row}, {f.what}: {f.value:.2f} x, was {then[f.row, f.what]:.2f} x"
        for f in figures
        if f.unit == "x" and f.value > MAX_WORSE * then.get((f.row, f.what), sys.float_info.max / 2)
    ]


def table(figures: Sequence[Figure], before: Sequence[Figure] = ()) -> str:
    """Returns the table as Markdown, with the last committed values if there are some."""
    then = {(f.row, f.what): f for f in before}
    lines = ["| row | what | to reach | measured | last table | | of |", "|---|---|---|---|---|---|---|"]
    for f in figures:
        limit = "" if f.limit is None else f"≤ {f.limit:g} {f.unit}"
        old = then.get((f.row, f.what))
        result = "" if f.limit is None else "**missed**" if f.is_missed else "reached"
        last = "" if old is None else f"{old.value:.3g} {f.unit}"
        lines.append(f"| {f.row} | {f.what} | {limit} | {f.value:.3g} {f.unit} | {last} | {result} | {f.detail} |")
    return "\n".join(lines)
