"""Splits a line as keepalived does: comments, quotes, braces, words.

The rules are those of ``decomment``, ``read_line`` and ``alloc_strvec_r`` in keepalived's ``lib/parser.c`` (2.2.7),
which works line by line. All functions take time linear in the length of the line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLANK = " \t"  # stripped by ``decomment`` at both ends of a line (words also end at C's other white space)
MACRO = r"\$\{[A-Za-z_][A-Za-z0-9_]*+[ 0-9]*+\}"  # ``${NAME}`` or ``${NAME 1 9}``: its braces are not a block's
DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*")
"""The start of ``$NAME=value``, without a blank before the ``=`` (``check_definition``)."""
CONDITION = re.compile(r"@(\^?)([^ \t]*)[ \t]*")
"""``@id `` or ``@^id ``: the rest of the line holds only if the config id is equal (different)."""
INCLUDE = re.compile(r"include[rmwba]?(?=[ \t\f\n\r\v])[ \t\f\n\r\v]+")
"""``include FILE`` and its stricter variants (``is_include``); the file name is the rest of the line."""
SEQUENCES = ("~SEQ", "~LST")  # the starts of lines that keepalived repeats with other values
_SPACE = re.compile(r"[ \t\f\n\r\v]+")
_MARKS = re.compile(r'[!#"\\]')
_MARKED_LINE = re.compile(
    r"""
    (?P<text> (?: [^!#"\\]++ | \\. | "(?:[^"\\]|\\.)*+" )*+ )
    (?P<open_quote> "(?:[^"\\]|\\.)*+ )?
    (?P<comment> [!#](?:[^\\]|\\.)*+ )?
    (?P<backslash> \\ )?
    """,
    re.VERBOSE | re.DOTALL,
)
"""A backslash takes the next character with it, also in quotes and comments."""
_QUOTED_OR_ESCAPED = re.compile(r'"(?:[^"\\]|\\.)*+"|\\(.)', re.DOTALL)
_BRACES = re.compile(rf'["{{}}]|{MACRO}')
_WORD = re.compile(rf'"([^"]*)"?|(?:{MACRO}|[^ \t\f\n\r\v"])++')


class Line(NamedTuple):
    """A line as keepalived reads it: without comment and outer blanks, comment escapes resolved; columns from 1 on."""

    text: str
    columns: Sequence[int]  # of each character of ``text`` in the physical line
    comment: int | None = None  # column where the comment starts
    open_quote: int | None = None  # column of a quote that the line does not close

    @property
    def continued(self) -> bool:
        return self.text.endswith("\\")


class WordSpan(NamedTuple):
    """A word within a line: its value without quotes, and its half-open range with them."""

    value: str
    start: int
    end: int


def decomment(raw: str, offset: int = 0) -> Line:
    """Strips comment and outer blanks from a physical line (from ``offset`` on) without its line end.

    ``!`` and ``#`` start a comment anywhere, unless quoted or escaped. A backslash at the end stays, even after
    a comment, without the blanks before it: it continues a macro definition.
    """
    raw = raw.partition("\0")[0]  # C strings end there
    start = len(raw) - len(raw.lstrip(BLANK))
    marked = _MARKED_LINE.fullmatch(raw) if _MARKS.search(raw, start) else None
    if marked is None:
        text = raw.strip(BLANK)
        return Line(text, range(offset + start + 1, offset + start + 1 + len(text)))
    quote, comment, backslash = (marked.start(name) for name in ("open_quote", "comment", "backslash"))
    end = max(start, len(raw[: next((mark for mark in (comment, backslash) if mark >= 0), len(raw))].rstrip(BLANK)))
    columns: Sequence[int] = range(offset + start + 1, offset + end + 1)
    text = raw[start:end]
    if "\\" in raw:
        escapes = {match.start() for match in _QUOTED_OR_ESCAPED.finditer(marked["text"]) if match[1] in ("!", "#")}
        kept = [at for at in range(start, end) if at not in escapes] + ([backslash] if backslash >= 0 else [])
        text, columns = "".join(raw[at] for at in kept), [offset + at + 1 for at in kept]
    return Line(text, columns, comment + 1 if comment >= 0 else None, offset + quote + 1 if quote >= 0 else None)


def brace_or_end(text: str, start: int) -> int:
    """Returns where the piece that starts at ``start`` ends: before the next brace that is not quoted.

    A brace is a piece of its own. An open quote hides all braces after it.
    """
    if text[start] in "{}":
        return start + 1
    position = start
    while mark := _BRACES.search(text, position):
        if mark[0] in "{}":
            return mark.start()
        position = mark.end()
        if mark[0] == '"':
            position = text.find('"', position) + 1
            if position == 0:
                break
    return len(text)


def skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def is_directive(text: str, position: int) -> bool:
    """Whether a macro definition, a sequence or an include starts there: it takes the rest of the line."""
    starts = DEFINITION.match(text, position) or INCLUDE.match(text, position)
    return bool(starts) or text.startswith(SEQUENCES, position)


def words(text: str) -> Iterator[WordSpan]:
    """Yields the words; a quoted part is a word of its own, even glued to another (``a"b c"``)."""
    for match in _WORD.finditer(text):
        yield WordSpan(match[0] if match[1] is None else match[1], match.start(), match.end())
