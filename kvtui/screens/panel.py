"""A panel over a screen: a title and text that scrolls."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen

from kvtui.model.text import plain
from kvtui.presenters.cells import text_lines
from kvtui.presenters.keys import PANEL
from kvtui.widgets.bindings import bindings
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.binding import BindingType
    from textual.widget import Widget

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.screens.host import Host


NOTHING_READ = "Nothing was read yet."
MAX_WIDTH = 110
FRAME_WIDTH = 5
"""Columns of a panel that hold no text: border, padding, scrollbar."""


class LivePanel(ModalScreen[None]):
    """A panel that receives every observation."""

    def show(self, observation: Observation) -> None:
        raise NotImplementedError


class Panel(ModalScreen[None]):
    """A panel whose text is made again for every observation.

    Args:
        text: makes the text; None where a subclass overrides ``text``.
    """

    BINDINGS: ClassVar[list[BindingType]] = bindings(PANEL)
    DEFAULT_CSS = """
    Panel {
        align: center middle;
        & > VerticalScroll {
            width: 100%; max-width: 110; height: auto; max-height: 100%;
            border: solid $primary; padding: 0 1; background: $surface; scrollbar-size: 1 1;
        }
    }
    """

    def __init__(
        self, host: Host, heading: str, text: Callable[[Observation], str | Sequence[Line]] | None = None
    ) -> None:
        super().__init__()
        self.host = host
        self.heading = heading
        self._make_text = text

    def text(self, observation: Observation | None) -> str | Sequence[Line]:
        return NOTHING_READ if self._make_text is None or observation is None else self._make_text(observation)

    @property
    def text_width(self) -> int:
        return min(self.size.width, MAX_WIDTH) - FRAME_WIDTH

    def compose(self) -> ComposeResult:
        with VerticalScroll() as box:
            box.border_title = Content(plain(self.heading))  # not markup: names come from outside
            box.border_subtitle = "Esc close"
            yield from self.above()
            yield Lines(id="text")

    def above(self) -> Iterable[Widget]:
        """Returns widgets above the text."""
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
