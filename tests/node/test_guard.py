"""A source that hangs or fails never freezes or ends kvtui."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.backend.ipvs.reader import IpvsReader
from kvtui.backend.keepalived.log import LogReader
from kvtui.backend.linux import processes
from kvtui.backend.node import Node
from kvtui.backend.node.conf_layer import ConfLayer
from kvtui.backend.node.guard import SourceGuard, run_in_thread, run_jobs
from kvtui.backend.node.kube_layer import KubeLayer
from kvtui.model.ipvs import Protocol
from kvtui.model.settings import KubeSettings
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.observer import Observer
from tests.kit import keepalived
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


BUG = "this is a bug in kvtui"


class Hang:
    """Blocks each caller until ``end``."""

    def __init__(self) -> None:
        self.calls = 0
        self._over = threading.Event()

    def __call__(self, *_args: Any, **_options: Any) -> None:
        self.calls += 1
        self._over.wait(60)

    def end(self) -> None:
        self._over.set()


@pytest.fixture
def hang() -> Iterator[Hang]:
    hang = Hang()
    yield hang
    hang.end()


def boom(*_args: Any, **_options: Any) -> Any:
    raise KeyError("x")


async def test_a_job_that_hangs_is_skipped_and_the_others_run(hang: Hang) -> None:
    done: list[str] = []
    first, second, third = SourceGuard("first"), SourceGuard("second"), SourceGuard("third")
    jobs: list[tuple[SourceGuard, Callable[[], Any]]] = [
        (first, lambda: done.append("first")),
        (second, hang),
        (third, lambda: done.append("third")),
    ]
    await run_jobs(jobs, deadline=0.05)
    assert done == ["first", "third"]
    assert second.is_busy
    await run_jobs(jobs, deadline=0.05)
    assert done == ["first", "third", "first", "third"]
    assert hang.calls == 1, "the job was called again while it hung"
    hang.end()
    await asyncio.to_thread(poll, lambda: not second.is_busy, 60, "its end")
    await run_jobs(jobs, deadline=60)
    assert hang.calls == 2


async def test_each_job_has_its_own_deadline() -> None:
    """A slow reading of the host once left the config unread, and kvtui reported "no keepalived runs here"."""
    done: list[str] = []

    def slow(name: str, seconds: float) -> None:
        time.sleep(seconds)
        done.append(name)

    first, second = SourceGuard("first"), SourceGuard("second")
    await run_jobs([(first, lambda: slow("first", 2.6)), (second, lambda: slow("second", 0.6))], deadline=3)
    assert done == ["first", "second"]


def test_a_late_source_is_degraded_and_keeps_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("kvtui.backend.node.guard.time.monotonic", lambda: now)
    guard = SourceGuard("the config")
    guard.begin()
    ok = Source(SourceName.CONF, SourceState.OK, "", 5.0)
    assert guard.checked(ok) == ok
    now = 103.0
    late = guard.checked(ok)
    assert (late.state, late.detail, late.read_at) == (
        SourceState.DEGRADED, "late: 3 s; the config does not answer", 5.0,
    )  # fmt: skip
    never = guard.checked(Source(SourceName.CONF, SourceState.UNAVAILABLE, "not read yet"))
    assert (never.state, never.detail) == (SourceState.UNAVAILABLE, late.detail)


def test_a_bug_is_an_error_of_its_source_with_one_crash_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = SourceGuard("the config", tmp_path)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert guard.call(boom) is None
    (report,) = tmp_path.glob("kvtui-crash-*.txt")
    assert "KeyError" in report.read_text()
    assert guard.error == (
        f"kvtui failed to read the config (KeyError: 'x'); {BUG}; report: {report}"
    )  # fmt: skip
    assert str(report) in caplog.text
    # a thread of an earlier test may end late and log about its own source
    assert [r.args[0] for r in caplog.records if r.args and "the config" in r.args] == ["the config"]  # type: ignore[index]
    assert guard.call(lambda: 7) == 7
    assert guard.error == ""


async def test_a_call_that_hangs_in_a_thread_times_out(hang: Hang) -> None:
    with pytest.raises(TimeoutError):
        await run_in_thread(hang, 0.05)
    with pytest.raises(KeyError):
        await run_in_thread(boom, 60)
    assert await run_in_thread(lambda: 7, 60) == 7


PLACES = {
    SourceName.CONF: (ConfLayer, "read"),
    SourceName.IPVS: (IpvsReader, "read"),
    SourceName.KUBERNETES: (KubeLayer, "kube"),
    SourceName.KEEPALIVED: (processes, "find"),
    SourceName.HOST: ("kvtui.backend.linux.host.HostLayer", "_read"),
    SourceName.ADVERTS: ("kvtui.backend.adverts.adverts.Capture", "open"),
    SourceName.ADDRESSES: ("kvtui.backend.route.sockets.RouteSockets", "read_all"),
    SourceName.VRRP: ("kvtui.backend.keepalived.dumps.requester.DumpRequester", "read"),
}


def patch(monkeypatch: pytest.MonkeyPatch, name: SourceName, function: Any) -> None:
    place, attribute = PLACES[name]
    if isinstance(place, str):
        monkeypatch.setattr(f"{place}.{attribute}", function)
    else:
        monkeypatch.setattr(place, attribute, function)


@pytest.fixture
def one_keepalived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes kvtui find one keepalived, which has ended already; that is enough for these tests."""
    monkeypatch.setattr(processes, "find", lambda *_args, **_options: (keepalived(),))


