"""Reading other namespaces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kvtui.backend.linux import namespaces, procfs
from tests.processes.machine import HOST_NET, POD_MNT, Machine


def test_inodes_are_read_from_the_links(machine: Machine) -> None:
    machine.pod()
    assert namespaces.netns_inode(796, machine.proc) == HOST_NET
    assert procfs.namespace_inode(796, "mnt", machine.proc) == POD_MNT
    assert namespaces.netns_inode(12345, machine.proc) is None
    assert namespaces.netns_inode() == Path("/proc/self/ns/net").stat().st_ino


def test_pids_of_a_pod(machine: Machine) -> None:
    machine.pod()
    assert procfs.ns_pids(804, machine.proc) == (804, 8)
    assert procfs.ns_pids(1, machine.proc) == (1,)
    assert procfs.ns_pids(12345, machine.proc) == ()


@pytest.mark.parametrize("pid", [None, os.getpid()])
def test_our_own_network_is_not_entered(pid: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "enter", _never)
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
    with pytest.raises(
        PermissionError,
        match="no permission to open the network namespace of process 1: run kvtui as root or with CAP_SYS_PTRACE",
    ):
        namespaces.open_in_network(1, lambda: 7)
