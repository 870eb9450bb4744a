"""Passwords in configurations and in what keepalived says of them: found, so that they are never shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "********"

_KEYWORD = r"(?<![\w./-])(?!PASS\b)[$]?(?i:\w*(?:pass|secret|auth_data)\w*)"  # PASS alone is auth_type's value
_VALUE = r"\"[^\"]*\"?|[^\s{}]+(?:[ \t]+(?![{}])\S+)*"
_ENTRY = re.compile(rf"({_KEYWORD}(?:[ \t]*=[ \t]*|[ \t]+))({_VALUE})")
_SHORTEST = 3
"""Characters: a shorter password would mask half of every sentence that it happens to be in."""


def masked(line: str, known: frozenset[str] = frozenset()) -> str:
    """A line without the values of its password entries, nor any of the ``known`` passwords."""
    line = _ENTRY.sub(lambda match: match[1] + MASK, line)
    for secret in sorted(known, key=len, reverse=True):
        line = line.replace(secret, MASK)
    return line


def secrets_in(lines: Iterable[str]) -> frozenset[str]:
    """The passwords in configuration lines: whole values, and each of their words."""
    found: set[str] = set()
    for line in lines:
        for match in _ENTRY.finditer(line):
            value = match[2].strip('"')
            found |= {value, *value.split()}
    return frozenset(word for word in found if len(word) >= _SHORTEST)
