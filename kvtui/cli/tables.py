"""Tables as plain text: two blanks between columns, no colour."""

from __future__ import annotations

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
    lines = [head, *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = {i: max(len(line[i]) for line in lines) for i in range(len(head))}
    for index in optional:
        if max_width is None or sum(widths.values()) + 2 * (len(widths) - 1) <= max_width:
            break
        del widths[index]
    return "".join(f"{_line(line, widths, right)}\n" for line in lines)


def _line(cells: Row, widths: dict[int, int], right: frozenset[int]) -> str:
    return "  ".join(cells[i].rjust(w) if i in right else cells[i].ljust(w) for i, w in widths.items()).rstrip()
