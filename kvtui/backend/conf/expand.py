"""Expands files into the statements that keepalived reads, as ``read_line`` in its ``lib/parser.c`` (2.2.7) does.

Follows includes, keeps or drops ``@id`` lines, replaces ``$macros``, unrolls ``~SEQ`` and ``~LST``. Each piece knows
where it is written and whether it is written literally.

Since 2.2.0 keepalived's children read a copy without comments (see ``copies``). So a comment line ends a multi-line
macro, as an empty line does (measured with 2.2.7).
"""

from __future__ import annotations

import platform
import posixpath
import re
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.conf import lexer
from kvtui.backend.conf.macros import MAX_ALL_REPLACEMENTS, MAX_LINE, UNDEFINED, Macros, sequence
from kvtui.backend.conf.tree import Piece, Problems
from kvtui.model.conf import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_GENERATED_LINES = 50_000
"""Of macros and sequences; after that many the rest of the files is read without replacing any."""
MAX_STATEMENTS = 120_000
"""Statements and braces of a config, about 1.5 MB or 13,000 real servers; what follows is not read."""

_SERVICE = re.compile(r"[!#]\s*Service:\s*(\S+)\s*$")
_QUOTED_OR_SPACE = re.compile(r'"[^"]*"?|[ \t\f\n\r\v]+')


class _Origin(Struct):
    """A line during expansion, where it comes from, and the macros that made it."""

    text: str
    file: str
    line: int
    columns: Sequence[int]
    literal: bool = True
    replaced: bool = False
    made_by: frozenset[str] = frozenset()

    def at(self, position: int) -> Location:
        return Location(self.file, self.line, self.columns[position])


class ConfigFile(Struct, frozen=True):
    name: str
    text: str


