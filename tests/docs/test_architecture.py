"""docs/architecture.md leads from a question to the file and the name that answer it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "architecture.md").read_text()
ROW = re.compile(r"^\| (?P<question>[^|`]+\?) \| `(?P<file>[^`]+\.py)` \| `(?P<name>\w+)` \|$", re.MULTILINE)
ANSWERS = {row["question"]: (row["file"], row["name"]) for row in ROW.finditer(PAGE)}
PATHS = re.compile(r"`((?:kvtui/)?[\w/]+(?:\.py|/))`")


def names(source: str) -> set[str]:
    """What a module defines at its top level."""
    defined: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            defined |= {target.id for target in targets if isinstance(target, ast.Name)}
    return defined


def test_it_answers_twenty_questions_in_one_step() -> None:
    section = PAGE.partition("## Where is")[2].partition("\n## ")[0]
    assert len(ANSWERS) == section.count("\n| ") - 1 >= 20  # every row but the head has this form
    assert len(set(ANSWERS.values())) == len(ANSWERS)


@pytest.mark.parametrize("question", ANSWERS)
def test_the_file_defines_the_name(question: str) -> None:
    file, name = ANSWERS[question]
    assert name in names((PROJECT / file).read_text())


def test_every_path_of_the_page_exists() -> None:
    folders = (PROJECT, PROJECT / "kvtui", PROJECT / "kvtui" / "backend")
    paths = PATHS.findall(PAGE)
    assert len(paths) > len(ANSWERS)
    assert [path for path in paths if not any((folder / path).exists() for folder in folders)] == []
