"""Each finding's remedy is known to the lab: run there, or said to be run elsewhere, or in words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from kvtui.model.conf import ProblemKind
from tests.lab.remedies import ELSEWHERE, HEALS, PROSE, SHOWS

PROJECT = Path(__file__).parents[2]


def ids() -> set[str]:
    """The first arguments of all `Finding(…)` in the rules."""
    found: set[str] = set()
    for path in (PROJECT / "kvtui/rules/triage").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                constants = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
                found |= {value for value in constants if isinstance(value, str)}
    return found


def test_each_finding_is_in_one_table() -> None:
    tables = [set(HEALS), SHOWS, ELSEWHERE, PROSE]
    known = set[str]().union(*tables)
    assert len(known) == sum(map(len, tables))
    assert {f"config-{kind}" for kind in ProblemKind} <= known
    assert ids() - known == {"config-"}


@pytest.mark.parametrize("name", sorted(HEALS))
def test_what_is_run_is_waited_for_in_the_lab(name: str) -> None:
    assert f'"{name}"' in (PROJECT / "tests/lab/test_triage.py").read_text()
