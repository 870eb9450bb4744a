"""Everything that a reload depends on, read at one moment: the file, what runs, and what ``keepalived -t`` says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kvtui.actions.core.backend import MACHINE, Site
from kvtui.actions.steps.file import obstacle
from kvtui.backend import config_test
from kvtui.backend.conf import copies, reader
from kvtui.backend.conf.running import read_copy, read_running
from kvtui.model.conf import ProblemKind
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from kvtui.backend.config_test import ConfigTest
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

YOUNG = 0.3
"""Seconds: a file that was written so recently may still be being written (keepalived-vip truncates, then writes)."""
PATIENCE = 2.0
"""Seconds to wait for a half-written file to be whole."""
PAUSE = 0.05
MISSING = "does not exist"


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found; None where it could not be read.

    Attributes:
        keepalived: whose.
        conf: its config on disk.
        trouble: why ``conf`` is None; else empty.
        running: what it runs (2.2.0+).
        saved_lines: of the file, as ``copies`` has them; with passwords.
        running_lines: of what runs.
        test: ``keepalived -t`` of the file.
        test_trouble: why it could not be tested; else empty.
        baseline: the same test of what runs; None also where ``test`` had nothing to say.
        waited: seconds waited for a file that was being written.
        obstacle: why the file cannot be replaced by kvtui; None when it can.
        at: seconds since the epoch.
        site: where it was found, and is to be changed.
    """

    keepalived: Keepalived
    conf: Conf | None
    trouble: str = ""
    running: Conf | None = None
    saved_lines: tuple[str, ...] | None = None
    running_lines: tuple[str, ...] | None = None
    test: ConfigTest | None = None
    test_trouble: str = ""
    baseline: ConfigTest | None = None
    waited: float = 0.0
    obstacle: str | None = None
    at: float = 0.0
    site: Site = MACHINE

    @property
    def is_missing(self) -> bool:
        """The file is not there: a reload would find nothing to run."""
        return self.trouble.endswith(MISSING)

    @property
    def changed(self) -> bool | None:
        """Whether the file is not what runs; None when that cannot be told."""
        if self.conf is None or self.running is None:
            return None
        return self.conf.digest != self.running.digest

    def diff(self) -> str:
        """What a reload would change, passwords masked; empty when nothing, or when it cannot be told."""
        if not self.changed or self.running_lines is None or self.saved_lines is None:
            return ""
        names = ("running", self.keepalived.conf)
        return copies.difference(self.running_lines, self.saved_lines, names=names)


def survey(keepalived: Keepalived, *, patience: float = PATIENCE) -> Survey:
    """Look; blocking. Nothing is written, and keepalived is not disturbed.

    Args:
        keepalived: whose config.
        patience: seconds to wait for a file that is being written.
    """
    config_id = keepalived.instance_name
    started = time.monotonic()
    conf, trouble = _settled(keepalived, patience)
    waited = time.monotonic() - started
    running = read_running(keepalived.pid, now=time.time(), config_id=config_id)
    saved = None
    if conf is not None:
        try:
            saved = copies.saved_lines(keepalived.conf, root=keepalived.root, config_id=config_id)
        except OSError:  # it went just now
            saved = None
    test, test_trouble = _tested(keepalived)
    baseline = None
    if test is not None and not test.clean and (copy := read_copy(keepalived.pid)) is not None:
        baseline = config_test.run(keepalived, text=copy)
    return Survey(
        keepalived=keepalived,
        conf=conf,
        trouble=trouble,
        running=running,
        saved_lines=saved,
        running_lines=copies.running_lines(keepalived.pid, config_id=config_id),
        test=test,
        test_trouble=test_trouble,
        baseline=baseline,
        waited=waited if waited > YOUNG / 2 else 0.0,
        obstacle=obstacle(keepalived.pid, keepalived.conf),
        at=time.time(),
    )


def _settled(keepalived: Keepalived, patience: float) -> tuple[Conf | None, str]:
    """The config once nobody seems to be writing it: no longer young, and whole unless ``patience`` is over."""
    deadline = time.monotonic() + patience
    while True:
        conf, trouble = _read(keepalived)
        if trouble and not trouble.endswith(MISSING):  # no permission, say: waiting does not help
            return None, trouble
        age = time.time() - conf.modified if conf is not None and conf.modified is not None else YOUNG
        young = 0 <= age < YOUNG
        broken = conf is None or not conf.instances or any(p.kind is ProblemKind.SYNTAX for p in conf.problems)
        recent = conf is None or 0 <= age < patience
        if (not young and not (broken and recent)) or time.monotonic() > deadline:
            return conf, trouble
        time.sleep(PAUSE)


def _read(keepalived: Keepalived) -> tuple[Conf | None, str]:
    try:
        now = time.time()
        return reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.instance_name, now=now), ""
    except FileNotFoundError:
        return None, f"{keepalived.conf} {MISSING}"
    except OSError as error:
        return None, f"{keepalived.conf} cannot be read: {error.strerror or error}"


def _tested(keepalived: Keepalived) -> tuple[ConfigTest | None, str]:
    try:
        return config_test.run(keepalived), ""
    except config_test.ConfigTestUnavailable as why:
        return None, str(why.strerror or why)
