"""Seconds of CPU: what a test costs on a full machine, where its seconds on the clock say little."""

from __future__ import annotations

import os
from pathlib import Path

PROPERTY = "cpu"
"""Name of a test's seconds of CPU in JUnit's XML."""
TICKS = os.sysconf("SC_CLK_TCK")
SESSION, TIMES = 3, slice(11, 15)
"""Fields of /proc/PID/stat behind the command, see proc_pid_stat(5): utime, stime, cutime, cstime."""


def cpu_of_this_process() -> float:
    """Of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def cpu_of_session(session: int) -> float:
    """Of all processes of a session, and of those that they have waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended
        if int(fields[SESSION]) == session:
            ticks += sum(map(int, fields[TIMES]))
    return ticks / TICKS
