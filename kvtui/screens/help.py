"""``?``: every key that works here, from the bindings themselves."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.key_names import key_name
from kvtui.rules.chain import LAYERS, LETTERS, Mark
from kvtui.screens.panel import FRAME, WIDEST, Panel
from kvtui.widgets.glyphs import UNICODE, Glyphs, glyphs

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation

ORDER = ("view", "act", "app", "ipvs", "journal", "table", "panel", "plan", "prompt")


def legend(drawing: Glyphs) -> str:
    """What the marks mean."""
    words = {Mark.OK: "whole", Mark.BROKEN: "broken", Mark.UNKNOWN: "not known", Mark.NONE: "nothing expected"}
    marks = "  ".join(f"{drawing.marks[mark]} {word}" for mark, word in words.items())
    half = len(LAYERS) // 2
    layers = ["  ".join(f"{layer.letter} {layer.words}" for layer in some) for some in (LAYERS[:half], LAYERS[half:])]
    return f"""
A VIP's chain, {LETTERS}: {marks}
  {layers[0]}
  {layers[1]}
{drawing.self_mark} is this node. What changed in the last reading is bold. n{drawing.differs}m: kernel n, config m."""


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


def help_text(bindings: list[Binding], width: int, drawing: Glyphs = UNICODE) -> str:
    """Keys and what they do: kvtui's own, those of the screens first, moving about last."""
    rows: dict[str, list[str]] = {}
    ours = [b for b in bindings if b.id and "." in b.id and b.tooltip]
    for binding in sorted(ours, key=lambda b: ORDER.index((b.id or "").split(".")[0])):
        rows.setdefault(binding.tooltip, []).append(key_name(binding.key))
    named = [(" ".join(dict.fromkeys(keys)), what) for what, keys in rows.items()]
    return "\n".join([*in_columns(named, width), legend(drawing)])


NARROWEST = 70
"""Columns below which two columns of keys would be more wrapping than reading."""


def in_columns(rows: list[tuple[str, str]], width: int) -> list[str]:
    """Keys and their words in two columns, read downwards; in one where the terminal is narrow."""
    lead = max((len(key) for key, _what in rows), default=0) + 1
    if width < NARROWEST:
        return [line for key, what in rows for line in _entry(key, what, lead, width)]
    half = (width - 1) // 2
    entries = [_entry(key, what, lead, half) for key, what in rows]
    total, left = sum(map(len, entries)), list[str]()
    while entries and 2 * len(left) < total:
        left += entries.pop(0)
    right = [line for entry in entries for line in entry]
    return [f"{a:<{half + 1}}{b}".rstrip() for a, b in zip_longest(left, right, fillvalue="")]


def _entry(key: str, what: str, lead: int, width: int) -> list[str]:
    first, *others = wrap(what, max(10, width - lead)) or [""]
    return [f"{key:<{lead}}{first}", *(" " * lead + more for more in others)]
