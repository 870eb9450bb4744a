"""Everything of kvtui that relies on parts of Textual that are not public; checked with Textual 8.2.8.

- ``TerminalDriver``: Textual's own driver puts what it draws into a queue of 30 writes, and the event loop waits when
  it is full: on a terminal that nobody reads (a stalled SSH connection) no key, signal or action got its turn.
- ``MinimalUpdate``: Textual knows which spans of a line changed, but sends each of them from the line's beginning.
- ``TerminalApp``: uses both, and ends without the values of variables on the screen.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

from rich.control import Control
from rich.text import Text
from textual._compositor import ChopsUpdate
from textual.app import App, ScreenStackError
from textual.drivers.linux_driver import LinuxDriver

from kvtui.backend.output_writer import OutputWriter

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from textual.screen import Screen

MAX_BEHIND_BYTES = 16384
"""A terminal that has this much still to take gets no frame; two whole frames of 80x24."""
MAX_QUEUED_BYTES = 1 << 20
"""Above this nothing is queued at all: what is no frame (a copied text, a bell) can pile up as well."""
EXIT_TIMEOUT = 0.3
"""Seconds that the terminal has to take the sequences that give it back."""
END_OF_FRAME = "\x1b[?2026l"


class TerminalDriver(LinuxDriver):
    """Draws on a terminal without waiting for it.

    Textual's writer thread is started by the base class, and gets nothing to write.
    """

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        terminal = sys.__stderr__
        if terminal is None:
            raise RuntimeError("stderr is closed: there is no terminal to draw on")
        self._encoding, self._errors = terminal.encoding, terminal.errors or "replace"
        self._exit_deadline = 0.0
        self._output = OutputWriter(terminal.fileno(), on_drained=self._repaint)

    def write(self, data: str) -> None:
        """Queue for the terminal."""
        if self._output.queued < MAX_QUEUED_BYTES:
            self._output.put(data.encode(self._encoding, self._errors))

    def skips_frame(self) -> bool:
        """Whether the terminal is behind: then it gets a whole frame, the newest, once it has caught up."""
        return self._output.skips_frame(MAX_BEHIND_BYTES)

    def stop_application_mode(self) -> None:
        """Give the terminal back; frames that it did not take are dropped."""
        if self._output.discard():
            self.write(END_OF_FRAME)
        super().stop_application_mode()
        self._exit_deadline = monotonic() + EXIT_TIMEOUT

    def close(self) -> None:
        """Wait a short time for the terminal to take what gives it back."""
        super().close()
        self._output.wait(max(0.0, self._exit_deadline - monotonic()))

    def _repaint(self) -> None:
        with suppress(RuntimeError):  # the event loop has ended
            self._app.call_later(self._app.refresh)


class MinimalUpdate(ChopsUpdate):
    """An update that sends of each line only the cells that changed."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> MinimalUpdate:
        """Returns the same update, cropped on both sides."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """Returns the bytes for the terminal."""
        parts: list[str] = []
        for y, first, last in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                begin, stop = max(first, start), min(last, end)
                if strip is None or begin >= stop:
                    continue
                parts.append(Control.move_to(begin, y).segment.text)
                # one style for neighbours that look alike
                parts.append(strip.crop(begin - start, stop - start).simplify().render(console))
        return "".join(parts)


class TerminalApp(App[None]):
    """An app whose terminal may be slow, or read by nobody."""

    def __init__(self) -> None:
        super().__init__(driver_class=TerminalDriver)

    def write_to_terminal(self, sequence: str) -> None:
        """Send a control sequence; without a terminal nothing happens."""
        if self._driver is not None:
            self._driver.write(sequence)

    def copy_to_clipboard(self, text: str) -> None:
        """Keep the text; how it gets to the terminal's clipboard is the subclass's."""
        self._clipboard = text

    def clear_selection(self) -> None:
        """Asked for by each prompt as it is mounted, when there may be no screen yet.

        From Python 3.12 on Textual starts tasks eagerly: the first prompt is mounted before its screen is there.
        """
        with suppress(ScreenStackError):
            super().clear_selection()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(self._driver, TerminalDriver) and self._driver.skips_frame():
            self.post_display_hook()
            return
        update = MinimalUpdate.of(renderable) if isinstance(renderable, ChopsUpdate) else renderable
        super()._display(screen, update)

    def crash_text(self, error: BaseException) -> str:
        """Returns what a person reads last when the app breaks."""
        return f"{type(error).__name__}: {error}"

    def _fatal_error(self) -> None:
        """Show ``crash_text`` instead of Textual's traceback with the values of variables, which may hold secrets."""
        error = sys.exception()
        if not self._exit_renderables and error is not None:
            self._exit_renderables.append(Text(self.crash_text(error), overflow="fold", no_wrap=True))
        self._close_messages_no_wait()
