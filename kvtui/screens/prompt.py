"""Asks for one number."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult  # noqa: TC002 - Textual reads the annotation
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static


class NumberPrompt(ModalScreen[int | None]):
    """A question with a whole number for an answer; Esc gives None.

    Args:
        question: what to ask.
        least: smallest answer.
        most: largest answer.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave", id="prompt.leave", tooltip="Leave without an answer"),
    ]
    DEFAULT_CSS = """
    NumberPrompt {
        align: center middle;
        & > Vertical {
            width: 100%; max-width: 70; height: auto; border: solid $primary; padding: 0 1; background: $surface;
        }
        & Input { height: 1; border: none; padding: 0; }
        & Static { height: auto; }
    }
    """

    def __init__(self, question: str, least: int, most: int) -> None:
        super().__init__()
        self._question, self._least, self._most = question, least, most

    def compose(self) -> ComposeResult:
        """The question, the answer, what is wrong with it."""
        with Vertical() as box:
            box.border_title = Content(self._question)
            box.border_subtitle = "Enter plans it   Esc leaves"
            yield Input(placeholder=f"{self._least} to {self._most}", restrict=r"\d*", max_length=len(str(self._most)))
            yield Static("", markup=False)

    def on_mount(self) -> None:
        """Ready to type."""
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer, or say what an answer is."""
        if event.value.isdecimal() and self._least <= int(event.value) <= self._most:
            self.dismiss(int(event.value))
        else:
            self.query_one(Static).update(f"A whole number from {self._least} to {self._most}.")

    def action_leave(self) -> None:
        """No answer."""
        self.dismiss(None)
