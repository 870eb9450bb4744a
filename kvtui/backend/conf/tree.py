"""The one tree of a keepalived.conf: statements, each with its block, and where each character of them is written.

``build`` nests pieces of text by their braces. The pieces come from ``expand`` for the reader (includes, macros and
conditions resolved) and from ``as_written`` for the editor (one file, nothing resolved). The tree does not copy
comments and blanks: the editor replaces a word in the original text at the word's place, so every other byte stays.

Why not a library: keepalived-config 0.2.1 (PyPI) knows no macros, ``~SEQ``, ``@id``, includes or places, and raises on
35 of the 87 real files in ../shared/confs.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.conf import lexer
from kvtui.model.conf import Location, Problem, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_BUILT_IN_MACRO = re.compile(r"\$\{?_")


class Piece(Struct, frozen=True):
    """A statement without its block, or a single brace."""

    text: str
    file: str
    line: int
    columns: Sequence[int]  # for each character of ``text`` its 1-based column
    literal: bool = True  # written exactly so: not on an ``@`` line, not made by a macro or a sequence
    service: str | None = None  # named by keepalived-vip's ``# Service:`` comment directly above
    condition: str | None = None  # ``@id`` or ``@^id`` of its line, where conditions are not resolved
    directive: bool = False  # an include, a macro definition or a sequence, where these are not resolved

    @property
    def is_brace(self) -> bool:
        return self.text in {"{", "}"}

    @property
    def name(self) -> str:
        """The first words, as messages name a block."""
        return " ".join(word.value for word in islice(lexer.words(self.text), 3))

    def at(self, position: int = 0) -> Location:
        return Location(self.file, self.line, self.columns[position])


class Problems(list[Problem]):
    """The problems of a config, in the order of finding them."""

    def syntax(self, message: str, at: Location) -> None:
        self.append(Problem(ProblemKind.SYNTAX, message, at))

    def invalid(self, message: str, at: Location) -> None:
        self.append(Problem(ProblemKind.VALUE, message, at))

    def include(self, message: str, at: Location) -> None:
        self.append(Problem(ProblemKind.INCLUDE, message, at))

    def open_quote(self, at: Location) -> None:
        self.syntax("A quote is not closed on its line", at)


class Statement(Struct, dict=True):
    """``piece`` is None for the root, ``children`` without a block."""

    piece: Piece | None = None
    children: list[Statement] | None = None

    @cached_property
    def spans(self) -> list[lexer.WordSpan]:
        return list(lexer.words(self.piece.text)) if self.piece else []

    @cached_property
    def words(self) -> list[str]:
        return [span.value for span in self.spans]

    @property
    def keyword(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def argument(self) -> str | None:
        return self.words[1] if len(self.words) > 1 else None

    @property
    def literal(self) -> bool:
        return self.piece is not None and self.piece.literal

    def at(self, word: int = 0) -> Location:
        """Returns where a word is written; the start of the statement when it has no such word."""
        if self.piece is None:
            return Location("", 1)
        return self.piece.at(self.spans[word].start if word < len(self.spans) else 0)

    def written(self, word: int) -> str:
        """Returns a word with its quotes; empty when there is none."""
        if self.piece is None or word >= len(self.spans):
            return ""
        return self.piece.text[self.spans[word].start : self.spans[word].end]

    @cached_property
    def _by_keyword(self) -> dict[str, list[Statement]]:
        """Read only when the block is complete."""
        found: dict[str, list[Statement]] = {}
        for child in self.children or ():
            found.setdefault(child.keyword, []).append(child)
        return found

    def each(self, *keywords: str) -> Iterator[Statement]:
        if len(keywords) == 1:
            return iter(self._by_keyword.get(keywords[0], ()))
        return (child for child in self.children or () if child.keyword in keywords)

    def last(self, *keywords: str) -> Statement | None:
        """In keepalived the last one wins."""
        if len(keywords) == 1:
            return next(reversed(self._by_keyword.get(keywords[0], ())), None)
        return next((c for c in reversed(self.children or ()) if c.keyword in keywords), None)

    def entries(self, keyword: str) -> Iterator[Statement]:
        """Yields the lines of all blocks of that name (``virtual_ipaddress``, ``unicast_peer``, …)."""
        for block in self.each(keyword):
            yield from block.children or ()

    def integer(self, keyword: str) -> int | None:
        return integer(self.value(keyword))

    def decimal(self, keyword: str) -> float | None:
        text = self.value(keyword)
        return float(text) if text is not None and _DECIMAL.fullmatch(text) else None

    def value(self, keyword: str) -> str | None:
        child = self.last(keyword)
        return child.argument if child else None


def integer(text: str | None) -> int | None:
    return int(text) if text is not None and len(text) < 20 and _INTEGER.fullmatch(text) else None


def is_built_in(text: str | None) -> bool:
    """Whether a word has a macro that only keepalived can replace (``${_RANDOM 1 9}``)."""
    return text is not None and bool(_BUILT_IN_MACRO.search(text))


def as_written(text: str, problems: Problems, file: str = "") -> Iterator[Piece]:
    """Yields the pieces of one file with conditions and directives unresolved.

    Macro definitions are one piece, without their continuation lines.
    """
    defining = False
    for number, raw in enumerate(text.split("\n"), start=1):
        line = lexer.decomment(raw.rstrip("\r"))
        if line.open_quote is not None:
            problems.open_quote(Location(file, number, line.open_quote))
        if defining and line.text:
            defining = line.continued
            continue
        defining = False
        condition = None
        position = 0
        while (position := lexer.skip_space(line.text, position)) < len(line.text):
            if match := lexer.CONDITION.match(line.text, position):
                condition, position = line.text[position : match.end(2)], match.end()
                continue
            directive = lexer.is_directive(line.text, position)
            end = len(line.text) if directive else lexer.brace_or_end(line.text, position)
            part = line.text[position:end].rstrip(lexer.BLANK)
            columns = line.columns[position : position + len(part)]
            yield Piece(part, file, number, columns, condition is None, None, condition, directive)
            defining = bool(lexer.DEFINITION.match(line.text, position)) and line.continued
            position = end


def build(pieces: Iterable[Piece], problems: Problems) -> Statement:
    """Nests the pieces by their braces, linear in their number."""
    root: list[Statement] = []
    blocks = [root]
    header: Statement | None = None
    for piece in balanced(pieces, problems):
        if piece.text == "{":
            header = header or Statement(piece)  # not in the tree: keepalived ignores what is inside
            header.children = []
            blocks.append(header.children)
            header = None
        elif piece.text == "}":
            header = None
            if len(blocks) > 1:
                blocks.pop()
        else:
            blocks[-1].append(Statement(piece))
            header = None if piece.directive else blocks[-1][-1]
    return Statement(children=root)


def balanced(pieces: Iterable[Piece], problems: Problems) -> Iterator[Piece]:
    """Yields the pieces; adds braces that do not balance to ``problems``."""
    open_blocks: list[Piece] = []
    header: Piece | None = None
    for piece in pieces:
        if piece.text == "{":
            if header is None:
                problems.syntax("This '{' follows no statement", piece.at())
            open_blocks.append(header or piece)
            header = None
        elif piece.text == "}":
            header = None
            if open_blocks:
                open_blocks.pop()
            else:
                problems.syntax("This '}' closes no block", piece.at())
        else:
            header = None if piece.directive else piece
        yield piece
    for block in open_blocks:
        if not block.is_brace:
            problems.syntax(f"The block '{block.name}' is not closed: a '}}' is missing", block.at())
