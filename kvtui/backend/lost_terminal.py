"""Notices that nobody is at a terminal any more, where no signal says so.

When ``kubectl exec`` ends, containerd 1.6 keeps the terminal of the process in the pod open: there is no SIGHUP and no
end of file, but nobody reads and nobody answers. Each such kvtui keeps its memory.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.backend.output_writer import OutputWriter

TICK_SECONDS = 10.0
"""Between two looks. Looks are counted, not time: a kvtui that was stopped for a day must ask again first."""
IDLE_TICKS = 60  # looks without a key, after which the terminal is asked whether it is there
ASK_TICKS = 6
MAX_UNANSWERED = 5  # questions, ``ASK_TICKS`` apart, until a terminal that has answered before is gone
MAX_UNREAD_TICKS = 90  # looks at which something waits to be written, and nothing was read
QUESTION = "\x1b[6n"  # DSR: where is the cursor? Every terminal answers, the Linux console too


def is_hung_up(*fds: int) -> bool:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, 0)  # a hang-up is reported without asking
    return any(events & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _fd, events in poll.poll(0))


class LostTerminal:
    """``fds`` and ``writer`` are of the terminal; ``ask`` writes ``QUESTION`` to it."""

    def __init__(self, fds: Iterable[int], writer: OutputWriter, ask: Callable[[], None]) -> None:
        self._fds = tuple(fds)
        self._writer = writer
        self._ask = ask
        self._answers = False
        self._idle = self._unanswered = self._unread = self._taken = 0

    def heard(self) -> None:
        """Call it for each key and each answer, in any thread."""
        self._idle = self._unanswered = 0

    def answered(self) -> None:
        self._answers = True
        self.heard()

    def tick(self) -> bool:
        """Returns whether the terminal is gone."""
        return is_hung_up(*self._fds) or self._is_unread() or self._is_silent()

    def _is_unread(self) -> bool:
        is_stuck = not self._writer.is_idle and self._writer.taken == self._taken
        self._unread = self._unread + 1 if is_stuck else 0
        self._taken = self._writer.taken
        return self._unread > MAX_UNREAD_TICKS

    def _is_silent(self) -> bool:
        """A terminal that never answered does not count as gone: it may not know the question."""
        self._idle += 1
        if not self._answers or self._idle < IDLE_TICKS or (self._idle - IDLE_TICKS) % ASK_TICKS:
            return False
        if self._unanswered >= MAX_UNANSWERED:
            return True
        self._unanswered += 1
        self._ask()
        return False
