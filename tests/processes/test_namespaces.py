"""Looking into other namespaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvtui.backend.linux import namespaces, procfs
from kvtui.backend.linux.files import resolve_inside
from tests.processes.machine import HOST_NET, POD_MNT, Machine


def test_inodes_are_those_of_the_links(machine: Machine) -> None:
    machine.pod()
    assert namespaces.netns_inode(796, machine.proc) == HOST_NET
    assert namespaces.mntns_inode(796, machine.proc) == POD_MNT
    assert namespaces.netns_inode(12345, machine.proc) is None
    assert namespaces.netns_inode() == Path("/proc/self/ns/net").stat().st_ino


def test_pids_of_a_pod(machine: Machine) -> None:
    machine.pod()
    assert procfs.ns_pids(804, machine.proc) == (804, 8)
    assert procfs.ns_pids(1, machine.proc) == (1,)
    assert procfs.ns_pids(12345, machine.proc) == ()


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/var/run/a", "run/a"),
        ("/rel/a", "run/a"),
        ("/up/../../..//run/./a", "run/a"),
        ("/var/run/missing/b", "run/missing/b"),
        ("/run/a/b", "run/a/b"),
        ("/", ""),
    ],
)
def test_links_are_followed_inside_the_root(tmp_path: Path, path: str, inside: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").touch()
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "run").symlink_to("/run")
    (tmp_path / "rel").symlink_to("var/../run")
    (tmp_path / "up").symlink_to("../../..")
    assert Path(resolve_inside(str(tmp_path), path)) == tmp_path / inside


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("/a")
    with pytest.raises(OSError, match="too many symbolic links in /a"):
        resolve_inside(str(tmp_path), "/a")


def test_our_own_root_is_a_root_too(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    assert resolve_inside("", f"{tmp_path}/a") == f"{tmp_path.resolve()}/b"


@pytest.mark.parametrize("pid", [None, os.getpid()])
def test_our_own_network_is_not_entered(pid: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_enter", _never)
    assert namespaces.open_in_network(pid, lambda: 7) == 7


def _never(_fd: int, _pid: int) -> None:
    raise AssertionError


def test_a_factory_may_fail() -> None:
    with pytest.raises(ZeroDivisionError):
        namespaces.open_in_network(None, lambda: 1 // 0)


def test_a_vanished_process_is_named() -> None:
    with pytest.raises(ProcessLookupError, match="process 2147483647 is gone"):
        namespaces.open_in_network(2147483647, lambda: 7)


def test_missing_rights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "no")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="process 1 may not be opened: run kvtui as root or with CAP_SYS_PTRACE"):
        namespaces.open_in_network(1, lambda: 7)
