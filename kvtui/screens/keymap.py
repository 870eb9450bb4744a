"""Keys as the configuration wants them: bindings are remapped by their id, conflicts are told and not used."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from kvtui.model.record import dataclass
from kvtui.model.text import plain
from kvtui.screens.findings import FindingsScreen
from kvtui.screens.help import key_name
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.keys import EVERYWHERE, THROUGH_PANELS
from kvtui.screens.mappings import MappingsScreen
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import Panel
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kvtui.model.config import Configured

FIXED = ("panel.", "plan.", "prompt.", "view.clear")
"""Keys of dialogs stay: what agrees to a plan must not depend on the node that one happens to be on."""

COMMON = ""
"""The scope of what works on every screen."""

NAMES = {k.value for k in Keys} - {"<any>"} | set(KEY_NAME_REPLACEMENTS.values())
_MODIFIERS = re.compile(r"(?:(?:ctrl|shift|alt|super|meta)\+)*")


@dataclass(frozen=True, slots=True)
class Declared:
    """A binding as the code has it: its id, keys, and the screen that it works on."""

    id: str
    keys: tuple[str, ...]
    scope: str


@dataclass(frozen=True, slots=True)
class Keymap:
    """Which keys to use.

    Attributes:
        keys: id → its keys, for ``App.set_keymap``.
        problems: what is not used, a sentence each.
    """

    keys: Mapping[str, str]
    problems: tuple[str, ...] = ()

    def instead(self, key: str, scope: str = COMMON) -> str:
        """The key that does now what this one does by default: for key lines and texts.

        Args:
            key: its default, by its name.
            scope: the screen.
        """
        if not self.keys:
            return key
        found = [d for d in declared() if key in d.keys and d.scope in {scope, COMMON}]
        best = next((d for d in found if d.scope == scope), found[0] if found else None)
        return self.keys[best.id].split(",")[0] if best and best.id in self.keys else key

    def hint(self, text: str, scope: str) -> str:
        """The same for a hint such as ``Enter`` or ``/``."""
        key = key_value(text if len(text) == 1 else text.lower())
        real = self.instead(key, scope)
        return text if real == key else key_name(real)


def bindings() -> Iterator[tuple[str, Binding]]:
    """Every binding with an id, and the screen that it works on."""
    for scope, found in _declarations():
        for binding in found:
            if isinstance(binding, Binding) and binding.id:
                yield scope, binding


def _declarations() -> Iterator[tuple[str, Iterable[object]]]:
    from kvtui.screens.journal import JournalScreen  # noqa: PLC0415 - brings all actions with it

    yield COMMON, EVERYWHERE
    yield COMMON, NodeScreen.BINDINGS
    yield COMMON, LineTable.BINDINGS
    for screen in (VipsScreen, VrrpScreen, IpvsScreen, MappingsScreen, FindingsScreen, JournalScreen):
        yield screen.__name__, vars(screen).get("BINDINGS", ())
    yield "Panel", (*Panel.BINDINGS, *THROUGH_PANELS)


def declared() -> tuple[Declared, ...]:
    """Every binding with an id."""
    return tuple(Declared(b.id or "", tuple(key_value(k) for k in b.key.split(",")), scope) for scope, b in bindings())


def key_value(text: str) -> str:
    """A key by the name that Textual has for it: ``?`` is ``question_mark``."""
    text = text.strip()
    if len(text) != 1 or text.isalnum():
        return text
    try:
        name = unicodedata.name(text).lower().replace("-", "_").replace(" ", "_")
    except ValueError:
        return text
    return KEY_NAME_REPLACEMENTS.get(name, name)


def is_key(value: str) -> bool:
    """Whether there is such a key."""
    base = _MODIFIERS.sub("", value, count=1)
    if value in NAMES or base in NAMES or (len(base) == 1 and base.isalnum()):
        return True
    try:
        return bool(unicodedata.lookup(base.replace("_", " ").upper())) and len(base) > 1
    except KeyError:
        return False


def keymap(wanted: Mapping[str, Configured]) -> Keymap:
    """What of the wanted keys can be had.

    Args:
        wanted: binding's id → keys, from the configuration.
    """
    if not wanted:
        return Keymap({})
    known = declared()
    problems: list[str] = []
    taken: dict[str, str] = {}
    for name, configured in wanted.items():
        keys = [key_value(k) for k in str(configured.value).split(",") if k.strip()]
        if trouble := _trouble(name, keys, known):
            problems.append(f"{plain(configured.where)}: {trouble}")
        else:
            taken[name] = ",".join(keys)
    while clash := _clash(taken, known):
        name, key, other = clash
        del taken[name]
        problems.append(
            f"{plain(wanted[name].where)}: {name} cannot have the key {key}: it is {other}'s; give that one another key"
        )
    return Keymap(taken, tuple(problems))


def _trouble(name: str, keys: list[str], known: tuple[Declared, ...]) -> str:
    ids = sorted({d.id for d in known if not d.id.startswith(FIXED)})
    if name not in ids:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        if name.startswith(FIXED):
            return f"the key of {plain(name, 60)} is always the same: dialogs name their keys"
        close = get_close_matches(name, ids, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(ids)}"
        return f"no key is called {plain(name, 60)}; {hint}"
    wrong = [k for k in keys if not is_key(k)]
    return f'there is no key «{plain(wrong[0], 40)}»; write "d", "D", "ctrl+d", "f5" or "?"' if wrong else ""


def _clash(taken: dict[str, str], known: tuple[Declared, ...]) -> tuple[str, str, str] | None:
    """A remapped binding, a key, and whose key that is already; the last one that was written gives way."""
    for name in reversed(taken):
        for mine in (d for d in known if d.id == name):
            for other in known:
                if other.id == name or not (mine.scope == other.scope or COMMON in {mine.scope, other.scope}):
                    continue
                if "Panel" in {mine.scope, other.scope} and mine.scope != other.scope:
                    continue  # a panel hides the screen below it
                theirs = taken[other.id].split(",") if other.id in taken else other.keys
                for key in taken[name].split(","):
                    if key in theirs and key not in mine.keys:
                        return name, key, other.id
    return None
