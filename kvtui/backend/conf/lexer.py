"""Splits a line as keepalived does: comments, quotes, braces, words.

The rules are those of ``decomment``, ``read_line`` and ``alloc_strvec_r`` in keepalived's ``lib/parser.c`` (2.2.7),
which works line by line. All functions take time linear in the length of the line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BLANK = " \t"
"""Stripped by ``decomment`` at both ends of a line (words also end at C's other white space)."""

MACRO = r"\$\{[A-Za-z_][A-Za-z0-9_]*+[ 0-9]*+\}"
"""``${NAME}`` or ``${NAME 1 9}``: its braces are not a block's."""

DEFINITION = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)=[ \t]*")
"""The start of ``$NAME=value``, without a blank before the ``=`` (``check_definition``)."""

CONDITION = re.compile(r"@(\^?)([^ \t]*)[ \t]*")
"""``@id `` or ``@^id ``: the rest of the line holds only if the config id is equal (different)."""

INCLUDE = re.compile(r"include[rmwba]?(?=[ \t\f\n\r\v])[ \t\f\n\r\v]+")
"""``include FILE`` and its stricter variants (``is_include``); the file name is the rest of the line."""

SEQUENCES = ("~SEQ", "~LST")
"""The starts of lines that keepalived repeats with other values."""

_SPACE = re.compile(r"[ \t\f\n\r\v]+")
_COMMENT_MARKS = re.compile(r'[!#"\\]')
_BRACES = re.compile(rf'["{{}}]|{MACRO}')
_WORD = re.compile(rf'"([^"]*)"?|(?:{MACRO}|[^ \t\f\n\r\v"])++')


class Line(NamedTuple):
    """A line as keepalived reads it: without comment and outer blanks, comment escapes resolved.

    Attributes:
        text: the rest.
        columns: for each character of ``text`` its 1-based column in the physical line.
        comment: 1-based column where the comment starts; None when there is none.
        open_quote: 1-based column of a quote that the line does not close; None when all are closed.
    """

    text: str
    columns: Sequence[int]
    comment: int | None = None
    open_quote: int | None = None

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
    if not _COMMENT_MARKS.search(raw, start):
        text = raw.strip(BLANK)
        return Line(text, range(offset + start + 1, offset + start + 1 + len(text)))
    marks = _marks(raw, start)
    cut = min(mark for mark in (len(raw), marks.comment, marks.backslash) if mark is not None)
    end = max(start, len(raw[:cut].rstrip(BLANK)))
    text, columns = _without(raw, start, end, marks.escapes)
    if marks.backslash is not None:
        text += "\\"
        columns = [*columns, marks.backslash + 1]
    if offset:
        columns = [column + offset for column in columns]
    comment = None if marks.comment is None else marks.comment + 1
    return Line(text, columns, comment, None if marks.quote is None else marks.quote + offset + 1)


class _Marks(Struct):
    """Where a line's comment, open quote, escaped marks and last backslash are; 0-based."""

    comment: int | None = None
    quote: int | None = None
    backslash: int | None = None
    escapes: list[int] = field(default_factory=list)


def _marks(raw: str, start: int) -> _Marks:
    marks = _Marks()
    position = start
    while mark := _COMMENT_MARKS.search(raw, position):
        at = mark.start()
        position = at + 1
        character = mark[0]
        bare = marks.quote is None and marks.comment is None
        if character == '"':
            if marks.comment is None:
                marks.quote = at if marks.quote is None else None
        elif character == "\\":
            if position == len(raw):
                marks.backslash = at
                break
            if bare and raw[position] in "#!":
                marks.escapes.append(at)
            position += 1
        elif bare:
            marks.comment = at
    return marks


def _without(raw: str, start: int, end: int, escapes: list[int]) -> tuple[str, Sequence[int]]:
    """Returns ``raw[start:end]`` without the backslashes of escaped comment marks, and the columns."""
    escapes = [at for at in escapes if start <= at < end]
    if not escapes:
        return raw[start:end], range(start + 1, end + 1)
    dropped = set(escapes)
    kept = [at for at in range(start, end) if at not in dropped]
    return "".join(raw[at] for at in kept), [at + 1 for at in kept]


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
