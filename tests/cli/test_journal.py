"""``kvtui journal`` without actions names the folder that has no journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.cli.invocation import Invocation
from kvtui.cli.journal import show_journal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("there", [True, False], ids=["an empty folder", "a folder that is mistyped"])
def test_a_folder_without_a_journal_is_named(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path if there else tmp_path / "nope"
    monkeypatch.setenv("KVTUI_STATE_DIR", str(folder))
    show_journal(Invocation())
    assert capsys.readouterr().out == f"No actions yet: {folder} has no journal.\n"


def test_an_empty_journal_is_a_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Journal(tmp_path).file.touch()
    monkeypatch.setenv("KVTUI_STATE_DIR", str(tmp_path))
    show_journal(Invocation())
    assert capsys.readouterr().out == "No actions yet.\n"


def test_the_demo_has_no_folder_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    show_journal(Invocation(demo=True))
    assert capsys.readouterr().out == "No actions yet.\n"