class Expander:
    """One configuration.

    ``config_id`` is compared with ``@id`` lines (``-i``); None for keepalived's default, the first label of the node's
    name. ``include`` is called with the keyword, the file pattern, the names of the open files and the location, and
    returns the files to read there; without it includes are skipped (the consolidated copy has them inlined).

    ``copy`` has the lines of keepalived's consolidated copy without markers, white space folded. ``files`` are in the
    order of reading; one read twice is listed twice.
    """

    def __init__(self, config_id: str | None) -> None:
        self.config_id = platform.node().partition(".")[0] if config_id is None else config_id
        self.include: Callable[[str, str, tuple[str, ...], Location], list[ConfigFile]] | None = None
        self.problems = Problems()
        self.copy: list[str] = []
        self.files: list[str] = []
        self.macros = Macros(self.config_id)
        self._sources: list[Iterator[_Origin]] = []
        self._open: list[str] = []
        self._home = ""
        self._defining: str | None = None  # a macro that the next line continues
        self._generated = 0
        self._endless: set[str] = set()
        self._service: str | None = None  # of a comment, for the next statement

    @property
    def _name(self) -> str:
        """Of the file that is being read."""
        return self._open[-1] if self._open else ""

    @property
    def _folder(self) -> str:
        """Of relative includes, and ``${_PWD}``."""
        return posixpath.dirname(self._name)

    def file(self, opened: ConfigFile) -> Iterator[Piece]:
        self._home = posixpath.dirname(opened.name)
        self._sources = [self._lines_of(opened)]
        return self._pieces()

    def consolidated(self, text: str) -> Iterator[Piece]:
        """Yields the pieces of keepalived's consolidated copy (``# file`` opens a file in it, ``!`` closes it)."""
        self._sources = [self._lines_of_copy(text)]
        return self._pieces()

    def _pieces(self) -> Iterator[Piece]:
        left = MAX_STATEMENTS
        while self._sources:
            origin = next(self._sources[-1], None)
            if origin is None:
                self._sources.pop()
                continue
            for piece in self._cut(origin):
                if left == 0:
                    message = f"kvtui reads only the first {MAX_STATEMENTS} statements of a config"
                    self.problems.syntax(message, piece.at())
                    return
                left -= 1
                yield piece

    def _lines_of(self, opened: ConfigFile) -> Iterator[_Origin]:
        self._open.append(opened.name)
        self.files.append(opened.name)
        for number, offset, body in _physical(opened.text):
            line = lexer.decomment(body, offset)
            if line.text and not lexer.INCLUDE.match(line.text):
                self._add_to_copy(line.text)
                line = _again(line)
            if self._continue_macro(line):
                continue
            if not line.text:
                if line.comment is not None:
                    match = _SERVICE.match(body[line.comment - 1 :])
                    self._service = match[1] if match else None
                continue
            if line.open_quote is not None:
                self.problems.open_quote(Location(opened.name, number, line.open_quote))
            yield _Origin(line.text, opened.name, number, line.columns)
        self._defining = None
        self._open.pop()

    def _lines_of_copy(self, text: str) -> Iterator[_Origin]:
        """Yields the lines of a consolidated copy, which keeps the files' line numbers."""
        numbers: list[int] = []
        for raw in text.split("\n"):
            if raw.startswith("#! "):
                place = Location(self._name, max(1, numbers[-1] if numbers else 1))
                self.problems.include(raw[3:], place)
            elif raw.startswith("# "):
                self._open.append(posixpath.normpath(posixpath.join(self._folder, raw[2:])))
                self.files.append(self._name)
                self._home = self._home if numbers else self._folder
                numbers.append(0)
            elif raw.startswith("!"):
                if self._open:
                    self._open.pop()
                    numbers.pop()
            else:
                if numbers:
                    numbers[-1] += 1
                line = lexer.decomment(raw)
                if raw:
                    self._add_to_copy(raw)
                if not self._continue_macro(line) and line.text:
                    yield _Origin(line.text, self._name, numbers[-1] if numbers else 1, line.columns)
        self._open.clear()

    def _generated_lines(self, lines: Sequence[str], origin: _Origin, name: str = "") -> Iterator[_Origin]:
        made_by = origin.made_by | {name} if name else origin.made_by
        for text in lines:
            if not self._budget(origin):
                return
            columns = [origin.columns[0]] * len(text)
            yield _Origin(text, origin.file, origin.line, columns, literal=False, made_by=made_by)

    def _budget(self, origin: _Origin) -> bool:
        """Counts a generated line and returns whether it is allowed."""
        self._generated += 1
        if self._generated == MAX_GENERATED_LINES + 1:
            message = f"Macros and sequences generate more than {MAX_GENERATED_LINES} lines here; kvtui skips the rest"
            self.problems.invalid(message, origin.at(0))
        return self._generated <= MAX_GENERATED_LINES

    def _cut(self, origin: _Origin) -> Iterator[Piece]:
        """Yields the pieces of one line; carries out conditions, definitions, includes and sequences."""
        position = 0
        while (position := lexer.skip_space(origin.text, position)) < len(origin.text):
            text = origin.text
            if match := lexer.CONDITION.match(text, position):
                if match.end() == match.end(2) or (match[2] == self.config_id) == bool(match[1]):
                    return
                origin.literal = False
                position = match.end()
                continue
            if not origin.replaced:
                if self._directive(origin, position):
                    return
                replaced = False if text.startswith("~", position) else self._replace(origin, position)
                if replaced is None:
                    return
                if replaced:
                    position = 0
                    continue
                origin.replaced = True
            if self._directive(origin, position):
                return
            end = lexer.brace_or_end(text, position)
            yield self._piece(origin, position, end)
            position = end

    def _piece(self, origin: _Origin, start: int, end: int) -> Piece:
        text = origin.text[start:end].rstrip(lexer.BLANK)
        if "${" in text:
            self._report_undefined(text, origin.at(start))
        columns = origin.columns[start : start + len(text)]
        service, self._service = self._service, None
        return Piece(text, origin.file, origin.line, columns, origin.literal, service)

    def _report_undefined(self, text: str, at: Location) -> None:
        """An undefined macro stays as written; outside of quotes keepalived reads its braces as a block's."""
        for word in lexer.words(text):
            name = UNDEFINED.search(word.value)
            if name and not text.startswith('"', word.start):
                why = "is not defined: keepalived reads its '}' as the end of the block"
                self.problems.invalid(f"{name[0]} {why}", at)

    def _directive(self, origin: _Origin, position: int) -> bool:
        """Carries out a directive, which takes the rest of the line; returns whether there was one."""
        text = origin.text
        if match := lexer.DEFINITION.match(text, position):
            value = text[match.end() :]
            if value.endswith("\\"):
                self._defining = match[1]
                value = value[:-1].rstrip(lexer.BLANK)
                self.macros.define(match[1], [value] if value else [])
            else:
                self.macros.define(match[1], [value])
            return True
        if text.startswith(lexer.SEQUENCES, position):
            rounds = sequence(text[position:], self.macros)
            if rounds is not None:
                self._sources.append(self._rounds(rounds.values, rounds.text, origin))
            return True
        if match := lexer.INCLUDE.match(text, position):
            if self.include is not None:
                pattern = text[match.end() :]
                files = self.include(match[0].rstrip(), pattern, tuple(self._open), origin.at(position))
                self._sources += [self._lines_of(opened) for opened in reversed(files)]
            return True
        return False

    def _rounds(self, values: Iterable[dict[str, str]], text: str, origin: _Origin) -> Iterator[_Origin]:
        for assignment in values:
            if self._generated > MAX_GENERATED_LINES:
                return
            for name, value in assignment.items():
                self.macros.define(name, [value])
            yield from self._generated_lines([text], origin)

    def _replace(self, origin: _Origin, position: int) -> bool | None:
        """Replaces macros in the rest of the line; further lines of a macro are read next.

        Returns whether there were any; None for one that never ends.
        """
        if "$" not in origin.text[position:]:
            return False
        left = self.macros.left
        result = self.macros.replace(origin.text[position:], self._folder, origin.made_by)
        if left and not self.macros.left:
            message = f"More than {MAX_ALL_REPLACEMENTS} macros are replaced up to here; kvtui replaces no more"
            self.problems.invalid(message, origin.at(position))
        if result is None:
            return False
        if result.endless:
            if result.endless not in self._endless:
                self._endless.add(result.endless)
                why = f"${{{result.endless}}} never ends: it refers to itself, and keepalived loops for ever on it"
                self.problems.syntax(f"{why}; kvtui skips lines with it", origin.at(position))
            return None
        if not self._budget(origin):
            return False
        if result.more:
            self._sources.append(self._generated_lines(result.more, origin, result.source))
        column = origin.columns[position]
        origin.text = result.text.strip(lexer.BLANK)
        origin.columns = [column] * len(origin.text)
        origin.literal = False
        return True

    def _continue_macro(self, line: lexer.Line) -> bool:
        """Adds a line to the macro that it continues, if there is one; an empty line ends the macro."""
        name, self._defining = self._defining, None
        if name is None or not line.text:
            return False
        if line.continued:
            self._defining = name
        if text := line.text.removesuffix("\\").rstrip(lexer.BLANK):
            self.macros.extend(name, text)
        return True

    def _add_to_copy(self, text: str) -> None:
        """Adds a line to the copy for the digest: blanks folded, the folder appended if it uses ``_PWD``."""
        folded = _QUOTED_OR_SPACE.sub(lambda m: m[0] if m[0][0] == '"' else " ", text).strip(" ")
        if "_PWD" in folded:
            folded += " @" + posixpath.relpath(self._folder or ".", self._home or ".")
        if folded:
            self.copy.append(folded)


def _physical(text: str) -> Iterator[tuple[int, int, str]]:
    """Yields number, offset and text of each line; keepalived reads a long one in several parts (``fgets``)."""
    for number, raw in enumerate(text.split("\n"), start=1):
        for start in range(0, len(raw), MAX_LINE) if len(raw) > MAX_LINE else (0,):
            yield number, start, raw[start : start + MAX_LINE].rstrip("\r")


def _again(line: lexer.Line) -> lexer.Line:
    """In what the parent wrote for keepalived's children, a comment mark that was escaped starts a comment."""
    if "#" not in line.text and "!" not in line.text:
        return line
    again = lexer.decomment(line.text)
    return again._replace(columns=[line.columns[column - 1] for column in again.columns], comment=line.comment)
