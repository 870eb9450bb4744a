"""docs/architecture.md names, for each question, the file and the definition that answer it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "architecture.md").read_text()
ROW = re.compile(r"^\| (?P<question>[^|`]+\?) \| `(?P<file>[^`]+\.py)` \| `(?P<name>\w+)` \|$", re.MULTILINE)
ANSWERS = {row["question"]: (row["file"], row["name"]) for row in ROW.finditer(PAGE)}
PATHS = re.compile(r"`((?:kvtui/)?[\w/]+(?:\.py|/))`")

LIBRARIES = {
    row["library"]: tuple(re.findall(r"`([^`]+)`", row["places"]))
    for row in re.finditer(r"^\| [^|]+ \| (?P<library>\w+) \| (?P<places>(?:`[^`]+`(?:, )?)+) \|$", PAGE, re.MULTILINE)
}


def names(source: str) -> set[str]:
    """Returns the names that a module defines at its top level."""
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
    assert len(ANSWERS) == section.count("\n| ") - 1 >= 20  # every row except the head has this form
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


@cache
def imports(path: Path) -> set[str]:
    """Returns the top-level packages that a module imports, also for type checking or with ``import_module``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
            found |= {str(name.value).partition(".")[0] for name in node.args if isinstance(name, ast.Constant)}
    return found


@pytest.mark.parametrize("library", ["textual", "typer", "psutil", "pyroute2", "kubernetes", "yaml"])
def test_a_library_is_imported_only_in_its_part(library: str) -> None:
    package = PROJECT / "kvtui"
    importers = {str(p.relative_to(package)) for p in package.rglob("*.py") if library in imports(p)}
    assert importers
    assert {name for name in importers if not name.startswith(LIBRARIES[library])} == set()
