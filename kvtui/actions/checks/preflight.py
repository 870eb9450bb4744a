"""Reads what a reload depends on: the file, the config that runs, and the result of ``keepalived -t``."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from kvtui.actions.checks.obstacle import obstacle
from kvtui.actions.core.preflight import MISSING, Preflight, Scope
from kvtui.backend import config_test
from kvtui.backend.conf import copies, reader
from kvtui.backend.conf.running import read_copy, read_running
from kvtui.model.conf import ProblemKind

if TYPE_CHECKING:
    from kvtui.backend.config_test import ConfigTest
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

YOUNG = 0.3
"""Seconds: a file that was written so recently may still be being written (keepalived-vip truncates, then writes)."""
TIMEOUT = 2.0
"""Seconds to wait for a half-written file to be whole."""
PAUSE = 0.05


def run_preflight(
    keepalived: Keepalived, *, timeout: float = TIMEOUT, force: bool = False, scope: Scope = Scope.COMPARED
) -> Preflight:
    """Reads all of it; blocking. Writes nothing, and does not disturb keepalived.

    Args:
        keepalived: whose config.
        timeout: seconds to wait for a half-written file.
        force: ``keepalived -t`` runs also where it lacks a filter or label of keepalived's.
        scope: what is tested.
    """
    config_id = keepalived.instance_name
    started = time.monotonic()
    conf, error = _settled(keepalived, timeout)
    waited = time.monotonic() - started
    running = read_running(keepalived.pid, now=time.time(), config_id=config_id)
    saved = None
    if conf is not None:
        try:
            saved = copies.saved_lines(keepalived.conf, root=keepalived.root, config_id=config_id)
        except OSError:  # it went just now
            saved = None
    test, test_error = (None, "") if scope is Scope.READ else _tested(keepalived, force=force)
    baseline = None
    if scope is Scope.COMPARED and test is not None and not test.clean:
        is_same = conf is not None and running is not None and conf.digest == running.digest
        baseline = test if is_same else _tested_running(keepalived, force=force)
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
        return reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.instance_name, now=now), ""
    except FileNotFoundError:
        return None, f"{keepalived.conf} {MISSING}"
    except OSError as error:
        return None, f"{keepalived.conf} cannot be read: {error.strerror or error}"


def _tested_running(keepalived: Keepalived, *, force: bool) -> ConfigTest | None:
    copy = read_copy(keepalived.pid)
    if copy is None:
        return None
    with suppress(config_test.ConfigTestUnavailableError):  # it ended just now
        return config_test.run(keepalived, text=copy, force=force)
    return None


def _tested(keepalived: Keepalived, *, force: bool) -> tuple[ConfigTest | None, str]:
    try:
        return config_test.run(keepalived, force=force), ""
    except config_test.ConfigTestUnavailableError as why:
        return None, str(why.strerror or why)
