"""``?``: every key of the current screen, from its bindings."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.cells import Cell, Tone, line_text, text_lines
from kvtui.presenters.key_names import key_name
from kvtui.presenters.trace import CHAIN_TITLE, SHORT_NAMES
from kvtui.presenters.views import VIEWS
from kvtui.rules.chain import LAYERS, Mark
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.screens.host import Host

KEYS = "Keys"
NO_BREAK = "\N{NO-BREAK SPACE}"
GROUPS = ("Actions", "This screen", "kvtui", "Rows")
SCREENS = frozenset(f"view.{view.name}" for view in VIEWS)


def legend(marks: Glyphs) -> str:
    words = {Mark.OK: "ok", Mark.BROKEN: "broken", Mark.UNKNOWN: "unknown", Mark.NONE: "not expected"}
    shown = {**marks.marks, Mark.OK: f"{marks.marks[Mark.OK]} {marks.whole}"}
    legend_marks = "  ".join(f"{shown[mark]} {word}" for mark, word in words.items())
    return f"""{CHAIN_TITLE}, one mark per layer:  {" ".join(SHORT_NAMES[layer] for layer in LAYERS)}
{legend_marks}  {marks.critical} critical  {marks.warning} warning
{marks.self_mark} this node  bold: changed  n{marks.differs}m: kernel n, config m"""


class HelpPanel(Panel):
    def __init__(self, host: Host, listed: list[Binding]) -> None:
        super().__init__(host, KEYS)
        self._listed = listed

    def text(self, observation: Observation | None) -> list[Line]:
        del observation
        return help_text(self._listed, self.text_width, self.glyphs)


def help_text(bindings: list[Binding], width: int, marks: Glyphs) -> list[Line]:
    """Returns keys and what they do, by groups, and the legend. Textual's own keys are left out."""
    groups: dict[str, dict[str, list[str]]] = {name: {} for name in GROUPS}
    screens: list[str] = []
    for binding in bindings:
        if binding.id in SCREENS:
            screens.append(f"{key_name(binding.key)}{NO_BREAK}{binding.description}")
        elif binding.id and "." in binding.id and binding.tooltip:
            groups[_group(binding.id)].setdefault(binding.tooltip, []).append(key_name(binding.key))
    rows = [
        row
        for name, keys in groups.items()
        if keys
        for row in ((name.upper(), ""), *((" ".join(dict.fromkeys(k)), what) for what, k in keys.items()))
    ]
    tabs = "\n".join(wrap("  ".join(screens), max(10, width))).replace(NO_BREAK, " ")
    return [*text_lines(tabs), *in_columns(rows, width), *text_lines(legend(marks))]


def _group(binding_id: str) -> str:
    scope = binding_id.partition(".")[0]
    return {"act": "Actions", "view": "Rows", "table": "Rows", "app": "kvtui"}.get(scope, "This screen")


MIN_TWO_COLUMNS = 70


def in_columns(rows: list[tuple[str, str]], width: int) -> list[Line]:
    """Returns keys and what they do; a row without the latter is a heading, which stays above its first row."""
    lead = max((len(key) for key, what in rows if what), default=0) + 1
    if width < MIN_TWO_COLUMNS:
        return [line for key, what in rows for line in _entry(key, what, lead, width)]
    half = (width - 1) // 2
    entries = [_entry(key, what, lead, half) for key, what in rows]
    total, taken = sum(map(len, entries)), 0
    while 2 * sum(map(len, entries[:taken])) < total:
        taken += 1
    if taken and not rows[taken - 1][1]:
        taken -= 1
    left, right = ([line for entry in part for line in entry] for part in (entries[:taken], entries[taken:]))
    pairs = zip_longest(left, right, fillvalue=())
    return [(*a, Cell(" " * (half + 1 - len(line_text(a)))), *b) if b else a for a, b in pairs]


def _entry(key: str, what: str, lead: int, width: int) -> list[Line]:
    if not what:
        return [(Cell(key, Tone.STRONG),)]
    first, *others = wrap(what, max(10, width - lead)) or [""]
    return [(Cell(f"{key:<{lead}}", Tone.FOCUS), Cell(first)), *((Cell(" " * lead + more),) for more in others)]
