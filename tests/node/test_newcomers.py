"""kvtui notices a new keepalived without a scan of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.linux.processes import Newcomers

if TYPE_CHECKING:
    from pathlib import Path


def run(proc: Path, pid: int, program: str) -> None:
    (proc / str(pid)).mkdir(exist_ok=True)
    exe = proc / str(pid) / "exe"
    exe.unlink(missing_ok=True)
    exe.symlink_to(f"/usr/sbin/{program}")


def test_a_new_keepalived_is_noticed(tmp_path: Path) -> None:
    run(tmp_path, 1, "init")
    newcomers = Newcomers(str(tmp_path))
    assert not newcomers.include_keepalived(0)
    run(tmp_path, 20, "keepalived")
    assert newcomers.include_keepalived(100)


def test_a_fork_that_becomes_keepalived_is_noticed(tmp_path: Path) -> None:
    newcomers = Newcomers(str(tmp_path))
    run(tmp_path, 20, "bash")
    assert not newcomers.include_keepalived(0)
    run(tmp_path, 20, "keepalived")
    assert newcomers.include_keepalived(2)


def test_known_processes_are_not_read_again(tmp_path: Path) -> None:
    run(tmp_path, 20, "keepalived")
    newcomers = Newcomers(str(tmp_path))
    assert [newcomers.include_keepalived(now) for now in (0, 1, 4, 5)] == [True, True, False, False]
