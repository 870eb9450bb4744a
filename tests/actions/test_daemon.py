"""Actions reach the keepalived of their plan and no other process, though PIDs are reused and keepalived restarts."""

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
"""Uses write(2), because the signal may arrive during print(), which is not reentrant."""
WAITS = "print('ready', flush=True);\nwhile True: signal.pause()"


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[str]]:
    """Starts a Python process and waits until it is ready."""
    with subprocess.Popen([*DEFAULT_SIGNALS, sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        try:
            yield child
        finally:
            child.kill()


def seen(pid: int, later: int = 0) -> Keepalived:
    """Returns a keepalived with this PID; ``later`` shifts its start time, as for another process with the same PID."""
    found = read_process(pid)
    assert found is not None
    return keepalived(pid=pid, started=found.started, start_ticks=found.start_ticks + later)


def test_sighup_goes_to_the_process_that_was_read() -> None:
    with process(HANDLES + WAITS) as child:
        send_sighup(seen(child.pid))
        assert child.stdout is not None
        assert child.stdout.readline() == "again\n"


@pytest.mark.parametrize("later", [-360000, -1, 1])
def test_another_process_with_the_same_pid_gets_no_signal(later: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: sent.append(1))
    with (
        process("import signal;" + WAITS) as child,
        pytest.raises(StepError, match=f"keepalived {child.pid} is gone: check it and try again"),
    ):
        send_sighup(seen(child.pid, later))
    assert sent == []


def test_a_process_that_sighup_would_end_gets_no_signal() -> None:
    with process("import signal;" + WAITS) as child:
        with pytest.raises(StepError, match="does not handle SIGHUP yet, which would end it"):
            send_sighup(seen(child.pid))
        assert child.poll() is None


def test_a_process_that_has_ended_cannot_be_signalled() -> None:
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
    """The keepalived processes that run."""
    there: list[Keepalived] = []
    monkeypatch.setattr(processes, "find", lambda only=None: [k for k in there if only in {None, k.pid}])
    return there


def test_a_restarted_keepalived_is_found_by_its_config_and_namespaces(running: list[Keepalived]) -> None:
    old = keepalived(pid=os.getpid(), mntns=7, netns=8)
    meant = Daemon.of(old)
    running.append(old)
    assert meant.found() == old
    restarted = keepalived(pid=4, mntns=7, netns=8)
    running[:] = [keepalived(pid=3, mntns=6, netns=8), restarted]
    assert Daemon(4_000_000, 1, meant.conf, 7, 8).found() == restarted


def test_a_keepalived_in_another_container_does_not_replace_it(running: list[Keepalived]) -> None:
    running[:] = [keepalived(pid=3, mntns=6, netns=8), keepalived(pid=4, mntns=7, netns=8, conf="/other")]
    with pytest.raises(StepError, match="no other keepalived replaced it in the same namespaces"):
        Daemon(4_000_000, 1, keepalived().conf, 7, 8).found()


def test_a_reused_pid_is_not_read_or_written(running: list[Keepalived], monkeypatch: pytest.MonkeyPatch) -> None:
    """The PID is that of this process, but keepalived started earlier: this root is not that of keepalived."""
    monkeypatch.setattr(processes, "root_of", lambda _pid: pytest.fail("the root of another process"))
    meant = Daemon(os.getpid(), start_ticks(os.getpid()) - 1, "/c", 7, 8)
    assert not meant.is_same_process()
    assert running == []
    with pytest.raises(StepError, match="no longer runs"):
        meant.root()
