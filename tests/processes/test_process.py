"""One reader reads a /proc that is mounted elsewhere; all others read that of this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest

from kvtui.backend.linux.process import boot_time, list_pids, read_process, read_variables
from kvtui.backend.linux.processes import find
from kvtui.backend.linux.signals import has_ended

if TYPE_CHECKING:
    from pathlib import Path

    from tests.processes.machine import Machine


def test_no_reader_changes_the_proc_path_of_the_others(tmp_path: Path) -> None:
    place = str(tmp_path)
    (tmp_path / "stat").write_text("cpu 1 2\n")
    (tmp_path / "1").mkdir()
    assert list_pids(place) == [1]
    with pytest.raises(RuntimeError):
        boot_time(place)
    assert read_process(os.getpid(), place, booted=0.0) is None
    assert read_variables(os.getpid(), ("HOME",), place) == {}
    assert os.getpid() in psutil.pids()
    assert psutil.cpu_times().idle > 0


def test_a_process_without_a_program_has_ended(machine: Machine) -> None:
    """PID 1 of a pod is not a zombie while other processes of the pod are left."""
    machine.process(700)
    (keepalived,) = find(machine.proc)
    assert not has_ended(keepalived, machine.proc)
    (machine.folder / "700" / "exe").unlink()
    assert has_ended(keepalived, machine.proc)
