"""``?``: every key of the current screen, from its bindings."""

from __future__ import annotations

from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING

from kvtui.presenters.glyphs import Glyphs, glyphs
from kvtui.presenters.key_names import key_name
from kvtui.presenters.trace import CHAIN_TITLE, SHORT_NAMES
from kvtui.presenters.views import VIEWS
from kvtui.rules.chain import LAYERS, Mark
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation
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

    def text(self, observation: Observation | None) -> str:
        del observation
        return help_text(self._listed, self.text_width, glyphs(ascii_only=self.host.settings.ascii))


def help_text(bindings: list[Binding], width: int, marks: Glyphs) -> str:
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
    return "\n".join(
        [
            *(line.replace(NO_BREAK, " ") for line in wrap("  ".join(screens), max(10, width))),
            *in_columns(rows, width),
            legend(marks),
        ]
    )


def _group(binding_id: str) -> str:
    scope = binding_id.partition(".")[0]
    return {"act": "Actions", "view": "Rows", "table": "Rows", "app": "kvtui"}.get(scope, "This screen")


MIN_TWO_COLUMNS = 70
"""Terminal columns that two columns of keys need."""


def in_columns(rows: list[tuple[str, str]], width: int) -> list[str]:
    lead = max((len(key) for key, what in rows if what), default=0) + 1
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
    if not what:
        return [key]
    first, *others = wrap(what, max(10, width - lead)) or [""]
    return [f"{key:<{lead}}{first}", *(" " * lead + more for more in others)]
