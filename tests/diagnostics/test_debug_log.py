"""``--debug`` and ``KVTUI_DEBUG``: a private log of limited size for bug reports."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.diagnostics import debug_log
from kvtui.backend.diagnostics.debug_log import PrivateRotatingHandler, RedactingFormatter

if TYPE_CHECKING:
    from pathlib import Path

ENV = {k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")}


def kvtui(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kvtui", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**ENV, **env}, timeout=300)


def logged(path: Path) -> logging.Logger:
    log = logging.Logger("kvtui.test")  # noqa: LOG001 - not a logger of the process
    handler = PrivateRotatingHandler(path, maxBytes=2000, backupCount=2)
    handler.setFormatter(RedactingFormatter(debug_log.FORMAT))
    log.addHandler(handler)
    return log


def close(log: logging.Logger) -> None:
    for handler in log.handlers:
        handler.close()


def test_the_log_has_sources_timings_and_decisions(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    done = kvtui("--demo", "--yes", "--reason", "token=hunter2", "drain", "10.2.68.5", KVTUI_DEBUG=str(file))
    assert done.returncode == 0
    assert f"debug log: {file}" in done.stderr
    text = file.read_text()
    assert "source conf: ok" in text
    assert "observation: read in " in text
    assert "step 0 of " in text
    assert "ends: done" in text
    assert "hunter2" not in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_log_is_in_the_journals_folder_even_with_read_only(tmp_path: Path) -> None:
    done = kvtui("--demo", "--read-only", "--debug", "vips", KVTUI_STATE_DIR=str(tmp_path))
    assert done.returncode == 0
    assert [p.name for p in tmp_path.iterdir()] == ["kvtui-debug.log"]


def test_no_log_is_written_without_debug(tmp_path: Path) -> None:
    env = {"KVTUI_STATE_DIR": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    assert kvtui("--demo", "status", **env).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named_and_the_command_continues(tmp_path: Path) -> None:
    done = kvtui("--demo", "vips", KVTUI_DEBUG=str(tmp_path / "missing/x.log"))
    assert done.returncode == 0
    assert "no debug log: " in done.stderr
    assert "missing/x.log" in done.stderr


def test_the_size_of_the_log_is_limited(tmp_path: Path) -> None:
    log = logged(tmp_path / "x.log")
    for number in range(500):
        log.debug("line %d %s", number, "x" * 100)
    close(log)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == ["x.log", "x.log.1", "x.log.2"]
    assert sum(f.stat().st_size for f in files) <= 3 * 2000
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


def test_a_traceback_has_no_secrets_and_is_cut(tmp_path: Path) -> None:
    log = logged(tmp_path / "x.log")
    log.error("failed", exc_info=ValueError("line 3: auth_pass hunter2"))
    log.debug("y" * 100_000)
    close(log)
    text = "".join(f.read_text() for f in tmp_path.iterdir())
    assert "ValueError: line 3: auth_pass ********" in text
    assert "hunter2" not in text
    assert len(text) < 2 * debug_log.MAX_RECORD_CHARACTERS


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_only_a_regular_file_of_its_own_is_opened(tmp_path: Path, kind: str) -> None:
    file, other = tmp_path / "x.log", tmp_path / "other"
    other.write_text("precious")
    make = {"link": file.symlink_to, "hard link": file.hardlink_to}
    if kind in make:
        make[kind](other)
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(OSError, match=r"x\.log"):
        PrivateRotatingHandler(file)
    assert other.read_text() == "precious"


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "x.log"
    file.touch()
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    with pytest.raises(PermissionError, match="another user"):
        PrivateRotatingHandler(file)


def test_a_log_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.touch(0o644)
    PrivateRotatingHandler(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_warnings_of_libraries_do_not_reach_the_terminal() -> None:
    """Such as asyncio's "Unknown child process pid"."""
    program = """
import logging
from kvtui.cli.main import run
run(lambda _: None, ["--demo", "journal"])
logging.getLogger("asyncio").warning("Unknown child process pid 1")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENV)
    assert "Unknown" not in done.stdout + done.stderr
