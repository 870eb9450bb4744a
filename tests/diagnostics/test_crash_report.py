"""A crash: one message for the operator, whether the node was changed, and a private file for the bug report."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.diagnostics import crash_report
from kvtui.backend.diagnostics.private_file import folders
from kvtui.cli import views
from kvtui.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KVTUI_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(crash_report, "actions_begun", 0)
    return tmp_path


def broken(*_arguments: object, **_options: object) -> None:
    secret = "hunter2"  # noqa: S105 - a local variable; no report shows it
    raise ValueError(f"line 3: auth_pass {secret}")


def only_report(folder: Path) -> str:
    [file] = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file.read_text()


def test_a_crashed_command_names_its_report(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(views, "show", broken)
    assert run(lambda _invocation: None, ["--demo", "vips"]) == 1
    printed = capsys.readouterr()
    [file] = state.iterdir()
    assert printed.err.splitlines() == [
        "kvtui: kvtui crashed; this is a bug. Your node was not changed.",
        "kvtui: ValueError: line 3: auth_pass ********",
        f"kvtui: Report: {file}",
    ]
    text = only_report(state)
    assert "ValueError: line 3: auth_pass ********" in text
    assert "in broken" in text
    assert "hunter2" not in text


def test_a_crash_after_an_action_began_does_not_claim_that_nothing_changed(state: Path) -> None:
    crash_report.action_begins()
    message = crash_report.save(ValueError("x"), state)
    assert "not changed" not in message
    assert "kvtui journal" in message


def test_without_any_folder_the_report_is_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(crash_report, "folders", lambda _state: (tmp_path / "missing",))
    message = crash_report.save(ValueError("auth_pass hunter2"), tmp_path)
    assert "cannot be written to a file" in message
    assert "ValueError: auth_pass ********" in message


def test_repeated_crashes_leave_ten_reports(state: Path) -> None:
    for number in range(15):
        (state / f"kvtui-crash-2020010{number % 10}-0000{number:02}-1.txt").touch()
    (state / "journal.jsonl").touch()
    crash_report.save(ValueError("x"), state)
    assert len(list(state.glob("kvtui-crash-*"))) == crash_report.MAX_REPORTS
    assert (state / "journal.jsonl").exists()


def test_folders_in_their_order(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    assert folders(state)[:2] == (state, home / "kvtui")
    assert stat.S_IMODE((home / "kvtui").stat().st_mode) == 0o700
    assert folders(state / "missing")[0] == home / "kvtui"
