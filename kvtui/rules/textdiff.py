"""Unified diffs of configs, with masked passwords."""

from __future__ import annotations

import re
from bisect import bisect_left
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTEXT = 3
"""Lines around a change."""
MAX_GAP = 2000
"""Lines. A longer range without a line that is unique in both texts is shown as replaced."""

_COMMENT = re.compile(r'((?:[^"#!]|"[^"]*")*)[#!].*')

Opcode = tuple[str, int, int, int, int]
Token = tuple[str, str]
"""The block of a line, and the line."""


def same_effect(one: str, other: str) -> bool:
    """Returns whether two texts differ only in comments and whitespace."""
    return _effective(one) == _effective(other)


def text_diff(before: str, after: str, *, names: tuple[str, str]) -> str:
    """Returns a unified diff; empty if the texts are equal, apart from a final line feed.

    Lines match only within the same block: ``weight 1`` of one real server never matches that of another. This gives
    readable diffs, also of ten thousand equal lines, in linear time.
    """
    old, new = _lines(before), _lines(after)
    if old == new:
        return ""
    hidden = secrets_in((*old, *new))
    lines = [f"--- {names[0]}", f"+++ {names[1]}"]
    for group in _Changes(_tokens(old), _tokens(new)).get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        lines.append(f"@@ -{_span(first[1], last[2])} +{_span(first[3], last[4])} @@")
        lines += (mark + masked(line, hidden) for mark, line in _hunk(group, old, new))
    return "\n".join(lines) + "\n"


class _Changes(SequenceMatcher[Token]):
    """Bram Cohen's patience diff: matches lines that are unique in both texts first, then the ranges between them.

    ``SequenceMatcher`` alone is quadratic in the number of changes.
    """

    def __init__(self, old: list[Token], new: list[Token]) -> None:
        super().__init__(None, (), (), autojunk=False)
        self._old, self._new = old, new

    def get_opcodes(self) -> list[Any]:
        codes: list[Opcode] = []
        a = c = 0
        for b, d in (*_anchors(self._old, self._new), (len(self._old), len(self._new))):
            for code in self._between(a, b, c, d):
                _append(codes, code)
            if b < len(self._old):
                _append(codes, ("equal", b, b + 1, d, d + 1))
            a, c = b + 1, d + 1
        return codes

    def _between(self, a: int, b: int, c: int, d: int) -> Iterator[Opcode]:
        if min(b - a, d - c) > MAX_GAP:
            yield ("replace", a, b, c, d)
            return
        inner = SequenceMatcher(None, self._old[a:b], self._new[c:d], autojunk=False)
        for kind, w, x, y, z in inner.get_opcodes():
            yield (kind, a + w, a + x, c + y, c + z)


def _append(codes: list[Opcode], code: Opcode) -> None:
    if codes and code[0] == codes[-1][0] == "equal":
        _, a, _, c, _ = codes.pop()
        code = ("equal", a, code[2], c, code[4])
    codes.append(code)


def _anchors(old: list[Token], new: list[Token]) -> list[tuple[int, int]]:
    """Returns the positions of tokens that are unique in both texts: their longest common subsequence."""
    once, other = _positions(old), _positions(new)
    pairs = [(i, other[t]) for t, i in once.items() if i >= 0 and other.get(t, -1) >= 0]
    ends: list[int] = []
    ends_at: list[int] = []
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        at = bisect_left(ends, j)
        before.append(ends_at[at - 1] if at else -1)
        ends[at : at + 1], ends_at[at : at + 1] = [j], [n]
    chosen = []
    n = ends_at[-1] if ends_at else -1
    while n >= 0:
        chosen.append(pairs[n])
        n = before[n]
    return chosen[::-1]


def _positions(tokens: list[Token]) -> dict[Token, int]:
    """Returns token → index, in order; -1 if it occurs more than once."""
    positions: dict[Token, int] = {}
    for i, token in enumerate(tokens):
        positions[token] = -1 if token in positions else i
    return positions


def _lines(text: str) -> list[str]:
    """Splits at line feeds only, like keepalived; ignores a final line feed."""
    return text.removesuffix("\n").split("\n") if text else []


def _hunk(group: list[Opcode], old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    for kind, a, b, c, d in group:
        if kind == "equal":
            yield from ((" ", line) for line in old[a:b])
        else:
            yield from (("-", line) for line in old[a:b])
            yield from (("+", line) for line in new[c:d])


def _span(start: int, stop: int) -> str:
    """Returns ``line,count``: counted from 1; an empty range names the line before it."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _tokens(lines: Sequence[str]) -> list[Token]:
    """Returns each line with the path of its blocks; a blank line with the line before it."""
    path: list[str] = [""]
    follows = ""
    tokens: list[Token] = []
    for line in lines:
        words = line.strip()
        if not words:
            tokens.append((follows, line))
            continue
        if words.endswith("{"):
            path.append(f"{path[-1]}\n{words}")
        where = path[-1]
        if words == "}" and len(path) > 1:
            path.pop()
        tokens.append((where, line))
        follows = f"{where}\n{line}\n"
    return tokens


def _effective(text: str) -> list[str]:
    code = (match[1] if (match := _COMMENT.match(line)) else line for line in text.split("\n"))
    lines = (" ".join(line.split()) for line in code)
    return [line for line in lines if line]
