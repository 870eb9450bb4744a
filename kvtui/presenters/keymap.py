"""The keys in use, and their names; unknown keys and conflicts of the configuration are reported and not used."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.text import plain
from kvtui.presenters.keys import COMMON, PANELS, SCOPES, VIEWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.config import Configured

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
FIXED = ("panel.", "plan.", "prompt.", "view.clear")
"""Ids of bindings that cannot be remapped: the key that applies a plan is the same on every node."""


class Declared(Struct, frozen=True):
    """A binding with its default keys; ``scope`` is the screen that it works on."""

    id: str
    keys: tuple[str, ...]
    scope: str


class Keymap(Struct, frozen=True):
    """``keys`` are by id, for ``App.set_keymap``; ``problems`` say why parts of the configuration are not used."""

    keys: Mapping[str, str]
    problems: tuple[str, ...] = ()

    def replacement(self, key: str, scope: str = COMMON) -> str:
        if not self.keys:
            return key
        found = [d for d in declared() if key in d.keys and d.scope in {scope, COMMON}]
        best = next((d for d in found if d.scope == scope), found[0] if found else None)
        return self.keys[best.id].split(",")[0] if best and best.id in self.keys else key

    def elsewhere(self, key: str) -> str:
        """Returns what a key does on another screen; empty if it does nothing there either."""
        bindings = {scope: keys for scope, keys in SCOPES if scope}
        for view in VIEWS:
            for binding in bindings.get(view.screen[1], ()):
                keys = [self.replacement(key_value(k), view.screen[1]) for k in binding.keys.split(",")]
                if key in keys and binding.help:
                    where = f"{self.replacement(view.key)} ({view.label})"
                    return f"{key_name(key)} works on screen {where}: {binding.help[0].lower()}{binding.help[1:]}."
        return ""

    def hint(self, text: str, scope: str) -> str:
        """Returns the replacement of a hint such as ``Enter`` or ``/``, as people write it."""
        key = key_value(text if len(text) == 1 else text.lower())
        real = self.replacement(key, scope)
        return text if real == key else key_name(real)


def declared() -> tuple[Declared, ...]:
    return tuple(
        Declared(key.id, tuple(key_value(k) for k in key.keys.split(",")), scope)
        for scope, keys in SCOPES
        for key in keys
    )


def keymap(wanted: Mapping[str, Configured]) -> Keymap:
    if not wanted:
        return Keymap({})
    known = declared()
    problems: list[str] = []
    taken: dict[str, str] = {}
    for name, configured in wanted.items():
        keys = [key_value(k) for k in str(configured.value).split(",") if k.strip()]
        if error := _error(name, keys, known):
            problems.append(f"{plain(configured.where)}: {error}")
        else:
            taken[name] = ",".join(keys)
    while clash := _clash(taken, known):
        name, key, other = clash
        del taken[name]
        problems.append(f"{plain(wanted[name].where)}: {name} cannot use key {key}: {other} uses it; remap {other} too")
    return Keymap(taken, tuple(problems))


def _error(name: str, keys: list[str], known: tuple[Declared, ...]) -> str:
    ids = sorted({d.id for d in known if not d.id.startswith(FIXED)})
    if name not in ids:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        if name.startswith(FIXED):
            return f"{plain(name, 60)} cannot be remapped: dialogs name their keys"
        close = get_close_matches(name, ids, 1)
        hint = f"did you mean {close[0]}?" if close else f"bindings: {', '.join(ids)}"
        return f"no binding is called {plain(name, 60)}; {hint}"
    wrong = [k for k in keys if not is_key(k)]
    return f'no such key: "{plain(wrong[0], 40)}"; examples: "d", "D", "ctrl+d", "f5", "?"' if wrong else ""


def _clash(taken: dict[str, str], known: tuple[Declared, ...]) -> tuple[str, str, str] | None:
    """Returns a remapped binding, a key, and the binding that has this key; the last one configured loses."""
    for name in reversed(taken):
        for mine in (d for d in known if d.id == name):
            for other in (d for d in known if d.id != name and _share_keys(mine.scope, d.scope)):
                theirs = taken[other.id].split(",") if other.id in taken else other.keys
                for key in taken[name].split(","):
                    if key in theirs and key not in mine.keys:
                        return name, key, other.id
    return None


def _share_keys(one: str, other: str) -> bool:
    """Whether a key can have one meaning only on both; a panel hides the screen below it."""
    return one == other or (COMMON in {one, other} and PANELS not in {one, other})


# --- names of keys


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
