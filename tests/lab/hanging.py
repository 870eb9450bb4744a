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
    threads = [t for t in threading.enumerate() if t.name in {"sources", "rtnetlink", "MainThread"}]
    return [
        f"{t.name} {kernel_stack(t.native_id)}\n{''.join(traceback.format_stack(frames[t.ident])[-6:])}"
        for t in threads
        if t.ident in frames
    ]


def kernel_stack(thread: int | None) -> str:
    """Where a thread waits in the kernel."""
    with suppress(OSError):
        return Path(f"/proc/self/task/{thread}/stack").read_text()
    return ""
