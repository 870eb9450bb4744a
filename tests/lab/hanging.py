"""Where kvtui's readings are that hang, in its code and in the kernel."""

from __future__ import annotations

import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path


def readings() -> list[str]:
    """Where the readings that run now are, should one hang."""
    frames = sys._current_frames()  # noqa: SLF001 - documented, for debugging
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
    """Where a thread waits in the kernel."""
    with suppress(OSError):
        return Path(f"/proc/self/task/{thread}/stack").read_text()
    return ""