async def read_until_detail(name: SourceName, tmp_path: Path, word: str) -> None:
    """Reads until the details of this source, and of no other, have the word: on a busy machine others are late too."""
    observer = Observer(Node(kube=KubeSettings(wanted=False), state_folder=tmp_path, at_once=True), triage=True)
    try:
        while True:
            snapshot = (await observer.observe()).snapshot
            if [s.name for s in snapshot.sources if word in s.detail] == [name]:
                return
            await asyncio.sleep(0.05)
    finally:
        await observer.close()


@pytest.mark.usefixtures("one_keepalived")
@pytest.mark.parametrize("name", PLACES, ids=lambda n: n.value)
async def test_an_unexpected_error_belongs_to_its_source(
    name: SourceName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    patch(monkeypatch, name, boom)
    async with asyncio.timeout(60):
        await read_until_detail(name, tmp_path, BUG)
    assert os.listdir(tmp_path), "there is no crash report"  # noqa: PTH208 - names are enough


@pytest.mark.usefixtures("one_keepalived")
@pytest.mark.parametrize("name", [n for n in PLACES if n not in {SourceName.KUBERNETES, SourceName.ADVERTS}])
async def test_a_source_that_hangs_is_named_and_the_others_continue(
    name: SourceName, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hang: Hang
) -> None:
    monkeypatch.setattr("kvtui.backend.node.guard.DEADLINE", 0.1)
    monkeypatch.setattr("kvtui.backend.node.node.DEADLINE", 0.1)
    monkeypatch.setattr("kvtui.backend.node.network.DEADLINE", 0.1)
    patch(monkeypatch, name, hang)
    async with asyncio.timeout(60):
        await read_until_detail(name, tmp_path, "late: ")


@pytest.mark.usefixtures("one_keepalived")
async def test_errors_of_log_and_connections_are_returned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(LogReader, "read", boom)
    monkeypatch.setattr(IpvsReader, "connections", boom)
    node = Node(kube=KubeSettings(wanted=False), state_folder=tmp_path)
    await node.start(lambda: None)
    try:
        assert BUG in (await node.log()).error
        with pytest.raises(OSError, match=BUG):
            await node.connections((Protocol.TCP, "10.4.0.50", 80, 0), None, 10)
    finally:
        await node.close()
