"""A terminal for tests: a real pty with kvtui on it, its bytes drawn by pyte, somebody else's terminal emulator."""

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
"""Seconds until a condition has failed: the machine may be busy."""


class PseudoTerminal:
    """kvtui on a pty, until the ``with`` block ends.

    Args:
        arguments: of kvtui.
        env: added to a bare environment.
        size: columns and lines.
        stdin: whether stdin is the terminal; else it is empty.
        prefix: a command that runs kvtui, such as ``ip netns exec node-a``.
        command: what kvtui is called; else this project's own, in this Python.
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
        self._ours, theirs = pty.openpty()
        self._resize(size)
        kept = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
        try:
            self.process = subprocess.Popen(
                [*DEFAULT_SIGNALS, *prefix, *command, *arguments],
                stdin=theirs if stdin else subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                cwd=PROJECT,
                env={**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(env or {})},
                start_new_session=True,
                preexec_fn=_controlling if stdin else None,  # noqa: PLW1509 - one ioctl, and no threads run here
            )
        finally:
            os.close(theirs)

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
        """As when a person pulls at the window's corner."""
        self._screen.resize(size[1], size[0])
        self._resize(size)
        self.process.send_signal(signal.SIGWINCH)

    @property
    def modes(self) -> int:
        """The terminal's local modes, see termios(3): c_lflag."""
        flags: int = termios.tcgetattr(self._ours)[LFLAG]
        return flags

    @modes.setter
    def modes(self, flags: int) -> None:
        all_modes = termios.tcgetattr(self._ours)
        all_modes[LFLAG] = flags
        termios.tcsetattr(self._ours, termios.TCSANOW, all_modes)

    def press(self, *keys: str) -> None:
        """Type: names of ``KEYS``, or the characters themselves."""
        for key in keys:
            os.write(self._ours, KEYS.get(key, key).encode())

    def _take(self, seconds: float) -> bool:
        """Draw what arrives within the time; False at the end of file."""
        ready, _, _ = select.select([self._ours], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        if ASKED_FOR_FRAMES in self.raw[-len(ASKED_FOR_FRAMES) + 1 :] + data:
            self.press(HAS_FRAMES.decode())
        self.raw += data
        self._draw(data)
        return bool(data)

    def _draw(self, data: bytes) -> None:
        """Draw whole frames only, as terminals with synchronised output do: nobody sees half of one."""
        *frames, rest = (self._undrawn + data).split(FRAME_ENDS)
        for frame in frames:
            self._feed(frame.replace(FRAME_BEGINS, b""))
        before, begins, _ = rest.partition(FRAME_BEGINS)
        if not begins:  # its bytes may arrive in two parts
            part = next(n for n in range(len(FRAME_BEGINS) - 1, -1, -1) if before.endswith(FRAME_BEGINS[:n]))
            before = before[: len(before) - part]
        self._feed(before)
        self._undrawn = rest[len(before) :]

    def _feed(self, data: bytes) -> None:
        if data:  # pyte knows no SGR with colons nor DECRQM; they are not drawn by a terminal either
            self._stream.feed(data)

    @property
    def lines(self) -> list[str]:
        """What a person sees."""
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """What a person sees, as one string."""
        return "\n".join(self.lines)

    @property
    def screen(self) -> pyte.Screen:
        """The emulator's screen, colours included."""
        return self._screen

    def reversed(self, line: int) -> bool:
        """Whether the line begins in reverse video: the table's cursor, shown while the table has the keys."""
        return bool(self._screen.buffer[line][0].reverse)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Draw until the condition holds."""
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > deadline or not self._take(0.05):
                message = f"{what}: not within {TIMEOUT:g} s, or kvtui ended; the screen:\n{self.text}"
                raise AssertionError(message)

    def shows(self, *texts: str) -> None:
        """Wait until all these stand on the screen."""
        self.until(lambda: all(t in self.text for t in texts), f"{texts} on the screen")

    def press_until(self, key: str, text: str, *, shown: bool = True) -> None:
        """Press a key until the text is (not) shown; again after a while: a dialog that is closed takes keys along."""
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
        """How many bytes arrive in this time."""
        before, end = len(self.raw), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._take(left):
                break
        return len(self.raw) - before

    def ended(self) -> int:
        """Draw until kvtui ends; its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self._take(0.05) and time.monotonic() < deadline:
            if self.process.poll() is not None and not select.select([self._ours], [], [], 0.05)[0]:
                break
        return self.process.wait(timeout=max(0.1, deadline - time.monotonic()))


def _controlling() -> None:
    """Make the terminal on stdin the session's own, so that job control and SIGHUP work as in a real one.

    A script in the background hands down signals that are ignored.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
