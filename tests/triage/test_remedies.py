"""The lab knows each finding's remedy: it runs there, runs elsewhere, or consists of words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.findings_page import entries
from tests.lab.remedies import ELSEWHERE, HEALS, PROSE, SHOWS

PROJECT = Path(__file__).parents[2]


def test_each_finding_is_in_one_table() -> None:
    tables = [set(HEALS), SHOWS, ELSEWHERE, PROSE]
    known = set[str]().union(*tables)
    assert len(known) == sum(map(len, tables))
    assert known == {entry.id for entry in entries()}


@pytest.mark.parametrize("name", sorted(HEALS))
def test_each_remedy_that_runs_has_a_lab_test(name: str) -> None:
    assert f'"{name}"' in (PROJECT / "tests/lab/test_triage.py").read_text()
