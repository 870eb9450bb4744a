"""CPU seconds: the cost of a test on a busy machine, where elapsed time says little."""

from __future__ import annotations

import os
from pathlib import Path

PROPERTY = "cpu"
"""Name of the property with a test's CPU seconds in JUnit's XML."""
TICKS = os.sysconf("SC_CLK_TCK")
SESSION, TIMES = 3, slice(11, 15)
"""Fields of /proc/PID/stat after the command, see proc_pid_stat(5): utime, stime, cutime, cstime."""


def cpu_of_this_process() -> float:
    """Returns the CPU seconds of this process and of the children that it has waited for."""
    return sum(os.times()[:4])


def cpu_of_session(session: int) -> float:
    """Returns the CPU seconds of a session's processes and of the children that they have waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # the process ended
        if int(fields[SESSION]) == session:
            ticks += sum(map(int, fields[TIMES]))
    return ticks / TICKS
