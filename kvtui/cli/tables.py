"""Tables as plain text: two blanks between columns, no colour."""

from __future__ import annotations

from operator import itemgetter

from kvtui.model.text import plain

Row = tuple[str, ...]


def table(
    head: Row,
    rows: list[Row],
    right: frozenset[int] = frozenset(),
    *,
    max_width: int | None = None,
    optional: tuple[int, ...] = (),
) -> str:
    """Returns a header and rows, each column as wide as its widest cell. Cells may hold text from outside.

    ``right``: indexes of the columns to align right; ``optional``: of those to leave out until a line has at most
    ``max_width`` characters, the first of them first.
    """
    rows = [head, *(row if plain(joined := "".join(row)) is joined else tuple(map(plain, row)) for row in rows)]
    widths = {i: max(map(len, column)) for i, column in enumerate(zip(*rows, strict=True))}
    for index in optional:
        if max_width is None or sum(widths.values()) + 2 * (len(widths) - 1) <= max_width:
            break
        del widths[index]
    line = "  ".join(f"%{'' if i in right else '-'}{width}s" for i, width in widths.items())
    if len(widths) < len(head):
        shown = itemgetter(*widths)
        rows = [shown(row) for row in rows]
    return "".join([f"{(line % row).rstrip()}\n" for row in rows])
