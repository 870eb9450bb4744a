"""``y`` and ``Y`` copy a row's command or the row, by OSC 52 (xterm's ctlseqs): it works over SSH and kubectl exec.

The panel shows the text, for terminals without a clipboard.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING

from kvtui.model.settings import Clipboard
from kvtui.model.text import plain
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

HEADINGS = {
    Clipboard.NONE: "This terminal has no clipboard: select the text",
    Clipboard.PLAIN: "Copied, if this terminal allows it (OSC 52); or select the text",
    Clipboard.TMUX: "Copied, if tmux allows it (set-clipboard on); or select the text",
    Clipboard.SCREEN: "Copied, if the terminal around screen allows it; or select the text",
}
MAX_CHUNK_BYTES = 700
"""Longest string to send through screen, whose limit is 768 (MAXSTR)."""
WORD = re.compile(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^ ])+""")
"""Text without a blank that is neither quoted nor escaped."""


class CopyPanel(Panel):
    """The copied text over the whole width, with nothing next to it that a mouse selection would include."""

    DEFAULT_CSS = """
    CopyPanel {
        align: center bottom;
        & > VerticalScroll { max-width: 100%; border: none; border-top: solid $primary; padding: 0; }
    }
    """

    def __init__(self, host: Host, copied: str) -> None:
        super().__init__(host, f"{HEADINGS[host.settings.clipboard]}   Esc close")
        self.copied = copied

    def text(self, observation: Observation | None) -> str:
        # with backslashes, because a pasted newline would run half a command
        del observation
        return "\n".join(shell_lines(self.copied, self.size.width - 2))


def shell_lines(command: str, width: int) -> list[str]:
    """Returns a command in lines of at most ``width`` columns that a shell joins: all but the last end in a backslash.

    Lines break only at blanks outside quotes. A longer word stays whole, and the terminal wraps it.
    """
    lines = [""]
    for part in WORD.findall(command):
        longer = f"{lines[-1]} {part}" if lines[-1] else part
        if len(longer) <= width - 2 or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part)
    if len(lines) > 1 and len(f"{lines[-2]} {lines[-1]}") <= width:
        lines[-2:] = [f"{lines[-2]} {lines[-1]}"]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def one_line(text: str) -> str:
    """Pasting the result runs nothing by itself."""
    return plain(text).strip()


def copy_sequence(text: str, clipboard: Clipboard) -> str:
    """Returns the sequence that copies the text; empty where there is no clipboard.

    tmux handles the bare sequence with ``set-clipboard on``, and forwards a wrapped one with ``allow-passthrough on``
    (before 3.3 always); it gets both. screen only forwards wrapped ones, in chunks.
    """
    bare = f"\x1b]52;c;{b64encode(text.encode()).decode()}\a"
    if clipboard is Clipboard.NONE:
        return ""
    if clipboard is Clipboard.TMUX:
        return bare + "\x1bPtmux;" + bare.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    if clipboard is Clipboard.SCREEN:
        return "".join(f"\x1bP{bare[i : i + MAX_CHUNK_BYTES]}\x1b\\" for i in range(0, len(bare), MAX_CHUNK_BYTES))
    return bare
