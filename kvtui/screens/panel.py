"""A panel over a screen: a title and text that scrolls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from kvtui.model.text import plain
from kvtui.presenters.cells import text_lines
from kvtui.presenters.glyphs import Glyphs, glyphs
from kvtui.presenters.keys import PANEL
from kvtui.widgets.bindings import bindings
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.binding import BindingType
    from textual.screen import Screen
    from textual.widget import Widget

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.screens.host import Host

NOTHING_READ = "Nothing was read yet."
MAX_WIDTH = 110
FRAME_WIDTH = 5
"""Columns of a panel that hold no text: border, padding, scrollbar."""


def is_drawable(screen: Screen[Any]) -> bool:
    """Whether a screen's widgets exist: after it is composed, and until it or the app is closed.

    Textual keeps ``is_mounted`` after a screen was removed, and delivers pending messages (a resize, a worker's result)
    while the app ends and the widgets are gone. ``display`` is False as soon as the screen is being removed; then its
    widgets go one after the other, while its workers still run.
    """
    return screen.is_mounted and screen.is_attached and screen.display and screen.app.is_running


class LivePanel(ModalScreen[None]):
    DEFAULT_CSS = f"""
    LivePanel {{
        align: center middle;
        & > VerticalScroll {{
            width: 100%; max-width: {MAX_WIDTH}; height: auto; max-height: 100%;
            border: solid $primary; padding: 0 1; background: $surface; scrollbar-size: 1 1;
        }}
    }}
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host

    @property
    def glyphs(self) -> Glyphs:
        return glyphs(ascii_only=self.host.settings.ascii)

    @property
    def text_width(self) -> int:
        return min(self.size.width, MAX_WIDTH) - FRAME_WIDTH

    def show(self, observation: Observation) -> None:
        raise NotImplementedError


class Panel(LivePanel):
    """A panel whose text is made again for every observation; subclasses can override ``text``."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(PANEL)

    def __init__(
        self, host: Host, heading: str, text: Callable[[Observation], str | Sequence[Line]] | None = None
    ) -> None:
        super().__init__(host)
        self.heading = heading
        self._make_text = text

    def text(self, observation: Observation | None) -> str | Sequence[Line]:
        return NOTHING_READ if self._make_text is None or observation is None else self._make_text(observation)

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(plain(self.heading))  # not markup: names come from outside
            box.border_subtitle = "Esc close"
            yield from self.above()
            yield Lines(id="text")

    def above(self) -> Iterable[Widget]:
        return ()

    def on_mount(self) -> None:
        self.show(self.host.latest)

    def show(self, observation: Observation | None) -> None:
        """Draws the text if it changed. An observation can arrive before the panel is composed."""
        text = self.text(observation)
        lines = text_lines(text) if isinstance(text, str) else text
        for shown in self.query("#text").results(Lines):
            shown.show(lines)

    def on_resize(self) -> None:
        self.show(self.host.latest)

    def action_close(self) -> None:
        self.dismiss()
