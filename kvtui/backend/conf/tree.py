"""A keepalived.conf as a tree that loses nothing: ``parse(text).text() == text`` for every text.

The tree shows one file as it is written: macros are not expanded, includes not followed, conditional lines all
kept (``expand`` does those). It is what the editor works on, byte for byte.
"""

from __future__ import annotations

import re
from dataclasses import field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from kvtui.backend.conf.lexer import CONDITION, DEFINITION, INCLUDE, Line, brace_or_end, decomment, words
from kvtui.model.conf import Location, Problem, ProblemKind
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class TokenKind(StrEnum):
    """What a token is."""

    END = "end"
    """The end of a line."""
    COMMENT = "comment"
    WORD = "word"
    OPEN = "{"
    CLOSE = "}"
    CONDITION = "condition"
    """``@id`` or ``@^id`` at the start of a line."""
    RAW = "raw"
    """The text of a macro definition or of a ``~SEQ``/``~LST`` line, not cut further."""


class Token(NamedTuple):
    """A piece of the text, exactly as written, and where it starts (1-based line and column, 0-based offset).

    ``before`` are the blanks in front of it on its line; ``value`` is what keepalived reads: a word without its
    quotes.
    """

    kind: TokenKind
    before: str
    text: str
    offset: int
    line: int
    column: int
    value: str = ""


class StatementKind(StrEnum):
    """What a statement does."""

    PLAIN = "plain"
    DEFINITION = "definition"
    INCLUDE = "include"
    SEQUENCE = "sequence"


def _text(tokens: Iterable[Token]) -> str:
    return "".join(t.before + t.text for t in tokens)


@dataclass(slots=True)
class Statement:
    """One statement with the blanks and comments around it on its line (a macro definition: its lines).

    Attributes:
        tokens: all of them, in order.
        kind: plain, a macro definition, an include, or a ``~SEQ``/``~LST`` line.
        condition: ``@id`` or ``@^id`` when it counts for some config ids only.
    """

    tokens: list[Token]
    kind: StatementKind = StatementKind.PLAIN
    condition: str | None = None

    @property
    def words(self) -> tuple[Token, ...]:
        """The keyword and its arguments."""
        return tuple(t for t in self.tokens if t.kind is TokenKind.WORD)

    @property
    def keyword(self) -> str:
        """The first word's value; empty when there is none."""
        return next((t.value for t in self.tokens if t.kind is TokenKind.WORD), "")

    def text(self) -> str:
        """Exactly what is written."""
        return _text(self.tokens)


@dataclass(slots=True)
class Trivia:
    """A line without a statement: blank, or only a comment."""

    tokens: list[Token]

    @property
    def comment(self) -> str | None:
        """The comment with its mark; None on a blank line."""
        return next((t.text for t in self.tokens if t.kind is TokenKind.COMMENT), None)

    def text(self) -> str:
        """Exactly what is written."""
        return _text(self.tokens)


@dataclass(slots=True)
class Stray:
    """A ``}`` that closes nothing."""

    tokens: list[Token]

    def text(self) -> str:
        """Exactly what is written."""
        return _text(self.tokens)


@dataclass(slots=True)
class Block:
    """A statement with a ``{ … }`` behind it.

    Attributes:
        header: the statement; None for a ``{`` that follows none.
        between: blank and comment lines between the header and a ``{`` on a later line.
        opening: the ``{`` with the blanks and comment around it.
        children: what is inside.
        closing: the ``}`` and what surrounds it; empty when it is missing.
    """

    header: Statement | None
    between: list[Trivia]
    opening: list[Token]
    children: list[Node] = field(default_factory=list)
    closing: list[Token] = field(default_factory=list)

    @property
    def words(self) -> tuple[Token, ...]:
        """The words of the header."""
        return self.header.words if self.header else ()

    @property
    def keyword(self) -> str:
        """The first word of the header; empty when there is none."""
        return self.header.keyword if self.header else ""


Node = Statement | Block | Trivia | Stray


