"""Who was master when: a row for each instance whose master changed, a mark and a colour for each node."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Line, Tone
from kvtui.rules.timeline.masters import strip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.timeline.history import Span
    from kvtui.rules.timeline.masters import Masters, Tenure

SELF_TONE = Tone.GOOD
OTHER_TONES = (Tone.FOCUS, Tone.STRONG, Tone.WARN)
MAX_ROWS = 6
MAX_NAME = 16

Node = tuple[str, bool]
"""Address, and whether it is this node."""


def master_lines(
    masters: Masters, instances: Sequence[str], span: Span, now: float, width: int, glyphs: Glyphs
) -> list[Line]:
    """Returns a title that explains the marks, and a strip for each instance; nothing where no master changed."""
    begin = now - span.seconds
    changed = [name for name in instances if any(t.since >= begin for t in masters.of(name)[1:])][:MAX_ROWS]
    if not changed:
        return []
    lead = min(MAX_NAME, max(map(len, changed))) + 1
    columns = width - lead - 1
    strips = {name: strip(masters.of(name), begin, now, columns) for name in changed}
    seen = dict.fromkeys((t.address, t.is_self) for row in strips.values() for t in row if t)
    marks = _marks([(address, is_self) for address, is_self in seen if address is not None], glyphs)
    title: list[Cell] = [Cell(f"Master, last {span.label}  ", Tone.DIM)]
    for (address, is_self), mark in marks.items():
        title.append(mark)
        title.append(Cell(f" {plain(address)}{' (this node)' if is_self else ''}  "))
    if any(key[0] is None for key in seen):
        title += [Cell(glyphs.nobody, Tone.BAD), Cell(" nobody known")]
    return [tuple(title), *((Cell(plain(n, MAX_NAME).ljust(lead)), *_row(strips[n], marks, glyphs)) for n in changed)]


def _marks(nodes: list[Node], glyphs: Glyphs) -> dict[Node, Cell]:
    """Returns a mark for each node; this node always has the first one."""
    marks = {node: Cell(glyphs.shades[0], SELF_TONE) for node in nodes if node[1]}
    others, shades = sorted(node for node in nodes if not node[1]), glyphs.shades[1:]
    for i, node in enumerate(others):
        marks[node] = Cell(shades[i % len(shades)], OTHER_TONES[i % len(OTHER_TONES)])
    return marks


def _row(row: list[Tenure | None], marks: dict[Node, Cell], glyphs: Glyphs) -> list[Cell]:
    nobody = Cell(glyphs.nobody, Tone.BAD)
    cells = (Cell(" ") if t is None else marks.get((t.address or "", t.is_self), nobody) for t in row)
    return [Cell(cell.text * len(list(same)), cell.tone) for cell, same in groupby(cells)]
