"""kvtui expects a file and finds a FIFO, device, socket, folder or file of /proc: it opens none and hides no result."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.backend import config_file
from kvtui.backend.conf.reader import read
from kvtui.backend.keepalived.dumps.file import DumpError, DumpFile
from kvtui.backend.keepalived.log.reader import Tail
from kvtui.backend.linux import processes
from tests.processes.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def kernel_file(path: Path) -> None:
    path.symlink_to("/proc/kmsg")


KINDS: tuple[Callable[[Path], None], ...] = (os.mkfifo, unix_socket, device, kernel_file, os.mkdir)
EACH = pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)


@EACH
def test_a_pid_file_that_is_not_regular_hides_no_keepalived(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A hostile keepalived runs beside a normal one: kvtui finds both and does not block on the pipe."""
    machine = Machine(tmp_path)
    hostile = tmp_path / "hostile"
    for root in (hostile, machine.root):
        (root / "run").mkdir(parents=True)
    make(hostile / "run" / "keepalived.pid")
    (machine.root / "run" / "vrrp.pid").write_text("802\n")
    (machine.root / "run" / "keepalived.pid").write_text("801\n")
    machine.process(700, root=hostile, mnt=7)
    machine.process(801, mnt=8)
    machine.process(802, parent=801, mnt=8)
    normal = next(k for k in processes.find(machine.proc) if k.pid == 801)
    assert [(f.path, f.stale) for f in normal.pid_files] == [("/run/keepalived.pid", False), ("/run/vrrp.pid", False)]
    assert {k.pid for k in processes.find(machine.proc)} == {700, 801}
    assert next(k for k in processes.find(machine.proc) if k.pid == 700).pid_files == ()


@EACH
def test_a_track_file_that_is_not_regular(
    tmp_path: Path, make: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "track")
    monkeypatch.setattr(Daemon, "root", lambda _self: "")
    step = SetTrackValue(Daemon(1, 1, "/c", 1, 1), str(tmp_path / "track"), 0, 1)
    for act in (step.state, step.do):
        with pytest.raises(StepError, match=r"not a regular file|was not written"):
            act()


@EACH
def test_a_dump_that_is_not_regular(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "keepalived.json")
    with pytest.raises(DumpError, match=r"keepalived.json (is not a regular file|cannot be opened)"):
        DumpFile("", str(tmp_path / "keepalived.json"), os.geteuid()).read()


@EACH
def test_a_log_that_is_not_regular(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "keepalived.log")
    with pytest.raises(OSError, match="not a regular file"):
        Tail(str(tmp_path / "keepalived.log")).read()


@EACH
def test_settings_that_are_not_regular(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "kvtui.toml"
    make(path)
    (problem,) = config_file.read({"KVTUI_CONFIG": str(path)}).problems
    assert "cannot be read and is ignored: it is" in problem


def test_a_terabyte_config_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "keepalived.conf").open("w") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="it has more than 4 MiB"):
        read("/keepalived.conf", root=str(tmp_path), now=0.0)
