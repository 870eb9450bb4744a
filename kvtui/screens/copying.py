"""``y`` and ``Y``: the command for a row, or the row, into the terminal's clipboard, and onto the screen to select."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kvtui.model.settings import Clipboard
from kvtui.model.text import plain
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

SAID = {
    Clipboard.NONE: "This terminal has no clipboard: select it",
    Clipboard.PLAIN: "Copied, if this terminal allows it (OSC 52); or select it",
    Clipboard.TMUX: "Copied, if tmux allows it (set-clipboard on); or select it",
    Clipboard.SCREEN: "Copied, if the terminal around screen allows it; or select it",
}


class CopyPanel(Panel):
    """What was copied, over the whole width, without anything beside it that a selection would take along.

    Args:
        copied: one line.
        clipboard: of this terminal.
    """

    DEFAULT_CSS = """
    CopyPanel {
        align: center bottom;
        & > VerticalScroll { max-width: 100%; border: none; border-top: solid $primary; padding: 0; }
    }
    """

    wraps: ClassVar = False

    def __init__(self, copied: str, clipboard: Clipboard) -> None:
        super().__init__()
        self.copied = copied
        self.heading = f"{SAID[clipboard]}   Esc closes"

    def text(self, seen: Observation | None) -> str:
        """The text in lines that a shell joins again: a newline in the middle would run half a command."""
        del seen
        return "\n".join(shell_lines(self.copied, self.size.width - 2))


def shell_lines(command: str, width: int) -> list[str]:
    """A command in lines of at most ``width`` columns, each but the last ending in a backslash.

    A blank in quotes is no place to break; what is longer than a line stays whole, for the terminal to wrap.
    """
    lines = [""]
    for part in _words(command):
        longer = f"{lines[-1]} {part}" if lines[-1] else part
        if len(longer) <= width - 2 or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part)
    if len(lines) > 1 and len(f"{lines[-2]} {lines[-1]}") <= width:
        lines[-2:] = [f"{lines[-2]} {lines[-1]}"]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _words(command: str) -> list[str]:
    """The command taken apart at its blanks, but for those in quotes or behind a backslash."""
    words, quoted, escaped = [""], "", False
    for character in command:
        if character == " " and not quoted and not escaped:
            words.append("")
            continue
        words[-1] += character
        if escaped:
            escaped = False
        elif character == "\\" and quoted != "'":
            escaped = True
        elif character in "'\"" and quoted in {"", character}:
            quoted = "" if quoted else character
    return words


def one_line(text: str) -> str:
    """Whatever is copied: one line that only prints, so that pasting it runs nothing by itself."""
    return plain(text).strip()
