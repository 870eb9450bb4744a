"""What a reload depends on: the config on disk, the config that runs, and the result of ``keepalived -t``."""

from __future__ import annotations

import time
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.obstacle import obstacle
from kvtui.backend.conf import copies, reader
from kvtui.backend.conf.copies import read_copy, read_running
from kvtui.model.conf import Conf, ProblemKind

if TYPE_CHECKING:
    from kvtui.backend.config_test import ConfigTest
    from kvtui.model.keepalived import Keepalived

MISSING = "does not exist"
YOUNG = 0.3
"""Seconds: a file that was written so recently may still be being written (keepalived-vip truncates, then writes)."""
TIMEOUT = 2.0
"""Seconds to wait for a half-written file to be whole."""
PAUSE = 0.05


class Scope(Enum):
    """What ``keepalived -t`` tests. Each test starts a Python and the container's own program."""

    READ = "nothing"
    TESTED = "the file"
    COMPARED = "the file, and where it has messages the config that runs"


class Preflight(Struct, frozen=True):
    """The config of one keepalived at one moment; None where something could not be read.

    Attributes:
        running: the config that it runs (2.2.0+).
        saved_lines: lines of the file, from ``copies``; with passwords.
        baseline: the same test of the config that runs, which is ``test`` where the file is the same; None also where
            ``test`` is clean, or they were not compared.
        waited: seconds waited for a file that was being written.
        obstacle: why kvtui cannot replace the file; None when it can.
    """

    keepalived: Keepalived
    conf: Conf | None
    error: str = ""
    running: Conf | None = None
    saved_lines: tuple[str, ...] | None = None
    running_lines: tuple[str, ...] | None = None
    test: ConfigTest | None = None
    test_error: str = ""
    baseline: ConfigTest | None = None
    waited: float = 0.0
    obstacle: str | None = None

    @property
    def is_missing(self) -> bool:
        return self.error.endswith(MISSING)

    @property
    def changed(self) -> bool | None:
        """Whether the file differs from the config that runs; None when unknown."""
        if self.conf is None or self.running is None:
            return None
        return self.conf.digest != self.running.digest

    def diff(self) -> str:
        """Returns what a reload would change, passwords masked; empty when nothing, or when unknown."""
        if not self.changed or self.running_lines is None or self.saved_lines is None:
            return ""
        names = ("running", self.keepalived.conf)
        return copies.difference(self.running_lines, self.saved_lines, names=names)


def run_preflight(
    keepalived: Keepalived, *, timeout: float = TIMEOUT, force: bool = False, scope: Scope = Scope.COMPARED
) -> Preflight:
    """Blocking. Writes nothing, and does not disturb keepalived; ``force`` as in ``config_test.run``."""
    config_id = keepalived.config_id
    started = time.monotonic()
    conf, error = _settled(keepalived, timeout)
    waited = time.monotonic() - started
    running = read_running(keepalived.pid, now=time.time(), config_id=config_id)
    saved = baseline = None
    if conf is not None:
        with suppress(OSError):  # it went just now
            saved = copies.saved_lines(keepalived.conf, root=keepalived.root, config_id=config_id)
    test, test_error = (None, "") if scope is Scope.READ else _tested(keepalived, force=force)
    if scope is Scope.COMPARED and test is not None and not test.clean:
        if conf is not None and running is not None and conf.digest == running.digest:
            baseline = test
        elif (copy := read_copy(keepalived.pid)) is not None:
            baseline, _ = _tested(keepalived, force=force, text=copy)
    return Preflight(
        keepalived=keepalived,
        conf=conf,
        error=error,
        running=running,
        saved_lines=saved,
        running_lines=copies.running_lines(keepalived.pid, config_id=config_id),
        test=test,
        test_error=test_error,
        baseline=baseline,
        waited=waited if waited > YOUNG / 2 else 0.0,
        obstacle=obstacle(keepalived.pid, keepalived.conf),
    )


def _settled(keepalived: Keepalived, timeout: float) -> tuple[Conf | None, str]:
    """Returns the config once nothing seems to write it: not young, and complete unless ``timeout`` is over."""
    deadline = time.monotonic() + timeout
    while True:
        conf, error = _read(keepalived)
        if error and not error.endswith(MISSING):  # no permission, say: waiting does not help
            return None, error
        age = time.time() - conf.modified if conf is not None and conf.modified is not None else YOUNG
        young = 0 <= age < YOUNG
        broken = conf is None or not conf.instances or any(p.kind is ProblemKind.SYNTAX for p in conf.problems)
        recent = conf is None or 0 <= age < timeout
        if (not young and not (broken and recent)) or time.monotonic() > deadline:
            return conf, error
        time.sleep(PAUSE)


def _read(keepalived: Keepalived) -> tuple[Conf | None, str]:
    try:
        now = time.time()
        return reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.config_id, now=now), ""
    except FileNotFoundError:
        return None, f"{keepalived.conf} {MISSING}"
    except OSError as error:
        return None, f"{keepalived.conf} cannot be read: {error.strerror or error}"


def _tested(keepalived: Keepalived, *, force: bool, text: str | None = None) -> tuple[ConfigTest | None, str]:
    from kvtui.backend import config_test  # noqa: PLC0415 - heavy

    try:
        return config_test.run(keepalived, text=text, force=force), ""
    except config_test.ConfigTestUnavailableError as why:
        return None, str(why.strerror or why)
