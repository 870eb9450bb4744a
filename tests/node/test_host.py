"""HostLayer: CPU, memory, disk and NICs of this machine."""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

import psutil
from msgspec.structs import replace

from kvtui.backend.linux.host import INTERVAL, HostLayer, shares
from kvtui.model.host import Host, Nic
from kvtui.model.source import SourceState
from kvtui.presenters.sources import host_lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

Times = namedtuple("Times", "user nice system idle iowait irq softirq steal guest guest_nice")  # noqa: PYI024 - as psutil's
HOST = Host(
    cpu=12.4,
    steal=0.6,
    load=(0.5, 0.4, 0.3),
    cores=2,
    memory_total=8_000_000_000,
    memory_available=3_100_000_000,
    state_folder="/var/lib/kvtui",
    disk_total=20_000_000_000,
    disk_free=12_000_000_000,
    nics=(Nic("eth0", up=True, speed=1000, mtu=1500, errors_in=0, errors_out=0, drops_in=0, drops_out=0),),
)


def test_this_machine(tmp_path: Path) -> None:
    layer = HostLayer(tmp_path / "not" / "there" / "yet")
    layer.read(100.0)
    host = layer.value
    assert host is not None
    assert (host.cpu, host.steal) == (None, None)  # no earlier reading
    assert host.cores == psutil.cpu_count()
    assert 0 < host.memory_available < host.memory_total
    assert host.disk_total == psutil.disk_usage(str(tmp_path)).total
    assert "lo" not in {nic.name for nic in host.nics}
    assert (layer.source().state, layer.source().read_at) == (SourceState.OK, 100.0)


def test_the_host_is_read_at_most_once_per_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    times = psutil.cpu_times()
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)  # a stopped clock
    layer = HostLayer()
    layer.read(100.0)
    first = layer.value
    layer.read(100.0 + INTERVAL / 2)
    assert layer.value is first
    layer.read(100.0 + INTERVAL)
    assert layer.value is not None
    assert layer.value is not first
    assert layer.value.cpu is None


def test_guest_time_is_counted_once_and_steal_is_separate() -> None:
    before = Times(*[0.0] * 10)
    now = Times(user=30.0, nice=0, system=10, idle=40, iowait=5, irq=0, softirq=5, steal=10, guest=20, guest_nice=0)
    assert shares(before, now) == (45.0, 10.0)
    assert shares(now, now) == (None, None)


def test_an_unreadable_host_is_unavailable_with_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    layer = HostLayer()
    layer.read(100.0)
    assert layer.value is None
    assert layer.source().state is SourceState.UNAVAILABLE
    assert "Permission denied" in layer.source().detail


def test_the_host_line_names_nics_that_lose_packets() -> None:
    assert host_lines(HOST) == [
        "CPU 12%, steal 1%, load 0.50 0.40 0.30, 2 cores, memory 3.1GB of 8.0GB free",
        "/var/lib/kvtui 12GB free",
    ]
    (nic,) = HOST.nics
    lossy = replace(HOST, cpu=None, nics=(nic, replace(nic, name="eth1", errors_in=3, drops_out=1200)))
    first, second = host_lines(lossy)
    assert first.startswith("load 0.50")
    assert second == "/var/lib/kvtui 12GB free, eth1 3 errors and 1.2k drops"