@dataclass(slots=True)
class Tree:
    """A parsed file.

    Attributes:
        file: its name, as it stands in locations.
        nodes: the top level.
        problems: unbalanced braces and quotes, in the order of the text. Braces are not judged when a
            conditional line has one (``conditional_braces``): they balance for one config id and not for another.
    """

    file: str
    nodes: list[Node]
    problems: tuple[Problem, ...] = ()
    conditional_braces: bool = False

    def text(self) -> str:
        """Exactly the text that was parsed."""
        return _text(self.tokens())

    def tokens(self) -> Iterator[Token]:
        """All tokens in the order of the text."""
        stack: list[Iterator[Node] | list[Token]] = [iter(self.nodes)]
        while stack:
            top = stack.pop()
            if isinstance(top, list):
                yield from top
                continue
            node = next(top, None)
            if node is None:
                continue
            stack.append(top)
            if isinstance(node, Block):
                if node.header:
                    yield from node.header.tokens
                for trivia in node.between:
                    yield from trivia.tokens
                yield from node.opening
                stack += [node.closing, iter(node.children)]
            else:
                yield from node.tokens


def read_text(path: str) -> str:
    """The text of a file, its bytes kept: UTF-8 with surrogate escapes, ends of lines untouched.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as stream:  # noqa: PTH123 - a path of /proc/PID/root, as text
        return stream.read()


def parse(text: str, file: str = "keepalived.conf") -> Tree:
    """Parses any text; what is wrong with it is in ``Tree.problems``, never an exception. Linear in its length."""
    builder = _Builder(file)
    offset = 0
    for number, match in enumerate(_LINES.finditer(text), start=1):
        builder.line(match[0], number, offset)
        offset = match.end()
    return builder.tree()


class _Builder:
    """Takes physical lines one by one and hangs their pieces into the tree."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.top: list[Node] = []
        self.children = self.top
        self.open: list[tuple[Block, list[Node], Token]] = []
        self.brace_problems: list[Problem] = []
        self.quote_problems: list[Problem] = []
        self.conditional_braces = False
        self.definition: Statement | None = None

    def line(self, physical: str, number: int, offset: int) -> None:
        """Adds one physical line, its end included."""
        body = physical.rstrip("\r\n")
        line = decomment(body)
        cutter = _Cutter(physical, body, line, number, offset)
        if line.open_quote is not None:
            self.quote_problems.append(self._problem("A quote is not closed on its line", number, line.open_quote))
        if self.definition is not None and line.text:
            self._continue(self.definition, line, cutter)
            return
        self.definition = None
        last: list[Token] | None = None
        condition: str | None = None
        position = 0
        while position < len(line.text):
            if line.text[position] in " \t\f\n\r\v":
                position += 1
                continue
            if match := CONDITION.match(line.text, position):
                condition = line.text[position : match.end(2)]
                cutter.take(TokenKind.CONDITION, position, match.end(2), condition)
                position = match.end()
                continue
            position, last = self._piece(line, position, condition, cutter)
        rest = cutter.rest()
        if last is not None:
            last += rest
        else:
            self._hang_trivia(rest, condition)

    def _hang_trivia(self, tokens: list[Token], condition: str | None) -> None:
        """A line without a statement; ``@id`` alone is one that counts for nothing."""
        self.children.append(Trivia(tokens) if condition is None else Statement(tokens, condition=condition))

    def _continue(self, definition: Statement, line: Line, cutter: _Cutter) -> None:
        """One more line of a macro definition."""
        cutter.take(TokenKind.RAW, 0, len(line.text), line.text)
        definition.tokens += cutter.rest()
        if not line.continued:
            self.definition = None

    def _piece(self, line: Line, position: int, condition: str | None, cutter: _Cutter) -> tuple[int, list[Token]]:
        """Hangs the piece that starts at ``position``; gives where it ends and the tokens that trivia may join."""
        text = line.text
        if text[position] in "{}":
            cutter.take(TokenKind.OPEN if text[position] == "{" else TokenKind.CLOSE, position, position + 1)
            self.conditional_braces |= condition is not None
            tokens = cutter.done()
            return position + 1, self._opened(tokens) if text[position] == "{" else self._closed(tokens)
        if DEFINITION.match(text, position):
            statement = self._raw(StatementKind.DEFINITION, position, condition, line, cutter)
            if line.continued:
                self.definition = statement
            return len(text), statement.tokens
        if text.startswith(("~SEQ", "~LST"), position):
            return len(text), self._raw(StatementKind.SEQUENCE, position, condition, line, cutter).tokens
        if include := INCLUDE.match(text, position):
            cutter.take(TokenKind.WORD, position, position + len(include[0].rstrip()), include[0].rstrip())
            if include.end() < len(text):
                cutter.take(TokenKind.WORD, include.end(), len(text), text[include.end() :])
            return len(text), self._hang(Statement(cutter.done(), StatementKind.INCLUDE, condition)).tokens
        end = brace_or_end(text, position)
        for word in words(text, position, end):
            cutter.take(TokenKind.WORD, word.start, word.end, word.value)
        return end, self._hang(Statement(cutter.done(), condition=condition)).tokens

    def _raw(self, kind: StatementKind, position: int, condition: str | None, line: Line, cutter: _Cutter) -> Statement:
        """A statement that takes the rest of the line uncut."""
        cutter.take(TokenKind.RAW, position, len(line.text), line.text[position:])
        return self._hang(Statement(cutter.done(), kind, condition))

    def _hang(self, statement: Statement) -> Statement:
        self.children.append(statement)
        return statement

    def _opened(self, tokens: list[Token]) -> list[Token]:
        """A ``{``: the statement before it, if there is one, becomes the header of a block."""
        at = len(self.children)
        while at and isinstance(self.children[at - 1], Trivia):
            at -= 1
        header = self.children[at - 1] if at else None
        brace = next(t for t in tokens if t.kind is TokenKind.OPEN)
        if isinstance(header, Statement) and header.kind is StatementKind.PLAIN and header.words:
            between = [n for n in self.children[at:] if isinstance(n, Trivia)]
            del self.children[at - 1 :]
            block = Block(header, between, tokens)
        else:
            self.brace_problems.append(self._problem("This '{' follows no statement", brace.line, brace.column))
            block = Block(None, [], tokens)
        self.children.append(block)
        self.open.append((block, self.children, brace))
        self.children = block.children
        return block.opening

    def _closed(self, tokens: list[Token]) -> list[Token]:
        """A ``}``: closes the innermost block, or is stray."""
        if not self.open:
            brace = next(t for t in tokens if t.kind is TokenKind.CLOSE)
            self.brace_problems.append(self._problem("This '}' closes no block", brace.line, brace.column))
            self.children.append(Stray(tokens))
            return tokens
        block, self.children, _ = self.open.pop()
        block.closing = tokens
        return tokens

    def _problem(self, message: str, line: int, column: int) -> Problem:
        return Problem(ProblemKind.SYNTAX, message, Location(self.file, line, column))

    def tree(self) -> Tree:
        """What was built; blocks still open are problems."""
        for block, _, brace in self.open:
            name = " ".join(t.value for t in block.words[:2]) or "{"
            self.brace_problems.append(
                self._problem(f"The block '{name}' is not closed: a '}}' is missing", brace.line, brace.column)
            )
        problems = self.quote_problems + ([] if self.conditional_braces else self.brace_problems)
        problems.sort(key=lambda p: (p.at.line, p.at.column))
        return Tree(self.file, self.top, tuple(problems), self.conditional_braces)


