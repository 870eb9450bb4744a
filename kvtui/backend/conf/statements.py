"""The statements that count, as a tree of blocks: what the extractors read."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from kvtui.backend.conf.lexer import WordSpan, words
from kvtui.model.conf import Location, Problem, ProblemKind
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.backend.conf.expand import Piece

_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")
_UNKNOWABLE = re.compile(r"\$\{?_")


@dataclass
class Statement:
    """A statement and, when ``{ … }`` follows it, its children.

    Attributes:
        piece: where it comes from; None for the root of all.
        children: None when there is no block.
    """

    piece: Piece | None = None
    children: list[Statement] | None = None

    @cached_property
    def spans(self) -> list[WordSpan]:
        """The words with their places in the piece."""
        return list(words(self.piece.text)) if self.piece else []

    @cached_property
    def words(self) -> list[str]:
        """The words' values, keyword first."""
        return [span.value for span in self.spans]

    @property
    def keyword(self) -> str:
        """The first word; empty when there is none."""
        return self.words[0] if self.words else ""

    @property
    def argument(self) -> str | None:
        """The second word; None when there is none."""
        return self.words[1] if len(self.words) > 1 else None

    @property
    def literal(self) -> bool:
        """Written just so, for every config id."""
        return self.piece is not None and self.piece.literal

    def at(self, word: int = 0) -> Location:
        """Where a word is written."""
        if self.piece is None:
            return Location("", 1)
        start = self.spans[word].start if word < len(self.spans) else 0
        return Location(self.piece.file, self.piece.line, self.piece.columns[start])

    def each(self, *keywords: str) -> Iterator[Statement]:
        """The children with one of these keywords, in order."""
        return (child for child in self.children or () if child.keyword in keywords)

    def last(self, *keywords: str) -> Statement | None:
        """The last child with one of these keywords: keepalived lets the last one win."""
        return next((c for c in reversed(self.children or ()) if c.keyword in keywords), None)

    def entries(self, keyword: str) -> Iterator[Statement]:
        """The lines of all blocks of that name (``virtual_ipaddress``, ``unicast_peer``, …)."""
        for block in self.each(keyword):
            yield from block.children or ()

    def integer(self, *keywords: str) -> int | None:
        """The number that the last such child gives; None when it gives none."""
        child = self.last(*keywords)
        return integer(child.argument) if child else None

    def decimal(self, keyword: str) -> float | None:
        """The same for a number with a fraction (seconds)."""
        child = self.last(keyword)
        text = child.argument if child else None
        return float(text) if text is not None and _DECIMAL.fullmatch(text) else None

    def value(self, *keywords: str) -> str | None:
        """The second word of the last such child."""
        child = self.last(*keywords)
        return child.argument if child else None


def integer(text: str | None) -> int | None:
    """The integer a word stands for; None when it is not one."""
    return int(text) if text is not None and len(text) < 20 and _INTEGER.fullmatch(text) else None


def unknowable(text: str | None) -> bool:
    """Whether a word holds a macro of keepalived's own that only it can fill in (``${_RANDOM 1 9}``)."""
    return text is not None and bool(_UNKNOWABLE.search(text))


def build(pieces: Iterable[Piece], problems: list[Problem]) -> Statement:
    """Nests the pieces by their braces; what does not balance is added to ``problems``."""
    children: list[Statement] = []
    root = Statement(children=children)
    open_blocks: list[tuple[list[Statement], Statement]] = []
    header: Statement | None = None
    for piece in pieces:
        if piece.text == "{":
            if header is None:
                problems.append(_syntax("This '{' follows no statement", piece))
                header = Statement(piece)  # hangs nowhere: what is inside belongs to nothing that is known
            open_blocks.append((children, header))
            children = header.children = []
            header = None
        elif piece.text == "}":
            header = None
            if open_blocks:
                children, _ = open_blocks.pop()
            else:
                problems.append(_syntax("This '}' closes no block", piece))
        else:
            header = Statement(piece)
            children.append(header)
    for _, block in open_blocks:
        if block.piece is not None:
            name = " ".join(block.words[:2])
            problems.append(_syntax(f"The block '{name}' is not closed: a '}}' is missing", block.piece))
    return root


def _syntax(message: str, piece: Piece) -> Problem:
    return Problem(ProblemKind.SYNTAX, message, Location(piece.file, piece.line, piece.columns[0]))


def invalid(message: str, at: Location) -> Problem:
    """A problem of a value."""
    return Problem(ProblemKind.VALUE, message, at)
