"""Sanitises text from outside (ConfigMap keys, names, log lines, packets) for terminals.

Terminals execute control characters, and bidirectional marks change how a text reads (Unicode TR36, TR39).
"""

from __future__ import annotations

import shlex
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_CHARACTERS = 4096
"""A ConfigMap value of a megabyte must not block the screen."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_MARKS = 4
"""Combining marks on a character; what is above is dropped: a flood covers the lines around."""
ZERO_WIDTH_LETTERS = (("\u1160", "\u11ff"), ("\ud7b0", "\ud7ff"))
"""Vowels and finals of Hangul, which join the letter before them."""
BLANKS = frozenset("\t\n\r\v\f\x85\u2028\u2029")


def plain(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Returns the text as one printable line.

    Line breaks and tabs become visible symbols. Every other control, format (right-to-left marks, zero-width
    characters), surrogate, private or unassigned character becomes a replacement character. A character has at most
    ``MAX_MARKS`` combining marks.
    """
    if text.isascii() and text.isprintable() and len(text) <= limit:
        return text
    cut = text[:limit]
    clean = "".join(_visible(cut))
    return clean if len(text) <= limit else clean[: limit - 1] + "…"


def shell_word(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Returns the text as one word of a shell's command line, in one line.

    Remedies are cut at ``; `` and before ``  # ``: a word never contains these (two quotes in between say the same).
    """
    return shlex.quote(plain(text, limit)).replace("; ", ";'' ").replace("  #", " '' #")


def shell_command(words: Iterable[str]) -> str:
    return " ".join(map(shell_word, words))


def _visible(text: str) -> Iterator[str]:
    marks = MAX_MARKS  # one at the start would fall on whatever stands before the text
    for character in text:
        if character.isascii() and character.isprintable():
            marks = 0
            yield character
            continue
        category = unicodedata.category(character)
        if category[0] == "M" or any(first <= character <= last for first, last in ZERO_WIDTH_LETTERS):
            marks += 1
            if marks <= MAX_MARKS:
                yield character
            continue
        marks = 0
        if character in BLANKS:
            yield "⏎" if character in "\n\r\u2028\u2029\x85" else " "
        else:
            yield REPLACEMENT if category[0] == "C" or category in {"Zl", "Zp"} else character
