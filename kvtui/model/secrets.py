"""Finds passwords in configs, dumps and logs, and masks them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "********"

_KEYWORD = r"(?<![\w./-])(?!PASS\b)[$]?(?i:\w*(?:pass|secret|auth_data)\w*)"  # PASS alone is auth_type's value
_VALUE = r"\"[^\"]*\"?|[^\s{}]+(?:[ \t]+(?![{}])\S+)*"
_ENTRY = re.compile(rf"({_KEYWORD}(?:[ \t]*=[ \t]*|[ \t]+))({_VALUE})")
_MIN_SECRET = 3
"""Characters. Masking a shorter password would mask parts of unrelated words."""


def masked(line: str, known: frozenset[str] = frozenset()) -> str:
    line = _ENTRY.sub(lambda match: match[1] + MASK, line)
    for secret in sorted(known, key=len, reverse=True):
        line = line.replace(secret, MASK)
    return line


def secrets_in(lines: Iterable[str]) -> frozenset[str]:
    secrets: set[str] = set()
    for line in lines:
        for match in _ENTRY.finditer(line):
            value = match[2].strip('"')
            secrets |= {value, *value.split()}
    return frozenset(word for word in secrets if len(word) >= _MIN_SECRET)
