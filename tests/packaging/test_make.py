"""`make run` as the first command on a machine: what it says without a network, and what it leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import run, terminal
from tests.lab.kernel import Kernel, LabError

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
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
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


@pytest.mark.parametrize("why", [None, "It needs user-mode-linux.", "kernel panic"])
def test_the_demo_is_shown_with_the_reason_where_the_lab_cannot_be_used(
    why: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def become(*arguments: str) -> None:
        raise SystemExit(" ".join(arguments))

    def lab(_arguments: list[str]) -> None:
        if why is None:
            raise SystemExit("lab")
        raise LabError(why)

    monkeypatch.setattr(run, "keepalived_runs_here", lambda: False)
    monkeypatch.setattr(run, "why_not", lambda: why if why and "needs" in why else None)
    monkeypatch.setattr(run, "become_kvtui", become)
    monkeypatch.setattr(run, "has_terminal", lambda: False)
    monkeypatch.setattr(run, "without_terminal", lab)
    with pytest.raises(SystemExit, match=r"^lab$" if why is None else r"^--demo vips$"):
        run.main(["vips"])
    said = capsys.readouterr().err
    assert (f"No keepalived runs here. {why}\n" in said) is (why is not None)


@pytest.mark.parametrize(
    ("arguments", "keepalived", "needed"),
    [(["vips"], False, True), (["vips"], True, False), (["--demo"], False, False)],
)
def test_the_lab_s_packages_are_asked_for_only_where_it_will_be_booted(
    arguments: list[str], keepalived: bool, needed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "keepalived_runs_here", lambda: keepalived)
    assert run.main(["--needs-lab", *arguments]) == int(not needed)


def test_nodes_that_do_not_start_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(["true"])
    kernel.dir = tmp_path
    kernel.out.mkdir()
    monkeypatch.setattr(kernel, "wait", lambda _timeout: 1)
    assert terminal.wait_for(kernel) == 1
    (kernel.out / terminal.FAILURE).write_text("not within 20 s: keepalived on node-a\n")
    with pytest.raises(LabError, match=r"^The nodes of the lab did not start: not within 20 s: keepalived on node-a$"):
        terminal.wait_for(kernel)
