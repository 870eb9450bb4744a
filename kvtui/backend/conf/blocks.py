"""Nests pieces as one of keepalived's processes does: by its keywords, not by braces (``process_stream``, 2.2.7).

keepalived ignores a ``{`` that it does not expect, such as that of a misspelt block. Its ``}`` then ends the block
around it, and what follows is read as if it stood outside of that block.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.backend.conf.addresses import skips_server
from kvtui.backend.conf.grammar import NEED_VALUE, ROOT, Block
from kvtui.backend.conf.lexer import BLANK
from kvtui.backend.conf.tree import Piece, Problems, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_PROBLEMS = 200
_MAX_NAMED = 3


class _Level(Struct):
    """An open block."""

    statement: Statement
    children: list[Statement]
    keywords: Mapping[str, Block | None] | None  # None for a list of values
    expects_brace: bool = False  # its ``{`` has yet to come


class _Loss(Struct):
    """A ``{`` that keepalived ignores, and what it loses by that."""

    header: Piece | None  # the statement before it
    why: str  # it is not expected
    closed: str = ""  # what its ``}`` ends
    lost: list[Piece] = field(default_factory=list)  # ignored until braces and blocks agree again


_QUOTED_BRACE = re.compile(r'"([{}])"')
"""A brace in quotes that is a word of its own counts where keepalived compares words: at both ends of a line."""


def _first(piece: Piece) -> str:
    """Returns the first word if it is a brace, quoted or not; else the whole line."""
    return piece.text[1] if piece.text.startswith(('"{"', '"}"')) else piece.text


def _cut(piece: Piece, start: int, end: int | None) -> Piece:
    text = piece.text[start:end]
    skipped = start + len(text) - len(text.lstrip(BLANK))
    text = text.strip(BLANK)
    return replace(piece, text=text, columns=piece.columns[skipped : skipped + len(text)])


class Nester:
    """Nests pieces for one process, ``parent``, ``vrrp`` or ``checker``; ``problems`` says what that ignores."""

    def __init__(self, process: str) -> None:
        self.process = process
        self.problems = Problems()
        self._levels = [_Level(Statement(), [], ROOT)]
        self._skipped: int | None = None  # open braces of a block of another process; 0 before its first
        self._last: Piece | None = None
        self._unknown = ""  # why the last statement is ignored
        self._loss: _Loss | None = None
        self._depth = 0

    def nest(self, pieces: Iterable[Piece]) -> Statement:
        for piece in pieces:
            if piece.text == "{":
                self._depth += 1
            elif piece.text == "}":
                self._depth -= self._depth > 0
            if self._skipped is None or not self._skip(piece):
                self._read(piece)
            if self._loss is not None and self._agrees():
                self._report(self._loss)
        self._ignore_line()
        if self._loss is not None:
            self._report(self._loss)
        return Statement(children=self._levels[0].children)

    def _agrees(self) -> bool:
        """Whether as many blocks as braces are open."""
        return self._skipped is None and not self._levels[-1].expects_brace and self._depth == len(self._levels) - 1

    def _skip(self, piece: Piece) -> bool:
        """Counts the braces of a skipped block; returns whether the piece belongs to it."""
        if not self._skipped:
            self._skipped = 1 if _first(piece) == "{" else None  # None: the keyword has no block
            return self._skipped is not None
        for brace in _QUOTED_BRACE.findall(piece.text) if '"' in piece.text else (piece.text,):
            self._skipped += (brace == "{") - (brace == "}")
            if not self._skipped:
                self._skipped = None
                break
        return True

    def _read(self, piece: Piece) -> None:
        level = self._levels[-1]
        if level.expects_brace:
            level.expects_brace = False
            if _first(piece) == "{":
                if piece.is_brace or level.keywords is not None:
                    return
                piece = _cut(piece, len('"{"'), None)
            else:
                self.problems.syntax(f"keepalived expects a '{{' before '{piece.name}'", piece.at())
        if _first(piece) == "{":
            self._ignore_brace(level)
            return
        self._ignore_line()
        self._last = piece
        if level.keywords is None:
            self._value(piece)
        elif _first(piece) == "}":
            self._close(piece)
        else:
            self._keyword(piece, level.statement, level.keywords)

    def _value(self, piece: Piece) -> None:
        """A line of values; a ``}`` at its end ends their block."""
        ends = piece.text == "}" or piece.text.endswith('"}"')
        if not ends:
            self._levels[-1].children.append(Statement(piece))
            return
        if len(piece.text) > len('"}"'):
            self._levels[-1].children.append(Statement(_cut(piece, 0, -len('"}"'))))
        self._close(piece)

    def _ignore_brace(self, level: _Level) -> None:
        if self._loss is None:
            values = "one value per line is expected there, not a block"
            why = self._unknown or (values if level.keywords is None else "it has no block")
            self._loss = _Loss(self._last, why)
        elif self._unknown and self._last is not None:
            self._loss.lost.append(self._last)
        self._unknown = ""
        self._last = None

    def _ignore_line(self) -> None:
        """Reports the last statement if keepalived ignores it and no block follows."""
        if self._unknown and self._last is not None:
            if self._loss is not None:
                self._loss.lost.append(self._last)
            elif len(self.problems) < MAX_PROBLEMS:
                keyword = self._last.name.split(" ", 1)[0]
                self.problems.invalid(f"'{keyword}' {self._unknown}: keepalived ignores this line", self._last.at())
        self._unknown = ""

    def _close(self, piece: Piece) -> None:
        self._last = None
        if len(self._levels) == 1:
            return
        closed = self._levels.pop().statement.piece
        if self._loss is not None and not self._loss.closed and closed is not None:
            self._loss.closed = f"the '}}' in line {piece.line} ends {closed.name} (line {closed.line})"

    def _keyword(self, piece: Piece, outer: Statement, keywords: Mapping[str, Block | None]) -> None:
        opened = piece.text.endswith('"{"')
        statement = Statement(_cut(piece, 0, -len('"{"')) if opened else piece)
        keyword = statement.keyword
        if not keyword:
            return
        if keyword not in keywords:
            self._unknown = f"is unknown in {outer.piece.name}" if outer.piece else "is unknown"
            return
        block = keywords[keyword]
        if block is not None and block.processes and self.process not in block.processes:
            self._skipped = int(opened)
            return
        if keyword in NEED_VALUE and statement.argument is None:
            self.problems.syntax(f"{keyword} has no value: keepalived exits on it", piece.at())
        self._levels[-1].children.append(statement)
        if block is not None:
            children: list[Statement] = []
            statement.children = children
            if keyword == "real_server" and skips_server(statement):
                self._skipped = int(opened)
                return
            self._levels.append(_Level(statement, children, block.keywords, expects_brace=not opened))

    def _report(self, loss: _Loss) -> None:
        self._loss = None
        if loss.header is None:  # a lone brace: see `tree.balanced`
            return
        start = f"'{loss.header.name}' {loss.why}: keepalived ignores"
        if not loss.closed:
            self.problems.invalid(f"{start} this block", loss.header.at())
            return
        named = ", ".join(f"{p.name} (line {p.line})" for p in loss.lost[:_MAX_NAMED])
        more = f" and {len(loss.lost) - _MAX_NAMED} more lines" if len(loss.lost) > _MAX_NAMED else ""
        lost = f"; ignored from there: {named}{more}" if named else ""
        message = f"{start} its '{{', so {loss.closed}, and what follows is read outside of it{lost}"
        self.problems.syntax(message, loss.header.at())
