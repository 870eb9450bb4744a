"""Each attack and fault of docs/reliability.md names an existing test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "reliability.md"
ROWS = [
    line
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| attack |", "| fault |"))
]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_there_are_rows() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_four_cells_and_its_tests_exist(row: str) -> None:
    cells = row.strip("| ").split(" | ")
    assert len(cells) == 4, cells
    named = TEST.findall(cells[2])
    assert named, f"no test: {row}"
    for file, name in named:
        tree = ast.parse((PROJECT / file).read_text())
        assert name in {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
