"""Text from outside (ConfigMap keys, names, log lines, packets) made harmless: data, never an instruction.

Terminals obey control characters, and bidirectional marks let a text read other than it is (Unicode TR36, TR39).
"""

from __future__ import annotations

import unicodedata

LONGEST = 4096
"""Characters: enough for any line that a person reads; a megabyte in a ConfigMap must not stop the screen."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
BLANKS = frozenset("\t\n\r\v\f\x85\u2028\u2029")


def plain(text: str, limit: int = LONGEST) -> str:
    """The text as one line that only prints.

    Line breaks and tabs become visible symbols, every other control, format (right-to-left marks, zero-width
    characters), surrogate, private or unassigned character becomes a replacement character.

    Args:
        text: from outside.
        limit: most characters; what is longer ends in an ellipsis.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    cut = text[:limit]
    clean = "".join(_visible(c) for c in cut)
    return clean if len(text) <= limit else clean[: limit - 1] + "…"


def _visible(character: str) -> str:
    if character in BLANKS:
        return "⏎" if character in "\n\r\u2028\u2029\x85" else " "
    category = unicodedata.category(character)
    return REPLACEMENT if category[0] == "C" or category in {"Zl", "Zp"} else character
