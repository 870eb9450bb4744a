"""A terminal for tests: kvtui on a real pty; pyte, an independent terminal emulator, draws its bytes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from tty import LFLAG
from typing import TYPE_CHECKING, Self

import pyte

from tests.signals import DEFAULT_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PROJECT = Path(__file__).parents[2]
KEYS = {"esc": "\x1b", "enter": "\r", "up": "\x1b[A", "down": "\x1b[B", "pgdn": "\x1b[6~", "end": "\x1b[F"}
ASKED_FOR_FRAMES = b"\x1b[?2026$p"
HAS_FRAMES = b"\x1b[?2026;2$y"
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"
PRESS_AGAIN_SECONDS = 10.0
TIMEOUT = 180.0
"""Seconds until a wait fails; long, because the machine may be busy."""


class PseudoTerminal:
    """Runs kvtui on a pty until the ``with`` block ends.

    Args:
        arguments: kvtui's arguments.
        env: added to a bare environment.
        size: columns and lines.
        stdin: whether stdin is the terminal; otherwise it is empty.
        prefix: a command that runs kvtui, such as ``ip netns exec node-a``.
        command: the program to run; by default this project's kvtui, in this Python.
    """

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        size: tuple[int, int] = (80, 24),
        stdin: bool = True,
        prefix: Sequence[str] = (),
        command: Sequence[str] = (sys.executable, "-m", "kvtui"),
    ) -> None:
        self.raw = b""
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._undrawn = b""
        self._ours, child_fd = pty.openpty()
        self._resize(size)
        variables = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
        try:
            self.process = subprocess.Popen(
                [*DEFAULT_SIGNALS, *prefix, *command, *arguments],
                stdin=child_fd if stdin else subprocess.DEVNULL,
                stdout=child_fd,
                stderr=child_fd,
                cwd=PROJECT,
                env={**variables, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
                start_new_session=True,
                preexec_fn=_controlling if stdin else None,  # noqa: PLW1509 - one ioctl, and no threads run here
            )
        finally:
            os.close(child_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def _resize(self, size: tuple[int, int]) -> None:
        columns, lines = size
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, size: tuple[int, int]) -> None:
        """Resizes the terminal, as when the user drags the window's corner."""
        self._screen.resize(size[1], size[0])
        self._resize(size)
        self.process.send_signal(signal.SIGWINCH)

    @property
    def modes(self) -> int:
        """Returns the terminal's local modes, c_lflag in termios(3)."""
        flags: int = termios.tcgetattr(self._ours)[LFLAG]
        return flags

    @modes.setter
    def modes(self, flags: int) -> None:
        all_modes = termios.tcgetattr(self._ours)
        all_modes[LFLAG] = flags
        termios.tcsetattr(self._ours, termios.TCSANOW, all_modes)

    def press(self, *keys: str) -> None:
        """Types keys by their names in ``KEYS``, or the characters themselves."""
        for key in keys:
            os.write(self._ours, KEYS.get(key, key).encode())

    def _take(self, seconds: float) -> bool:
        """Draws what arrives within the time; returns False at the end of file."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: no process has the terminal open any more
            return False
        if ASKED_FOR_FRAMES in self.raw[-len(ASKED_FOR_FRAMES) + 1 :] + data:
            self.press(HAS_FRAMES.decode())
        self.raw += data
        self._draw(data)
        return bool(data)

    def _draw(self, data: bytes) -> None:
        """Draws whole frames only, as terminals with synchronised output do, so that no partial frame is visible."""
        *frames, rest = (self._undrawn + data).split(FRAME_ENDS)
        for frame in frames:
            self._feed(frame.replace(FRAME_BEGINS, b""))
        before, begins, _ = rest.partition(FRAME_BEGINS)
        if not begins:  # the sequence may arrive in two parts
            part = next(n for n in range(len(FRAME_BEGINS) - 1, -1, -1) if before.endswith(FRAME_BEGINS[:n]))
            before = before[: len(before) - part]
        self._feed(before)
        self._undrawn = rest[len(before) :]

    def _feed(self, data: bytes) -> None:
        if data:  # pyte knows neither SGR with colons nor DECRQM; terminals do not draw them either
            self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def screen(self) -> pyte.Screen:
        """Returns the emulator's screen, with its colours."""
        return self._screen

    def reversed(self, line: int) -> bool:
        """Returns whether the line begins in reverse video, as the table's cursor does if the table has the focus."""
        return bool(self._screen.buffer[line][0].reverse)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Draws until the condition holds."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > deadline or not self._take(0.05):
                message = f"{what}: not within {TIMEOUT:g} s, or kvtui ended; the screen:\n{self.text}"
                raise AssertionError(message)

    def shows(self, *texts: str) -> None:
        """Waits until the screen contains all these texts."""
        self.until(lambda: all(t in self.text for t in texts), f"{texts} on the screen")

    def press_until(self, key: str, text: str, *, shown: bool = True) -> None:
        """Presses a key until the text is (not) shown; repeats it, because a closing dialog swallows keys."""
        pressed_at = float("-inf")

        def is_done() -> bool:
            nonlocal pressed_at
            if (text in self.text) is shown:
                return True
            if time.monotonic() - pressed_at > PRESS_AGAIN_SECONDS:
                pressed_at = time.monotonic()
                self.press(key)
            return False

        self.until(is_done, f"after {key!r}: {text!r} {'shown' if shown else 'gone'}")

    def quiet(self, seconds: float) -> int:
        """Returns how many bytes arrive within this time."""
        before, end = len(self.raw), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._take(left):
                break
        return len(self.raw) - before

    def ended(self) -> int:
        """Draws until kvtui ends; returns its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self._take(0.05) and time.monotonic() < deadline:
            if self.process.poll() is not None and not select.select([self._ours], [], [], 0.05)[0]:
                break
        return self.process.wait(timeout=max(0.1, deadline - time.monotonic()))


def _controlling() -> None:
    """Makes the terminal on stdin the session's controlling terminal, so that job control and SIGHUP work.

    A background script passes ignored signals on to its children.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
