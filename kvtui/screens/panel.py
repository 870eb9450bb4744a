"""A panel over a screen: a title, text that scrolls, Esc closes."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from kvtui.model.text import plain
from kvtui.presenters.keys import PANEL
from kvtui.widgets.bindings import bindings

if TYPE_CHECKING:
    from textual.binding import BindingType

    from kvtui.model.observation import Observation


WIDEST = 110
FRAME = 5
"""Columns of a panel that hold no text: border, padding, scrollbar."""


class LivePanel(ModalScreen[None]):
    """A panel that is given every observation."""

    def show(self, seen: Observation) -> None:
        """Draw what follows from it."""
        raise NotImplementedError


class Panel(ModalScreen[None]):
    """A panel; subclasses give its text, anew for every observation."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(PANEL)
    DEFAULT_CSS = """
    Panel {
        align: center middle;
        & > VerticalScroll {
            width: 100%; max-width: 110; height: auto; max-height: 100%;
            border: solid $primary; padding: 0 1; background: $surface; scrollbar-size: 1 1;
        }
        & Static { height: auto; width: 1fr; }
    }
    """
    heading = ""
    wraps: ClassVar = True
    """Whether its lines are wrapped with their continuations further in."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: str | None = None

    def text(self, seen: Observation | None) -> str:
        """What the panel says about the latest observation."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Heading in the border, text, how to leave."""
        with VerticalScroll() as box:
            box.border_title = Content(plain(self.heading))  # no markup in it: names come from outside
            box.border_subtitle = "Esc closes"
            yield Static("", id="text", markup=False)

    def on_mount(self) -> None:
        """Show what is known now."""
        self.show(getattr(self.app, "latest", None))

    def show(self, seen: Observation | None) -> None:
        """Draw the text when it differs; an observation can come before the panel is on the screen."""
        # plain is the last door: whatever a panel forgot
        width = min(self.size.width, WIDEST) - FRAME
        lines = [plain(line) for line in self.text(seen).split("\n")]
        text = "\n".join(w for line in lines for w in (hanging(line, width) if self.wraps else [line]))
        place = self.query("#text").results(Static)
        for static in place if text != self._shown else ():
            self._shown = text
            static.update(text)

    def on_resize(self) -> None:
        """Wrap the text anew."""
        self.show(getattr(self.app, "latest", None))

    def action_close(self) -> None:
        """Back to the screen."""
        self.dismiss()


def hanging(line: str, width: int) -> list[str]:
    """One line wrapped to ``width``, its continuations as far in as the line itself and two columns more."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    if len(line) <= width or width < 2 * len(indent) + 10:
        return [line]
    return wrap(line, width, subsequent_indent=indent, break_on_hyphens=False) or [""]
