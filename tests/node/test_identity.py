"""After a change of keepalived kvtui keeps only the data that is still valid."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.backend.linux import processes
from kvtui.backend.node import Node
from kvtui.backend.node.daemon import DaemonLayers
from kvtui.backend.node.network import NetworkLayers
from kvtui.backend.node.processes_layer import LOOK_SECONDS, SCAN_SECONDS, ProcessesLayer
from kvtui.model.keepalived import Children, Keepalived, KeepalivedNotFoundError
from kvtui.model.settings import KubeSettings
from tests.kit import keepalived

if TYPE_CHECKING:
    from collections.abc import Callable

ONE = replace(keepalived(), pid=100, start_ticks=5, children=Children(vrrp=101, checker=102))


def daemon(of: Keepalived | None, before: DaemonLayers | None = None) -> DaemonLayers:
    return DaemonLayers(of, signals=True, changed=lambda: None, state_folder=None, before=before)


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (replace(ONE, started=ONE.started + 3600), {"conf", "vrrp", "log"}),  # the clock was set
        (replace(ONE, children=Children(vrrp=201, checker=102)), {"conf", "log"}),
        (replace(ONE, children=Children()), {"conf", "log"}),
        (replace(ONE, tmpdir="/var/tmp"), {"conf", "log"}),
        (replace(ONE, conf="/etc/other.conf"), {"vrrp", "log"}),
        (replace(ONE, start_ticks=6), set()),
        (replace(ONE, mntns=7), set()),
        (replace(ONE, pid=200), set()),
        (None, {"conf", "log"}),
    ],
)
def test_only_valid_data_is_kept(other: Keepalived | None, kept: set[str]) -> None:
    before = daemon(ONE)
    before.log = object()  # type: ignore[assignment]  # only its identity matters
    after = daemon(other, before)
    assert {name for name in ("conf", "vrrp", "log") if getattr(after, name) is getattr(before, name)} == kept
    assert before.is_of(other) is (kept == {"conf", "vrrp", "log"})


class Machine:
    """Replaces the machine's processes.

    Attributes:
        found: the result of a scan.
        mark: fingerprint of the chosen keepalived.
        scans: number of scans of all processes.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: tuple[Keepalived, ...] = (ONE,)
        self.mark = 0
        self.scans = 0
        self.now = 0.0
        self.known: tuple[Keepalived, ...] = self.found
        monkeypatch.setattr(processes, "find", self.find)
        monkeypatch.setattr(processes.Newcomers, "include_keepalived", lambda *_: self.found != self.known)
        monkeypatch.setattr(processes, "fingerprint", lambda _chosen: ((self.mark, 0, "S", 0),))

    def find(self) -> tuple[Keepalived, ...]:
        self.scans += 1
        self.known = self.found
        return self.found

    def layer(self, pid: int | None = None) -> ProcessesLayer:
        return ProcessesLayer(pid, lambda: self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def test_processes_are_scanned_when_the_chosen_one_changes_and_periodically(machine: Machine) -> None:
    layer = machine.layer()
    scans = []
    for now, mark in ((0.0, 0), (0.1, 0), (0.2, 1), (0.3, 1), (SCAN_SECONDS, 1), (0.3 + SCAN_SECONDS, 1)):
        machine.now, machine.mark = now, mark
        layer.read()
        scans.append(machine.scans)
    assert scans == [1, 1, 2, 2, 2, 3]


@pytest.mark.parametrize(
    ("now", "same"),
    [
        (((7, 1, "S", 0b11), (8, 2, "S", 0b1)), True),
        (((7, 1, "S", 0), (8, 2, "S", 0b1)), True),  # it has run for a minute: its signals are not read
        (((7, 1, "S", 0b111), (8, 2, "S", 0b1)), False),
        (((7, 1, "T", 0b11), (8, 2, "S", 0b1)), False),
        (((7, 3, "S", 0b11), (8, 2, "S", 0b1)), False),
        (((7, 1, "S", 0b11),), False),
        (((7, 1, "S", 0b11), (8, 0, "", 0)), False),
    ],
)
def test_fingerprints_of_the_same_process(now: processes.Fingerprint, same: bool) -> None:
    assert processes.is_same(((7, 1, "S", 0b11), (8, 2, "S", 0b1)), now) is same


def test_the_successor_in_the_same_namespace_is_chosen(machine: Machine) -> None:
    layer = machine.layer()
    layer.read()
    elsewhere = replace(ONE, pid=50, netns=99, own_netns=False)
    machine.mark, machine.found = 1, (elsewhere,)
    layer.read()
    assert layer.chosen is None
    successor = replace(ONE, pid=300)
    machine.found = (elsewhere, successor)
    layer.read()
    assert layer.chosen is successor


def test_another_keepalived_that_ends_is_no_longer_listed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(ONE, pid=50, netns=99, own_netns=False)
    layer = machine.layer()
    machine.found = (ONE, other)
    layer.read()
    machine.now += LOOK_SECONDS
    layer.read()
    monkeypatch.setattr(machine, "found", (ONE,))
    monkeypatch.setattr(processes.Newcomers, "include_keepalived", lambda *_: False)
    monkeypatch.setattr(processes, "fingerprint", lambda k: () if k is other else ((0, 0, "S", 0),))
    machine.now += LOOK_SECONDS
    layer.read()
    assert layer.found == (ONE,)


def test_a_pid_without_keepalived_is_an_error_at_the_start(machine: Machine) -> None:
    layer = machine.layer(pid=4711)
    layer.read()
    assert isinstance(layer.not_found, KeepalivedNotFoundError)


async def test_when_the_clock_is_set_everything_is_read_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    start = NetworkLayers.start

    async def counted(network: NetworkLayers) -> None:
        opened.append(network)
        await start(network)

    monkeypatch.setattr(NetworkLayers, "start", counted)
    clock: Callable[[], float] = time.time
    node = Node(kube=KubeSettings(wanted=False))
    await node.start(lambda: None)
    try:
        await node.read()
        assert len(opened) == 1
        scans = machine.scans
        monkeypatch.setattr(time, "time", lambda: clock() - 3600)
        snapshot = await node.read()
        assert len(opened) == 2
        assert machine.scans > scans, "processes must be scanned again, because their start times moved"
        await node.read()
        assert len(opened) == 2
        assert all((s.age(snapshot.time) or 0) < 60 for s in snapshot.sources)
    finally:
        await node.close()
    assert machine.scans
