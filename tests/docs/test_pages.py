"""The pages "How to add …": the test applies each to a copy of the package and runs its tests there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.incidents import INCIDENTS, PAGE, block, capture

PROJECT = Path(__file__).parents[2]
PAGES = ("add-a-source", "add-a-finding", "add-an-action")
MAX_LINES = 60
"""Lines of code; blank lines and the page's own test do not count."""

BLOCK = re.compile(
    r"(?:New file `(?P<new>[^`\n]+)`|In `(?P<old>[^`\n]+)`, after `(?P<line>[^`\n]+)`):\n\n```python\n(?P<code>.*?)```",
    re.DOTALL,
)


class Edit(NamedTuple):
    """One block of a page: a new file, or an insertion after a line of a file."""

    path: str
    after: str | None
    code: str


def edits(page: str) -> list[Edit]:
    text = (PROJECT / "docs" / f"{page}.md").read_text()
    found = [Edit(m["new"] or m["old"], m["line"], m["code"]) for m in BLOCK.finditer(text)]
    assert len(found) == text.count("```python"), "a block of code without a place"
    return found


def follow(page: str, folder: Path) -> list[str]:
    """Applies a page to a copy; returns the tests that it adds."""
    shutil.copytree(PROJECT / "kvtui", folder / "kvtui", ignore=shutil.ignore_patterns("__pycache__"))
    for edit in edits(page):
        path = folder / edit.path
        if edit.after is None:
            assert not path.exists(), f"{edit.path} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit.code)
            continue
        lines = path.read_text().split("\n")
        assert lines.count(edit.after) == 1, f"{edit.path} has {lines.count(edit.after)} lines {edit.after!r}"
        at = lines.index(edit.after) + 1
        path.write_text("\n".join([*lines[:at], *edit.code.rstrip("\n").split("\n"), *lines[at:]]))
    return [edit.path for edit in edits(page) if edit.path.startswith("tests/")]


@pytest.mark.parametrize("page", PAGES)
def test_the_page_works(page: str, tmp_path: Path) -> None:
    tests = follow(page, tmp_path)
    assert len(tests) == 1
    env = {k: v for k, v in os.environ.items() if not k.startswith(("KVTUI_", "PYTEST", "COV"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", *tests],
        cwd=tmp_path,
        # no plugins: importing all of them takes most of the time
        env={**env, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # shows that the copy was tested, not the installed package
    where = subprocess.run(
        [sys.executable, "-c", "import kvtui; print(kvtui.__file__)"],
        cwd=tmp_path, env={**env, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(tmp_path))


@pytest.mark.parametrize("page", PAGES)
def test_it_is_short(page: str) -> None:
    code = [line for edit in edits(page) if not edit.path.startswith("tests/") for line in edit.code.split("\n")]
    assert len([line for line in code if line.strip()]) < MAX_LINES


def test_every_link_of_the_docs_has_a_target() -> None:
    for page in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?://)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("name", INCIDENTS)
async def test_the_app_draws_the_readmes_screens(name: str) -> None:
    """``python -m tests.docs.incidents`` writes them again after an intended change."""
    found = block(name).findall(PAGE.read_text())
    assert found == [await capture(name)]
