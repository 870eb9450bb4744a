"""Secrets taken out of text that leaves the node: the debug log and crash reports."""

from __future__ import annotations

import re

from kvtui.model.secrets import MASK, masked
from kvtui.model.text import plain

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_JWT = re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[\w.~+/=-]{6,}")
_USERINFO = re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)")
_NAMED = re.compile(
    r"""(?ix)
    ( ["']? [\w.-]* (?:pass|secret|auth_data|token|key-?data|private-?key|api[_-]?key|authorization|credential) [\w.-]*
      ["']? \s* [:=] \s* )
    ( "[^"]*"? | '[^']*'? | [^\s,;)}\]]+ )"""
)


def redact(text: str) -> str:
    """Returns the text without passwords, tokens and keys, and without what a terminal would obey."""
    text = _PEM.sub(MASK, text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _JWT.sub(MASK, text)
    text = _USERINFO.sub(MASK, text)
    text = _NAMED.sub(lambda found: f"{found[1]}{MASK}", text)
    return "\n".join(plain(masked(line)) for line in text.split("\n"))
