"""Sanitises text from outside (ConfigMap keys, names, log lines, packets) for terminals.

Terminals execute control characters, and bidirectional marks change how a text reads (Unicode TR36, TR39).
"""

from __future__ import annotations

import shlex
import unicodedata

MAX_CHARACTERS = 4096
"""A ConfigMap value of a megabyte must not block the screen."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BLANKS = frozenset("\t\n\r\v\f\x85\u2028\u2029")


def plain(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Returns the text as one printable line.

    Line breaks and tabs become visible symbols. Every other control, format (right-to-left marks, zero-width
    characters), surrogate, private or unassigned character becomes a replacement character.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    cut = text[:limit]
    clean = "".join(_visible(c) for c in cut)
    return clean if len(text) <= limit else clean[: limit - 1] + "…"


def shell_word(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Returns the text as one word of a shell's command line, in one line.

    Remedies are cut at ``; `` and before ``  # ``: a word never contains these (two quotes in between say the same).
    """
    return shlex.quote(plain(text, limit)).replace("; ", ";'' ").replace("  #", " '' #")


def _visible(character: str) -> str:
    if character in BLANKS:
        return "⏎" if character in "\n\r\u2028\u2029\x85" else " "
    category = unicodedata.category(character)
    return REPLACEMENT if category[0] == "C" or category in {"Zl", "Zp"} else character
