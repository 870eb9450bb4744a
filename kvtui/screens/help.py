"""``?``: every key of the current screen, from its bindings."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.glyphs import Glyphs, glyphs
from kvtui.presenters.key_names import key_name
from kvtui.presenters.trace import CHAIN_TITLE
from kvtui.rules.chain import LAYERS, Mark
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

KEYS = "Keys"
ORDER = ("view", "act", "app", "ipvs", "events", "journal", "table", "panel", "plan", "prompt")


def legend(marks: Glyphs) -> str:
    words = {Mark.OK: "ok", Mark.BROKEN: "broken", Mark.UNKNOWN: "unknown", Mark.NONE: "not expected"}
    legend_marks = "  ".join(f"{marks.marks[mark]} {word}" for mark, word in words.items())
    return f"""{CHAIN_TITLE}, one mark per layer:  {legend_marks}
  {", ".join(layer.words for layer in LAYERS)}
{marks.self_mark} this node  bold: changed  n{marks.differs}m: kernel n, config m  !! critical  ! warning"""


class HelpPanel(Panel):
    def __init__(self, host: Host, listed: list[Binding]) -> None:
        super().__init__(host, KEYS)
        self._listed = listed

    def text(self, observation: Observation | None) -> str:
        del observation
        return help_text(self._listed, self.text_width, glyphs(ascii_only=self.host.settings.ascii))


def help_text(bindings: list[Binding], width: int, marks: Glyphs) -> str:
    """Returns keys and what they do, and the legend. Textual's own keys are left out."""
    rows: dict[str, list[str]] = {}
    ours = [b for b in bindings if b.id and "." in b.id and b.tooltip]
    for binding in sorted(ours, key=lambda b: ORDER.index((b.id or "").split(".")[0])):
        rows.setdefault(binding.tooltip, []).append(key_name(binding.key))
    named = [(" ".join(dict.fromkeys(keys)), what) for what, keys in rows.items()]
    return "\n".join([*in_columns(named, width), legend(marks)])


MIN_TWO_COLUMNS = 70
"""Terminal columns that two columns of keys need."""


def in_columns(rows: list[tuple[str, str]], width: int) -> list[str]:
    lead = max((len(key) for key, _what in rows), default=0) + 1
    if width < MIN_TWO_COLUMNS:
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
