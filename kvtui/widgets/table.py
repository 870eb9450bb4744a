"""A table on Textual's line API: only visible rows are rendered, and only changed cells are sent.

``DataTable.update_cell`` repaints the whole widget (12 KB a tick at 80×24).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kvtui.model.text import plain
from kvtui.presenters.cells import Cell
from kvtui.presenters.keys import TABLE
from kvtui.widgets.bindings import bindings
from kvtui.widgets.changes import CellChanges, to_draw
from kvtui.widgets.columns import GAP, Column, Placed, aligned, fit
from kvtui.widgets.tones import TONE_CLASSES, TONE_CSS, StyledWidget, highlight, segments

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from textual import events
    from textual.binding import BindingType

    from kvtui.widgets.changes import Cells, Drawn

    Render = Callable[[Hashable], Cells]

HEAD_LINES = 1
GUTTER = 1
BAR = "▌"


class LineTable(ScrollView, StyledWidget, can_focus=True, inherit_bindings=False):
    """A header and one line for each row, with a cursor. Columns that do not fit are left out.

    The selected row keeps its colours: it has a bar at its left and another background.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *("table--head", "table--cursor", "table--bar", "table--changed", "table--found"),
        *TONE_CLASSES,
    }
    DEFAULT_CSS = f"""
    LineTable {{
        height: 1fr;
        scrollbar-size: 0 1;
        & .table--head {{ text-style: bold; color: $text-muted; }}
        & .table--cursor {{ background: $cursor-background; text-style: $cursor-style; }}
        & .table--bar {{ color: $primary; background: $cursor-background; text-style: bold; }}
        & .table--changed {{ text-style: bold; }}
        & .table--found {{ text-style: underline; }}
        {TONE_CSS}
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(TABLE)

    @dataclass
    class Chosen(Message):
        key: Hashable

    @dataclass
    class HeadClicked(Message):
        column: str

    @dataclass
    class RowClicked(Message):
        key: Hashable
        x: int

    class Moved(Message):
        def can_replace(self, message: Message) -> bool:
            return isinstance(message, LineTable.Moved)

    def __init__(self, columns: tuple[Column, ...], empty: str = "", *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._columns = columns
        self._placed: tuple[Placed, ...] = ()
        self._longest: dict[int, int] = {}
        self._room = 0
        self.keys: Sequence[Hashable] = ()
        self._render_row: Render = lambda _key: ()
        self._changes = CellChanges()
        self.drawn: dict[Hashable, Drawn] = {}
        self._found = ""
        self._sorted = ("", "")
        self.cursor = 0
        self.empty = self._shown_empty = empty

    @property
    def selected(self) -> Hashable | None:
        return self.keys[self.cursor] if self.cursor < len(self.keys) else None

    @property
    def row_text(self) -> str:
        if self.selected is None:
            return ""
        return "  ".join(text for cell in self._render_row(self.selected) if (text := cell.text.strip()))

    @property
    def shown(self) -> list[Hashable]:
        return [self.keys[i] for i in self._visible()]

    @property
    def room(self) -> int:
        """Columns for cells: without the bar and the scrollbar."""
        return max(0, self.scrollable_content_region.width - GUTTER)

    @property
    def page(self) -> int:
        return max(0, self.size.height - HEAD_LINES)

    def width_of(self, name: str) -> int:
        return next((p.width for p in self._placed if p.column.name == name), 0)

    def sorted_by(self, name: str, mark: str) -> None:
        if (name, mark) != self._sorted:
            self._sorted = (name, mark)
            self._refresh_lines({0})

    def find(self, text: str) -> None:
        wanted = text.lower()
        if wanted != self._found:
            self._found = wanted
            self._refresh_lines(set(range(HEAD_LINES, self.size.height)))

    def show_rows(
        self, keys: Sequence[Hashable], render: Render, *, changes: bool = True, at: float | None = None
    ) -> None:
        """Shows these rows; calls ``render`` only for visible ones. ``at``: see ``CellChanges.take``."""
        selected, watched = self.selected, self.cursor in self._visible()
        same_order = keys == self.keys
        resized = len(keys) != len(self.keys)
        self.keys, self._render_row = keys, render
        if not same_order:
            with suppress(ValueError):  # the row is gone
                self.cursor = keys.index(selected)
        self.cursor = max(0, min(self.cursor, len(keys) - 1))
        if resized:
            self.virtual_size = Size(0, len(keys) + HEAD_LINES)
        self._redraw(changes=changes, at=at)
        if not same_order and watched:
            self._into_view()

    def _first(self) -> int:
        """Returns the first visible row, also just after rows were removed."""
        return max(0, min(int(self.scroll_offset.y), len(self.keys) - self.page))

    def _visible(self) -> range:
        first = self._first()
        return range(first, min(first + self.page, len(self.keys)))

    def _redraw(self, *, changes: bool, at: float | None = None) -> None:
        rows = self._render_visible()
        if self._measure(rows):
            rows = self._render_visible()
            self.refresh()
        drawn = self._changes.take(rows, at, marking=changes)
        previous, lines = list(self.drawn.items()), list(drawn.items())
        self.drawn = drawn
        if bool(lines) != bool(previous):  # from rows to the empty text, or back
            self._refresh_lines(set(range(self.size.height)))
            return
        whole = set(range(len(lines) + HEAD_LINES, len(previous) + HEAD_LINES))  # below the last row
        for number, line in enumerate(lines):
            cells = to_draw(previous[number] if number < len(previous) else None, line)
            if cells is None:
                whole.add(number + HEAD_LINES)
            else:
                self._refresh_cells(number + HEAD_LINES, cells)
        self._refresh_lines(whole)

    def _render_visible(self) -> dict[Hashable, Cells]:
        return {key: self._render_row(key) for key in (self.keys[i] for i in self._visible())}

    def _refresh_cells(self, y: int, cells: frozenset[int]) -> None:
        """Sends some cells of a line, neighbours together; a whole row is slow over a slow line."""
        x, begin = GUTTER, None
        for placed in self._placed if cells else ():
            if placed.index in cells:
                begin = x if begin is None else begin
            elif begin is not None:
                self.refresh(Region(begin, y, x - GAP - begin, 1))
                begin = None
            x += placed.width + GAP
        if begin is not None:
            self.refresh(Region(begin, y, x - GAP - begin, 1))

    def _measure(self, rows: dict[Hashable, Cells]) -> bool:
        """Fits the columns to the longest texts so far; they only widen. Returns whether a column changed."""
        longest = dict(self._longest)
        for cells in rows.values():
            for index, cell in enumerate(cells):
                if index < len(self._columns) and not self._columns[index].fill:
                    longest[index] = max(longest.get(index, 0), cell_len(cell.text))
        if longest == self._longest and self.room == self._room:
            return False
        self._longest, self._room = longest, self.room
        before, self._placed = self._placed, fit(self._columns, self._room, longest)
        return before != self._placed

    def _refresh_lines(self, lines: set[int]) -> None:
        if not self.keys:
            lines = lines | set(range(self.size.height)) if self.empty != self._shown_empty else lines
            self._shown_empty = self.empty
        regions = [Region(0, y, self.size.width, 1) for y in sorted(lines) if y < self.size.height]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        visible = self._visible()
        if y < HEAD_LINES:
            strip = self._head()
        elif not self.keys:
            strip = self._empty_line(y)
        else:
            strip = self._row(visible[y - HEAD_LINES]) if y - HEAD_LINES < len(visible) else Strip([])
        return strip.adjust_cell_length(self.room + GUTTER, self.style_of("tone--normal"))

    def _empty_line(self, y: int) -> Strip:
        width = max(10, self.room - 2)
        lines = [w for part in self.empty.splitlines() for w in wrap(plain(part), width) or [""]]
        text = lines[y - HEAD_LINES] if y - HEAD_LINES < len(lines) else ""
        return Strip([Segment(f" {text}", self.style_of("tone--normal"))])

    def _head(self) -> Strip:
        style = self.style_of("table--head")
        parts = []
        for placed in self._placed:
            title = placed.column.title
            if self._sorted[0] == placed.column.name:
                title = title[: placed.width - 1] + self._sorted[1]
            parts.append(aligned(title, placed.width, right=placed.column.right))
        return Strip([Segment(" " * GUTTER + (" " * GAP).join(parts), style)])

    def _row(self, index: int) -> Strip:
        key = self.keys[index]
        cells, marked = self.drawn.get(key) or (self._render_row(key), frozenset[int]())
        is_selected = index == self.cursor
        under_cursor = is_selected and self.has_focus
        cursor = self.style_of("table--cursor", partial=True) if under_cursor else Style.null()
        bar = (
            self.style_of("table--bar" if under_cursor else "tone--dim")
            if is_selected
            else self.style_of("tone--normal")
        )
        parts = [Segment(BAR if is_selected else " ", bar)]
        for number, placed in enumerate(self._placed):
            cell = cells[placed.index] if placed.index < len(cells) else Cell("")
            extra = cursor + self.style_of("table--changed", partial=True) if placed.index in marked else cursor
            gap = " " * GAP if number + 1 < len(self._placed) else ""
            text = aligned(cell.text, placed.width, right=placed.column.right) + gap
            for part in segments(Cell(text, cell.tone, runs=cell.runs), self.tone_style):
                style = (part.style or Style.null()) + extra
                parts += highlight(part.text, self._found, style, style + self.style_of("table--found", partial=True))
        return Strip(parts).extend_cell_length(self.room + GUTTER, self.style_of("tone--normal") + cursor)

    def on_resize(self) -> None:
        self._room = self.room
        self._placed = fit(self._columns, self._room, self._longest)
        self._changes.forget()
        self.drawn = {}
        self._into_view()
        self._redraw(changes=False)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.drawn = {}
            self._redraw(changes=False)
            self.refresh()

    def on_focus(self) -> None:
        self._refresh_cursor(self.cursor)

    def on_blur(self) -> None:
        self._refresh_cursor(self.cursor)

    def _refresh_cursor(self, *rows: int) -> None:
        first = self._first()
        self._refresh_lines({row - first + HEAD_LINES for row in rows if row >= first})

    def move_to(self, row: int) -> None:
        old, self.cursor = self.cursor, max(0, min(row, len(self.keys) - 1))
        self._into_view()
        self._refresh_cursor(old, self.cursor)
        if old != self.cursor:
            self.post_message(self.Moved())

    def _into_view(self) -> None:
        first, page = self._first(), max(1, self.page)
        wanted = min(max(first, self.cursor - page + 1), self.cursor)
        if wanted != int(self.scroll_offset.y):
            self.scroll_to(y=wanted, animate=False, immediate=True, force=True)

    def action_move(self, rows: int) -> None:
        self.move_to(self.cursor + rows)

    def action_page(self, pages: int) -> None:
        self.move_to(self.cursor + pages * max(1, self.page - 1))

    def action_edge(self, where: int) -> None:
        self.move_to(0 if where < 0 else len(self.keys) - 1)

    def action_choose(self) -> None:
        if self.selected is not None:
            self.post_message(self.Chosen(self.selected))

    def on_click(self, event: events.Click) -> None:
        """Selects a row; a second click chooses it."""
        if event.y < HEAD_LINES:
            if (name := self._column_at(event.x)) is not None:
                self.post_message(self.HeadClicked(name))
            return
        row = self._first() + event.y - HEAD_LINES
        if row >= len(self.keys):
            return
        self.move_to(row)
        if event.chain > 1:
            self.action_choose()
        else:
            self.post_message(self.RowClicked(self.keys[row], event.x))

    def _column_at(self, x: int) -> str | None:
        start = GUTTER
        for placed in self._placed:
            if start <= x < start + placed.width:
                return placed.column.name
            start += placed.width + GAP
        return None
