"""``?``: every key that works here, from the bindings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.chain import Mark
from kvtui.screens.panel import FRAME, WIDEST, Panel
from kvtui.widgets.glyphs import UNICODE, Glyphs, glyphs

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation

NAMES = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "minus": "-",
    "plus": "+",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}
ORDER = ("view", "act", "app", "ipvs", "journal", "table", "panel", "plan", "prompt")


def legend(drawing: Glyphs) -> str:
    """What the marks mean."""
    words = {Mark.OK: "whole", Mark.BROKEN: "broken", Mark.UNKNOWN: "not known", Mark.NONE: "nothing expected"}
    marks = "   ".join(f"{drawing.marks[mark]} {word}" for mark, word in words.items())
    return f"""
Marks of a VIP's chain, a column each (CRIAV):
  C config file   R running config   I IPVS   A address   V VRRP owner
  {marks}
{drawing.self_mark} is this node. A value that changed since the last reading is bold.
n{drawing.differs}m: the kernel's weight is n, the config says m."""


class HelpPanel(Panel):
    """Keys.

    Args:
        bindings: those that work on the screen below.
    """

    heading = "Keys"

    def __init__(self, bindings: list[Binding]) -> None:
        super().__init__()
        self._listed = bindings

    def text(self, seen: Observation | None) -> str:
        """A line a key; it does not depend on what is seen."""
        del seen
        drawing = glyphs(ascii_only=self.app.settings.ascii)  # type: ignore[attr-defined]  # KvtuiApp's, see Host
        return help_text(self._listed, min(self.size.width, WIDEST) - FRAME, drawing)


def key_name(key: str) -> str:
    """A key as people write it."""
    names = [NAMES.get(k, k) for k in key.split(",")]
    return " ".join(n.replace("ctrl+", "Ctrl+") for n in names)


def help_text(bindings: list[Binding], width: int, drawing: Glyphs = UNICODE) -> str:
    """Keys and what they do: kvtui's own, those of the screens first, moving about last."""
    rows: dict[str, list[str]] = {}
    ours = [b for b in bindings if b.id and "." in b.id and b.tooltip]
    for binding in sorted(ours, key=lambda b: ORDER.index((b.id or "").split(".")[0])):
        rows.setdefault(binding.tooltip, []).append(key_name(binding.key))
    cells = [f"{' '.join(dict.fromkeys(keys)):<7} {what}" for what, keys in rows.items()]
    return "\n".join([*in_columns(cells, width), legend(drawing)])


def in_columns(cells: list[str], width: int) -> list[str]:
    """The cells in two columns, read downwards, where they fit; else in one."""
    half = (len(cells) + 1) // 2
    left = max((len(c) for c in cells[:half]), default=0) + 2
    right = max((len(c) for c in cells[half:]), default=0)
    if left + right > width:
        return cells
    pairs = zip(cells[:half], [*cells[half:], ""], strict=False)
    return [f"{a:<{left}}{b}".rstrip() for a, b in pairs]
