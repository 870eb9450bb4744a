"""keepalived's ``$macros`` and ``~SEQ``/``~LST`` lines (``replace_param``, ``add_seq``, ``add_lst``, 2.2.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.conf.lexer import BLANK

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LINE = 1023  # characters of a line in keepalived (``MAXBUF`` 1024): it skips a replacement that makes a longer one
MAX_REPLACEMENTS = 1000
"""On one line; more are counted as endless, such as ``$A=$A``: keepalived itself would loop for ever on it."""
MAX_ALL_REPLACEMENTS = 100_000  # in a config; after that many the rest is read without replacing any
MAX_LINES = 20_000  # further lines from one line; more are never read (``expand.MAX_GENERATED_LINES``)
UNDEFINED = re.compile(r"\$\{(?!_)[A-Za-z][A-Za-z0-9_]*\}")
"""An undefined macro (names that start with ``_`` may be keepalived's own)."""
_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)(?=[ \t,)]|\Z))")
_SEQ = re.compile(r"~SEQ(x?)[ \t]*\([ \t]*([^ \t,)]+)[ \t]*,([^)]*)\)[ \t]*")
_LST = re.compile(r"~LST[ \t]*\([ \t]*(\{[^{}]*\}|[^ \t,{}()]+)[ \t]*,([^()]*)\)[ \t]*")
_VALUES = re.compile(r"[ \t]*(?:\{([^{}]*)\}|([^ \t,{}]*))[ \t]*(?:,|\Z)")
_NUMBER = re.compile(r"\s*([+-]?)(0[xX][0-9a-fA-F]+|[0-9]+)\s*\Z")


class Rounds(Struct, frozen=True):
    """A line, and the values of its macros in each repetition."""

    text: str
    values: Iterable[dict[str, str]]


class Replaced(Struct, frozen=True):
    """A line after its macros were replaced."""

    text: str
    more: list[str]  # further lines, of a multi-line macro at its end
    source: str  # the macro that these come from
    endless: str = ""  # a macro that refers to itself


class Macros:
    """The current definitions, as lines, with ``_PWD`` and ``_INSTANCE``.

    A definition holds in later files too. ``_RANDOM``, ``_HASH`` and ``_BANG`` are not replaced: the first is unknown,
    the others only hide a comment mark.
    """

    def __init__(self, config_id: str) -> None:
        self._values: dict[str, list[str]] = {"_INSTANCE": [config_id]}
        self.left = MAX_ALL_REPLACEMENTS
        self._endless: set[str] = set()

    def define(self, name: str, lines: list[str]) -> None:
        self._values[name] = lines
        self._endless.discard(name)

    def extend(self, name: str, line: str) -> None:
        self._values[name].append(line)

    def replace(self, text: str, folder: str, made_by: frozenset[str] = frozenset()) -> Replaced | None:
        """Replaces defined macros repeatedly, as keepalived does; None when there is nothing to replace.

        ``folder`` is the value of ``${_PWD}``, ``made_by`` the multi-line macros that the line comes from.
        """
        more: list[str] = []
        last = longest = ""
        position = 0
        for _ in range(min(MAX_REPLACEMENTS, self.left)):
            self.left -= 1
            match = _REFERENCE.search(text, position)
            if match is None:
                break
            name = match[1] or match[2]
            lines = self._values.get(name, [folder] if name == "_PWD" else None)
            if lines is None or (len(lines) > 1 and match.end() != len(text)):
                position = match.end()
                continue
            if name in self._endless or name in made_by:
                return self._never_ends(name)
            first = lines[0] if lines else ""
            result = text[: match.start()] + first + text[match.end() :]
            if (len(result) > MAX_LINE and len(result) > len(text)) or len(more) > MAX_LINES:
                break
            more, longest = lines[1:] + more, name if len(lines) > 1 else longest
            text, last, position = result, name, match.start()
            if first.lstrip(BLANK).startswith("~"):
                break
        else:
            return self._never_ends(last) if self.left else None
        return Replaced(text, more, longest) if last else None

    def _never_ends(self, name: str) -> Replaced:
        self._endless.add(name)
        return Replaced("", [], name, endless=name)


def sequence(text: str, macros: Macros) -> Rounds | None:
    """Parses a ``~SEQ(var, …)``, ``~SEQx(…)`` or ``~LST(var, …)`` line; None when it is invalid."""
    return _seq(text, macros) if text.startswith("~SEQ") else _lst(text)


def _seq(text: str, macros: Macros) -> Rounds | None:
    match = _SEQ.match(text)
    if match is None:
        return None
    replaced = macros.replace(match[3], "")
    match [_number(part) for part in (replaced.text if replaced else match[3]).split(",")]:
        case [int(end)]:
            start, step = (-1 if end < 0 else 1), (-1 if end < 1 else 1)
        case [int(start), int(end)]:
            step = 1 if start <= end else -1
        case [int(start), int(step), int(end)]:
            pass
        case _:
            return None
    if step == 0 or (start < end and step < 0) or (start > end and step > 0) or (match[1] and min(start, end) < 0):
        return None
    stop = end + (1 if step > 0 else -1)
    form = "{:x}" if match[1] else "{}"
    return Rounds(text[match.end() :], ({match[2]: form.format(n)} for n in range(start, stop, step)))


def _lst(text: str) -> Rounds | None:
    match = _LST.match(text)
    if match is None:
        return None
    names = [name.strip() for name in match[1].strip("{}").split(",")]
    assignments: list[dict[str, str]] = []
    position = 0
    while position < len(match[2]):
        found = _VALUES.match(match[2], position)
        if found is None or found.end() == position:
            return None
        position = found.end()
        values = [found[2]] if found[1] is None else [value.strip() for value in found[1].split(",")]
        if len(values) > len(names):
            return None
        assignments.append(dict(zip(names, values + [""] * (len(names) - len(values)), strict=True)))
    return Rounds(text[match.end() :], assignments) if assignments else None


def _number(text: str) -> int | None:
    """Parses a number as C's ``strtol`` with base 0; None when it is not one."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    digits = match[2].lower()
    base = 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10
    try:
        value = int(digits, base)
    except ValueError:  # an 8 or a 9 in an octal number
        return None
    return -value if match[1] == "-" else value
