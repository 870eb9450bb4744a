"""The keepalived that is meant, and no other process: PIDs are given again, and keepalived is restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError
from kvtui.actions.steps.reload import send_sighup
from kvtui.backend.linux import processes
from kvtui.backend.linux.process import read_process
from kvtui.backend.linux.procfs import start_ticks
from tests.kit import keepalived
from tests.signals import DEFAULT_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.keepalived import Keepalived

HANDLES = "import os, signal; signal.signal(1, lambda *_: os.write(1, b'again\\n'));"
"""By write(2): the signal may come while print() runs, which must not be called again from its inside."""
WAITS = "print('ready', flush=True);\nwhile True: signal.pause()"


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python that is ready."""
    with subprocess.Popen([*DEFAULT_SIGNALS, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            yield child
        finally:
            child.kill()


def seen(pid: int, later: int = 0) -> Keepalived:
    """As if that process were keepalived; ``later``: it was another one, which started so much earlier or later."""
    found = read_process(pid)
    assert found is not None
    return keepalived(pid=pid, started=found.started, start_ticks=found.start_ticks + later)


def test_sighup_goes_to_the_very_process() -> None:
    with process(HANDLES + WAITS) as child:
        send_sighup(seen(child.pid))
        assert child.stdout is not None
        assert child.stdout.readline() == "again\n"


@pytest.mark.parametrize("later", [-360000, -1, 1])
def test_a_process_that_was_given_the_pid_later_gets_no_signal(later: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: sent.append(1))
    with (
        process("import signal;" + WAITS) as child,
        pytest.raises(StepError, match=f"keepalived {child.pid} is gone: check it and try again"),
    ):
        send_sighup(seen(child.pid, later))
    assert sent == []


def test_one_that_would_die_of_it_gets_no_signal() -> None:
    with process("import signal;" + WAITS) as child:
        with pytest.raises(StepError, match="does not handle SIGHUP yet, which would end it"):
            send_sighup(seen(child.pid))
        assert child.poll() is None


def test_one_that_has_ended_cannot_be_signalled() -> None:
    with process(HANDLES + WAITS) as child:
        there = seen(child.pid)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(StepError, match="is gone: check it and try again"):  # a zombie
            send_sighup(there)
        child.wait()
        with pytest.raises(StepError, match="is gone: check it and try again"):
            send_sighup(there)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[Keepalived]:
    """The keepaliveds that run."""
    there: list[Keepalived] = []
    monkeypatch.setattr(processes, "find", lambda only=None: [k for k in there if only in {None, k.pid}])
    return there


def test_it_is_found_again_after_a_restart_by_its_config_and_namespaces(running: list[Keepalived]) -> None:
    old = keepalived(pid=os.getpid(), mntns=7, netns=8)
    meant = Daemon.of(old)
    running.append(old)
    assert meant.found() == old
    restarted = keepalived(pid=4, mntns=7, netns=8)
    running[:] = [keepalived(pid=3, mntns=6, netns=8), restarted]
    assert Daemon(4_000_000, 1, meant.conf, 7, 8).found() == restarted


def test_in_another_container_it_is_another_one(running: list[Keepalived]) -> None:
    running[:] = [keepalived(pid=3, mntns=6, netns=8), keepalived(pid=4, mntns=7, netns=8, conf="/other")]
    with pytest.raises(StepError, match="none took its place in the same namespaces"):
        Daemon(4_000_000, 1, keepalived().conf, 7, 8).found()


def test_a_pid_that_was_given_again_is_neither_asked_nor_written_to(
    running: list[Keepalived], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own PID, but of a process that started earlier: its root is not that of keepalived."""
    monkeypatch.setattr(processes, "root_of", lambda _pid: pytest.fail("the root of another process"))
    meant = Daemon(os.getpid(), start_ticks(os.getpid()) - 1, "/c", 7, 8)
    assert not meant.is_same_process()
    assert running == []
    with pytest.raises(StepError, match="does not run any more"):
        meant.root()
