"""All processes that descend from one, in whatever session or process group they are."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROUNDS = 100
"""Looks for what was started while the others were killed; a whole process group is killed at once."""


def signal_descendants(pid: int, number: signal.Signals) -> int:
    """Sends a signal to all that descend from a process, not to itself; returns how many there were."""
    count, groups = 0, {0, os.getpgid(0), _group(pid)}
    for found in _descendants(pid):
        count += 1
        group = _group(found)
        with suppress(ProcessLookupError, PermissionError):
            if group not in groups:
                groups.add(group)
                os.killpg(group, number)
            elif group == _group(pid):
                os.kill(found, number)
    return count


def kill_descendants(pid: int) -> None:
    """Kills all that descend from a process that is the parent of their orphans (``PR_SET_CHILD_SUBREAPER``)."""
    for _ in range(MAX_ROUNDS):
        if not signal_descendants(pid, signal.SIGKILL):
            return


def _descendants(pid: int) -> Iterator[int]:
    with suppress(psutil.Error):
        for found in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                if found.status() != psutil.STATUS_ZOMBIE:
                    yield found.pid


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0
