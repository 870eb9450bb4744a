# ruff: noqa: INP001 - a script that prints its table
"""kvtui with a sample of its stack at every hundredth of a second of CPU, to show where its time goes.

    python -m benchmarks.sampled FILE BEGIN SECONDS [kvtui's arguments ...]

Sampling starts BEGIN seconds after the start and lasts SECONDS; then FILE has the table. py-spy and perf do not run in
the lab's kernel. SIGPROF comes by CPU time of the whole process, system calls included, and is handled in the main
thread; while that one waits, the sample is the stack of the thread that works.
"""

from __future__ import annotations

import runpy
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

EVERY = 0.01
"""Seconds of CPU between two samples."""
WAITING = frozenset({"selectors.py", "threading.py", "queue.py"})
"""Files in which a thread waits; also the end of ``concurrent/futures/thread.py``'s worker between two tasks."""


class Sampler:
    """Counts stacks.

    Args:
        file: the file of the table.
        begin: seconds until sampling starts.
        seconds: how long it samples.
    """

    def __init__(self, file: Path, begin: float, seconds: float) -> None:
        self._file = file
        self._begin = time.monotonic() + begin
        self._seconds = seconds
        self._inside: Counter[str] = Counter()
        self._own: Counter[str] = Counter()
        self._looks = 0
        self._used = 0.0

    def start(self) -> None:
        """Starts the timer of SIGPROF."""
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)

    def _look(self, _number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now < self._begin:
            self._used = time.process_time()
            return
        if now > self._begin + self._seconds:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._write()
            return
        self._looks += 1
        stack = _stack(_working(frame))
        self._own[stack[0]] += 1
        self._inside.update(set(stack))

    def _write(self) -> None:
        used = time.process_time() - self._used
        lines = [f"{self._looks} looks in {self._seconds:.0f} s; {100 * used / self._seconds:.1f} % of a core"]
        for title, counted in (("inside", self._inside), ("itself", self._own)):
            lines += ["", title]
            lines += [f"{100 * n / max(1, self._looks):5.1f} %  {name}" for name, n in counted.most_common(60)]
        self._file.write_text("\n".join(lines) + "\n")


def _working(main: FrameType | None) -> FrameType | None:
    """Returns the stack that uses the CPU: the main thread's, unless it waits and another does not."""
    if main is None or _name(main) not in WAITING:
        return main
    others = (frame for frame in sys._current_frames().values() if frame is not main)  # noqa: SLF001 - for profilers
    busy = (f for f in others if _name(f) not in WAITING and f.f_code.co_name not in {"_worker", "_look", "_working"})
    return next(busy, main)


def _name(frame: FrameType) -> str:
    return frame.f_code.co_filename.rpartition("/")[2]


def _stack(frame: FrameType | None) -> list[str]:
    """Returns the stack, innermost frame first."""
    names = []
    while frame is not None:
        folder, _, name = frame.f_code.co_filename.rpartition("/")
        names.append(f"{folder.rpartition('/')[2]}/{name}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return names or ["?"]


def main() -> None:
    """Runs kvtui."""
    file, begin, seconds, *arguments = sys.argv[1:]
    sys.argv = ["kvtui", *arguments]
    Sampler(Path(file), float(begin), float(seconds)).start()
    runpy.run_module("kvtui", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
