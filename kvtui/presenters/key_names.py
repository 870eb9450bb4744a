"""Textual's names of keys, and how people write them. The command line uses this and never imports Textual."""

from __future__ import annotations

import re
import unicodedata

NAMES = frozenset(
    {
        *("backspace", "delete", "down", "end", "enter", "escape", "home", "insert", "left", "pagedown", "pageup"),
        *("return", "right", "space", "tab", "up", "@", "ctrl-at", *(f"f{number}" for number in range(1, 25))),
    }
)
"""Textual's names of keys other than characters (``textual.keys.Keys``; a test compares them)."""
REPLACEMENTS = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
"""Textual's names of characters that differ from Unicode's (``textual.keys.KEY_NAME_REPLACEMENTS``)."""
_MODIFIERS = re.compile(r"(?:(?:ctrl|shift|alt|super|meta)\+)*")
_WRITTEN = {
    "slash": "/",
    "question_mark": "?",
    "colon": ":",
    "minus": "-",
    "plus": "+",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "Esc",
    "enter": "Enter",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}


def key_value(text: str) -> str:
    """Returns Textual's name of a key: ``question_mark`` for ``?``."""
    text = text.strip()
    if len(text) != 1 or text.isalnum():
        return text
    try:
        name = unicodedata.name(text).lower().replace("-", "_").replace(" ", "_")
    except ValueError:
        return text
    return REPLACEMENTS.get(name, name)


def is_key(value: str) -> bool:
    base = _MODIFIERS.sub("", value, count=1)
    if base in NAMES or base in REPLACEMENTS.values() or (len(base) == 1 and base.isalnum()):
        return True
    try:
        return bool(unicodedata.lookup(base.replace("_", " ").upper())) and len(base) > 1
    except KeyError:
        return False


def key_name(key: str) -> str:
    names = [_WRITTEN.get(k, k) for k in key.split(",")]
    return " ".join(n.replace("ctrl+", "Ctrl+") for n in names)