class _Cutter:
    """Cuts one physical line into tokens without losing a character."""

    def __init__(self, physical: str, body: str, line: Line, number: int, offset: int) -> None:
        self.physical = physical
        self.line = line
        self.number = number
        self.offset = offset
        self.comment = len(body) if line.comment is None else line.comment - 1
        self.body = len(body)
        self.position = 0
        self.tokens: list[Token] = []

    def take(self, kind: TokenKind, start: int, end: int, value: str = "") -> None:
        """Makes a token of ``line.text[start:end]``; what was skipped goes before it."""
        columns = self.line.columns
        self._cut(kind, columns[start] - 1, columns[end - 1], value)

    def done(self) -> list[Token]:
        """The tokens since the last call."""
        tokens, self.tokens = self.tokens, []
        return tokens

    def rest(self) -> list[Token]:
        """What is left of the line: blanks, the comment, the end of the line."""
        if self.position <= self.comment < self.body:
            self._cut(TokenKind.COMMENT, self.comment, self.body, "")
        if self.position < len(self.physical):
            self._cut(TokenKind.END, max(self.position, self.body), len(self.physical), "")
        return self.done()

    def _cut(self, kind: TokenKind, start: int, end: int, value: str) -> None:
        before, text = self.physical[self.position : start], self.physical[start:end]
        self.tokens.append(Token(kind, before, text, self.offset + start, self.number, start + 1, value))
        self.position = end
