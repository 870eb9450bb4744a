"""Finds passwords and auth_hmac's keys in configs, dumps and logs, and masks them; nothing else does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "********"

_VALUE_OF_WORD = (  # PASS alone is auth_type's value
    r"((?<![\w./-])(?!PASS\b)[$]?(?i:\w*(?:pass|secret|auth_data)\w*)(?:[ \t]*=[ \t]*|[ \t]+))"
    r"(\"[^\"]*\"?|(?:\$\{\w+\}|[^\s{}])+(?:[ \t]+(?![{}])\S+)*)"
)
_NUMBER = r"(?:0[xX][\da-fA-F]+|\d+|\$\{?\w+\}?)"
_HMAC_KEY = (  # `key 1 VALUE`, or a macro; a path is no secret, and keepalived logs "key 1 length 20 not in range"
    rf"((?:^[-+#! \t]*\"?key\"?[ \t]+[^\s{{}}]+|(?<![\w./-])\"?key\"?[ \t]+{_NUMBER})[ \t]+(?!\"?file:|length \d)"
    r"|[$](?i:\w*key\w*)[ \t]*=[ \t]*(?!\"?file:)"
    r"|\bhex:(?=[\da-fA-F]{16}))"
    r"(\"[^\"]*\"?|(?:\$\{\w+\}|[^\s{}\"'])+)"
)
_ENTRY = re.compile(f"{_VALUE_OF_WORD}|{_HMAC_KEY}", re.MULTILINE)
_MACRO = re.compile(r"\$\{?(\w+)")
_DEFINITION = re.compile(r"[ \t]*\$(\w+)[ \t]*=[ \t]*(.*)")
_MIN_SECRET = 3
"""Characters. Masking a shorter password would mask parts of unrelated words."""


def masked(line: str, known: frozenset[str] = frozenset()) -> str:
    line = _ENTRY.sub(lambda match: (match[1] or match[3]) + MASK, line)
    for secret in sorted(known, key=len, reverse=True):
        line = line.replace(secret, MASK)
    return line


def secrets_in(lines: Iterable[str]) -> frozenset[str]:
    """Returns the secrets in config lines, and those of macros in them: whole values, and each word of a password."""
    words: set[str] = set()
    macros: list[tuple[str, str]] = []
    for line in lines:
        for match in _ENTRY.finditer(line):
            value = (match[2] or match[4]).strip('"')
            words |= {value, *(value.split() if match[2] else ())}
        if definition := _DEFINITION.match(line):
            macros.append((definition[1], definition[2].strip('" \t')))
    used = {name for word in words for name in _MACRO.findall(word)}
    words |= {value for name, value in macros if name in used}
    return frozenset(word for word in words if len(word) >= _MIN_SECRET)
