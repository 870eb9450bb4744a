"""Shows where kvtui's threads wait, in Python and in the kernel, for the report of a hang."""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path


def thread_stacks() -> list[str]:
    """Returns the Python and kernel stacks of the main thread and of those that read sources."""
    frames = sys._current_frames()  # noqa: SLF001 - documented for debugging
    threads = {t.ident: t for t in threading.enumerate()}
    named = {t.native_id for t in threads.values()}
    found = []
    for ident, frame in frames.items():
        thread = threads.get(ident)
        if thread is None or thread.name in {"rtnetlink", "MainThread"}:
            stack = "".join(traceback.format_stack(frame)[-6:])
            found.append(f"{thread.name} {kernel_stack(thread.native_id)}\n{stack}" if thread else f"a source\n{stack}")
    # the threads of sources have no name
    others = (int(task.name) for task in Path("/proc/self/task").iterdir())
    return [*found, *(f"a source {kernel_stack(task)}" for task in others if task not in named)]


def kernel_stack(thread: int | None) -> str:
    """Returns a thread's stack in the kernel."""
    with suppress(OSError):
        return Path(f"/proc/self/task/{thread}/stack").read_text()
    return ""
