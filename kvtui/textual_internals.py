"""The only module that uses private parts of Textual. Checked with Textual 8.2.8.

- ``TerminalDriver``: Textual's driver queues up to 30 writes, then blocks the event loop: on a terminal that nobody
  reads (a stalled SSH connection) no key, signal or action is handled. And it looks for keys ten times a second.
  At a SIGCONT without a SIGTSTP before, it starts a second thread that reads keys, takes the raw mode for the mode to
  restore, and may never end: the first thread waits for ever. The kernel sends SIGCONT along with SIGHUP.
- ``MinimalUpdate``: Textual knows which spans of a line changed, but sends the line from its beginning.
- ``inner_and_outer``: Textual caches it for each ``StylesCache``, so that 1,024 closed widgets and their lines live
  on: 200 MB of closed dialogs.
- ``drop_drawn_lines``: Textual keeps the drawn lines of hidden screens, with seven caches for each line: 8 MB.
- ``TerminalApp``: uses both, and prints no traceback with the values of variables after a crash.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
from codecs import getincrementaldecoder
from contextlib import suppress
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.control import Control
from rich.text import Text
from textual import events
from textual._compositor import ChopsUpdate
from textual._styles_cache import StylesCache
from textual._xterm_parser import XTermParser
from textual.app import App, ScreenStackError, SuspendNotSupported
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import NULL_SIZE
from textual.style import Style
from textual.widget import Widget, _RenderCache

from kvtui.backend import lost_terminal
from kvtui.backend.lost_terminal import LostTerminal
from kvtui.backend.output_writer import OutputWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType
    from textual.color import Color
    from textual.message import Message
    from textual.screen import Screen

MAX_BEHIND_BYTES = 16384
"""No frame is drawn while more than this is queued; two full frames of 80x24."""
MAX_QUEUED_BYTES = 1 << 20
"""Nothing more is queued above this, not even copied texts and bells."""
EXIT_TIMEOUT = 0.3
"""Time that the terminal has at exit to read the sequences that restore it."""
ESCAPE_MS = 100
END_OF_FRAME = "\x1b[?2026l"


@lru_cache(maxsize=256)
def inner_and_outer(base_background: Color, background: Color) -> tuple[Style, Style]:
    return Style(background=base_background + background), Style(background=base_background)


StylesCache.get_inner_outer = staticmethod(inner_and_outer)  # type: ignore[assignment]


def drop_drawn_lines(screen: Screen[Any]) -> None:
    """Frees the lines of a screen that was hidden; they are drawn anew when it is shown again."""
    for widget in screen.walk_children(Widget):
        widget._set_dirty()  # noqa: SLF001
        widget._render_cache = _RenderCache(NULL_SIZE, [])  # noqa: SLF001


class TerminalDriver(LinuxDriver):
    """Draws on a terminal without waiting for it. The base class starts Textual's writer thread, which stays idle."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        terminal = sys.__stderr__
        if terminal is None:
            raise RuntimeError("stderr is closed: there is no terminal to draw on")
        self._encoding, self._errors = terminal.encoding, terminal.errors or "replace"
        self._exit_deadline = 0.0
        self._is_on = self._suspended = False
        self._output = OutputWriter(terminal.fileno(), on_drained=self._repaint)
        self._input_ends = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        fds = {self.fileno, terminal.fileno()}
        self.lost = LostTerminal(fds, self._output, lambda: self.write(lost_terminal.QUESTION))

    def start_application_mode(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._input_ends)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._is_on = True
        self.write(lost_terminal.QUESTION)

    def _sigcont_application(self, *_: object) -> None:
        if self._suspended:
            super()._sigcont_application()
        else:  # a signal handler runs anywhere: in the middle of a start or stop as well
            self._app.call_later(self._take_terminal_back)

    def _take_terminal_back(self) -> None:
        """Sets the terminal's modes again after a SIGSTOP: the shell has set its own."""
        if self._is_on and not self._suspended:
            self.suspend_application_mode()
            self.resume_application_mode()
            self._repaint()

    def run_input_thread(self) -> None:
        """Reads keys, as the base class does, but sleeps until there is one."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        waiting = select.poll()
        waiting.register(self.fileno, select.POLLIN)
        waiting.register(self._input_ends, select.POLLIN)
        while not self.exit_event.is_set():
            # the rest of a sequence may be missing, or it is the Esc key
            arrived = {fd for fd, _ in waiting.poll(None if parser._timeout_time is None else ESCAPE_MS)}  # noqa: SLF001
            typed = os.read(self.fileno, 4096) if self.fileno in arrived else b""
            text = decode(typed)  # empty while the rest of a character is missing; the parser takes that for the end
            for event in (*(parser.feed(text) if text else ()), *parser.tick()):
                self.process_message(event)
            if self._input_ends in arrived or (self.fileno in arrived and not typed):  # the latter: end of file
                self.exit_event.wait()

    def disable_input(self) -> None:
        os.eventfd_write(self._input_ends, 1)
        super().disable_input()

    def write(self, data: str) -> None:
        if self._output.queued < MAX_QUEUED_BYTES and not self._suspended:
            self._output.put(data.encode(self._encoding, self._errors))

    def is_lost(self) -> bool:
        return not self._suspended and self.lost.tick()

    def process_message(self, message: Message) -> None:
        """Runs in the thread that reads keys."""
        if isinstance(message, events.CursorPosition):
            self.lost.answered()
            return
        self.lost.heard()
        super().process_message(message)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:  # EIO: the terminal is gone
            self._app.call_later(hang_up, self._app)
        except Exception as error:  # noqa: BLE001 - a bug, reported as any other
            self._app.call_later(self._app._handle_exception, error)  # noqa: SLF001

    def skips_frame(self) -> bool:
        """Whether the terminal is behind. It gets a full frame, the newest, when it has caught up."""
        return self._output.skips_frame(MAX_BEHIND_BYTES)

    def stop_application_mode(self) -> None:
        """Restores the terminal; drops frames that it did not read."""
        self._is_on = False
        if self._output.discard():
            self.write(END_OF_FRAME)
        super().stop_application_mode()
        self._exit_deadline = monotonic() + EXIT_TIMEOUT

    def suspend_application_mode(self) -> None:
        super().suspend_application_mode()
        self._suspended = True

    def resume_application_mode(self) -> None:
        self._suspended = False
        super().resume_application_mode()

    def close(self) -> None:
        super().close()
        self._output.wait(max(0.0, self._exit_deadline - monotonic()))

    def _repaint(self) -> None:
        with suppress(RuntimeError):  # the event loop has ended
            self._app.call_later(self._app.refresh)


def hang_up(app: App[Any]) -> None:
    app.exit(return_code=128 + signal.SIGHUP)


class MinimalUpdate(ChopsUpdate):
    @classmethod
    def of(cls, update: ChopsUpdate) -> MinimalUpdate:
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        parts: list[str] = []
        for y, first, last in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                begin, stop = max(first, start), min(last, end)
                if strip is None or begin >= stop:
                    continue
                parts.append(Control.move_to(begin, y).segment.text)
                # merges neighbours of the same style
                parts.append(strip.crop(begin - start, stop - start).simplify().render(console))
        return "".join(parts)


class TerminalApp(App[None]):
    def __init__(self) -> None:
        super().__init__(driver_class=TerminalDriver)

    def watch_terminal(self) -> None:
        def end_if_terminal_is_lost() -> None:
            if isinstance(self._driver, TerminalDriver) and self._driver.is_lost():
                hang_up(self)

        self.set_interval(lost_terminal.TICK_SECONDS, end_if_terminal_is_lost)

    def write_to_terminal(self, sequence: str) -> None:
        if self._driver is not None:
            self._driver.write(sequence)

    async def run_in_terminal(self, argv: Sequence[str]) -> str | None:
        """Runs another program in the terminal until it ends, while observations go on. Returns what went wrong."""
        try:
            with self.suspend():
                process = await asyncio.create_subprocess_exec(*argv)
                try:
                    code = await process.wait()
                finally:
                    if process.returncode is None:  # kvtui ends
                        process.terminate()
        except OSError as error:
            return f"cannot start {argv[0]}: {error.strerror}"
        except SuspendNotSupported:
            return "this terminal cannot be left to another program"
        return None if code in {0, 130} else f"{argv[0]} ended with exit code {code}"

    def copy_to_clipboard(self, text: str) -> None:
        self._clipboard = text

    def clear_selection(self) -> None:
        # From Python 3.12 on Textual starts tasks eagerly, and the first Input is mounted before its screen.
        with suppress(ScreenStackError):
            super().clear_selection()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(self._driver, TerminalDriver) and self._driver.skips_frame():
            self.post_display_hook()
            return
        update = MinimalUpdate.of(renderable) if isinstance(renderable, ChopsUpdate) else renderable
        super()._display(screen, update)

    def crash_text(self, error: BaseException) -> str:
        return f"{type(error).__name__}: {error}"

    def _fatal_error(self) -> None:
        """Prints ``crash_text`` instead of Textual's traceback, whose local variables may hold secrets."""
        error = sys.exception()
        if not self._exit_renderables and error is not None:
            self._exit_renderables.append(Text(self.crash_text(error), overflow="fold", no_wrap=True))
        self._close_messages_no_wait()
