"""`make run` as the first command on a machine: what it says without a network, and what it leaves behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import run

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = """#!/bin/sh
# a Python whose environments come without an index of packages
case "$*" in
"-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*" install "*) echo "ERROR: no matching distribution" >&2; exit 1 ;;
esac
"""


def test_without_packages_make_says_what_helps_and_begins_anew_the_next_time(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    python = tmp_path / "python3"
    python.write_text(PYTHON)
    python.chmod(0o755)
    command = ["make", "run", f"PYTHON={python}"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert "could not be had from PyPI" in ended.stderr
    assert "PIP_INDEX_URL=https://... make run" in ended.stderr
    assert not (tmp_path / ".venv/bin/python").exists()


@pytest.mark.parametrize("argument", ["--demo", "--help", "-h", "--version"])
def test_nothing_is_booted_for_what_looks_at_no_node(argument: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def become(*arguments: str) -> None:
        raise SystemExit(" ".join(arguments))

    monkeypatch.setattr(run, "become_kvtui", become)
    with pytest.raises(SystemExit, match=f"{argument} vips"):
        run.main([argument, "vips"])


@pytest.mark.parametrize(
    ("uid", "installs", "ends"),
    [(0, True, "lab"), (0, False, "--demo"), (1000, True, "--demo")],
    ids=["root", "root without a mirror", "not root"],
)
def test_what_the_lab_needs_is_installed_where_we_may(
    uid: int, installs: bool, ends: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def install(command: list[Path | str], *, check: bool) -> None:
        assert not check
        ran.append([Path(word).name for word in command])

    def become(*arguments: str) -> None:
        raise SystemExit(" ".join(arguments))

    def lab(_arguments: list[str]) -> None:
        raise SystemExit("lab")

    monkeypatch.setattr(run, "keepalived_runs_here", lambda: False)
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(subprocess, "run", install)
    monkeypatch.setattr(run, "why_not", lambda: None if ran and installs else "It needs user-mode-linux.")
    monkeypatch.setattr(run, "become_kvtui", become)
    monkeypatch.setattr(run, "has_terminal", lambda: False)
    monkeypatch.setattr(run, "without_terminal", lab)
    with pytest.raises(SystemExit, match=ends):
        run.main([])
    assert ran == ([["debian-packages", "lab"]] if uid == 0 else [])
    assert ("It needs user-mode-linux" in capsys.readouterr().err) is (ends == "--demo")
