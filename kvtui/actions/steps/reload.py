"""Sends SIGHUP to keepalived's parent process, after testing its config again."""

from __future__ import annotations

import signal
import time
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon, JournaledFields, running_conf, saved_conf
from kvtui.actions.core.preflight import Scope
from kvtui.actions.core.step import Json, StepError, StepState, os_errors_as
from kvtui.backend.conf.copies import mark
from kvtui.backend.linux.process import read_process
from kvtui.backend.linux.signals import SignalNotHandledError, send_signal

if TYPE_CHECKING:
    from kvtui.actions.core.preflight import Preflight
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

TIMEOUT = 15.0
"""Seconds until the new config must run: 7 ms were measured, 110 ms with 200 instances, over 3 s on a busy node."""
PAUSE = 0.01


class When(StrEnum):
    """When the signal is sent."""

    DO = "do"
    """When the steps are done: after the file was written."""
    UNDO = "undo"
    """When the steps are undone: backwards, so that this one comes before the step that writes the file."""


class TestBefore(StrEnum):
    """How the config is tested again before the signal."""

    CONFINED = "confined"
    FORCED = "forced"
    """Without the part of keepalived's confinement that kvtui cannot copy: the operator forced that."""
    NONE = "none"

    @classmethod
    def as_planned(cls, preflight: Preflight) -> TestBefore:
        if preflight.test is None:
            return cls.NONE
        return cls.FORCED if preflight.test.forced else cls.CONFINED


class ReloadStep(JournaledFields, Struct):
    """A step: keepalived reads its config again.

    A reload cannot be undone by itself: what ran is gone. So an action that writes the file has two of these: one after
    the write that acts when it is done, and one before the write that acts when it is undone.

    Attributes:
        before: digests of what may run while this is pending: what ran at the time of the plan, and the file then (it
            may have had edits that did not run yet; an undo applies them).
        shown: digest of the file that the operator agreed to; None when another step writes the file.
        alone: no step writes the file: then it cannot be undone.
        journaled: it was rebuilt from the journal: what runs shows whether the signal was sent.
        passed: whether it was done, where what runs cannot be read (before 2.2.0). One reload too many does no harm, so
            what the journal does not have was not done.
        test: how the config is tested before the signal, as it was for the plan.
        sent: this run has sent the signal; keepalived may not have read its config yet.
    """

    kind: ClassVar[str] = "hangup"
    journaled_fields = ("daemon", "when", "alone", "before", "shown", "test")

    daemon: Daemon
    when: When
    before: tuple[str, ...] = ()
    shown: str | None = None
    alone: bool = False
    journaled: bool = False
    passed: bool = False
    test: TestBefore = TestBefore.CONFINED
    sent: bool = False

    def describe(self) -> str:
        return self._sends if self.when is When.DO else ""

    def describe_undo(self) -> str:
        return self._sends if self.when is When.UNDO else ""

    @property
    def _sends(self) -> str:
        before = "after testing" if self.test is not TestBefore.NONE else "WITHOUT a config test, after reading"
        return f"reload: SIGHUP to keepalived {self.daemon.pid}, {before} {self.daemon.conf} again"

    def state(self) -> StepState:
        """Compares what runs. A reload that was asked for is sent even if the config has no change."""
        running = self._running()
        if running is None or (self.alone and not self.journaled):
            return StepState.APPLIED if self.passed else StepState.PENDING
        if self.alone:
            return StepState.APPLIED if running.digest == self.shown else StepState.PENDING
        return StepState.PENDING if running.digest in self.before else StepState.APPLIED

    def _running(self) -> Conf | None:
        return running_conf(self.daemon.found())

    def recall(self, *, done: bool) -> None:
        """Takes the journal's word, which counts where what runs cannot be read."""
        self.passed = done

    def do(self) -> None:
        if self.when is When.DO:
            self.reload_once()
        self.passed = True

    def undo(self) -> None:
        if self.alone:
            raise StepError("a reload cannot be undone: restore the old file and reload again")
        if self.when is When.UNDO:
            self.reload_once()
        self.passed = False

    def reload_once(self) -> None:
        """Tests the config again and sends SIGHUP; raises StepError if it was changed, or keepalived refuses it."""
        from kvtui.actions.core.assess_reload import assess_reload  # noqa: PLC0415
        from kvtui.actions.core.preflight import run_preflight  # noqa: PLC0415 - only when it is carried out

        keepalived = self.daemon.found()
        force = self.test is TestBefore.FORCED
        found = run_preflight(keepalived, force=force, scope=Scope.TESTED)
        if self.shown is not None and found.conf is not None and found.conf.digest != self.shown:
            raise StepError(f"{keepalived.conf} was changed since it was shown: check it and try again")
        assessment = assess_reload(found)
        if assessment.fatal:  # perhaps keepalived runs with it already
            assessment = assess_reload(run_preflight(keepalived, force=force))
        if assessment.fatal:
            raise StepError(f"not reloaded, keepalived runs as before: {assessment.fatal[0]}")
        has_copy = mark(keepalived.pid) is not None  # afterwards it may be without one for a moment
        send_sighup(keepalived)
        self.sent = True
        if has_copy:
            _wait_until_it_runs(keepalived)

    @classmethod
    def from_json(cls, data: Json) -> Self:
        made = super().from_json({"test": TestBefore.CONFINED.value, **data})  # an old journal does not have it
        made.journaled = made.passed = True
        return made


def send_sighup(keepalived: Keepalived) -> None:
    """Sends it only to a process that handles it: the default action would end it. Raises StepError."""
    pid = keepalived.pid
    try:
        send_signal(keepalived, signal.SIGHUP)
    except ProcessLookupError as error:
        raise StepError(f"keepalived {pid} is gone: check it and try again") from error
    except SignalNotHandledError as error:
        raise StepError(f"keepalived {pid} does not handle SIGHUP yet, which would end it: try again later") from error
    except PermissionError as error:
        raise StepError(f"no permission to signal keepalived {pid}: run kvtui as root or with CAP_KILL") from error


def _wait_until_it_runs(keepalived: Keepalived) -> None:
    """Waits until the parent has read the file. The verification waits for its children."""
    with os_errors_as(f"{keepalived.conf} cannot be read"):
        wanted = saved_conf(keepalived).digest
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        running = running_conf(keepalived)
        if running is not None and running.digest == wanted:
            return
        if read_process(keepalived.pid) is None:
            raise StepError(f"keepalived {keepalived.pid} ended at the reload: see its log, and `ip addr` for its VIPs")
        time.sleep(PAUSE)
