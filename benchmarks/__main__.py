# ruff: noqa: INP001, T201 - it prints the table
"""Prints all that ``make bench`` measures next to the last committed table (``benchmarks/results.json``).

    python -m benchmarks [--only commands node here] [--save]

Measures whole processes, as a user runs them, and compares only ratios within one run. Exits with 1 if a ratio is 15 %
worse than in the last table. ``--save`` makes this the last table and writes it into RESULTS.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import load, read_figures, save, table, worse

LAB = ("-m", "tests.lab.kernel", "--timeout", "1500", "--", "python", "-m")
PARTS = {
    "commands": (*LAB, "benchmarks.bench_commands"),
    "node": (*LAB, "benchmarks.bench_node"),
    "vips": (*LAB, "benchmarks.bench_vips"),
    "here": ("-m", "benchmarks.bench_here"),
}
PAGE = Path(__file__).parent / "RESULTS.md"
BEGIN, END = "<!-- table -->\n", "\n<!-- end of table -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--save", action="store_true", help="make this the table that later ones are compared with")
    options = parser.parse_args()
    before, figures, failed = load(), [], []
    for part in options.only:
        output = ""
        with subprocess.Popen([sys.executable, *PARTS[part]], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                output += line
        if process.returncode:
            failed.append(f"{part} failed with exit code {process.returncode}")
        figures += read_figures(output)
    print(f"\n{table(figures, before)}")
    lines = [*failed, *worse(figures, before)]
    if options.save and not failed:
        measured = {(f.row, f.what) for f in figures}
        figures = sorted([*figures, *(f for f in before if (f.row, f.what) not in measured)], key=lambda f: f.row)
        save(figures)
        head, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(head + BEGIN + table(figures) + END + rest.partition(END)[2])
    for line in lines:
        print(f"WORSE: {line}", file=sys.stderr)
    sys.exit(bool(failed) or bool(lines and not options.save))


if __name__ == "__main__":
    main()
