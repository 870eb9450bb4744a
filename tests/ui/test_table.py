"""The table: it renders only visible rows, redraws only changed lines, and the cursor stays on its row."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from textual.app import App, ComposeResult

from kvtui.presenters.cells import Cell, Tone
from kvtui.widgets.columns import Column
from kvtui.widgets.table import LineTable
from kvtui.widgets.themes import DARK
from tests.ui.seen import painted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Sequence

    from textual.pilot import Pilot
    from textual.strip import Strip

COLUMNS = (Column("name", "NAME", 8), Column("value", "VALUE", 6, 1, right=True))


class Counted(LineTable):
    """Counts the drawn lines."""

    lines_drawn: list[int]

    def render_line(self, y: int) -> Strip:
        self.lines_drawn.append(y)
        return super().render_line(y)


class Host(App[None]):
    """An app with only a table."""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return DARK.variables

    def compose(self) -> ComposeResult:
        table = Counted(COLUMNS, "Nothing here.", id="table")
        table.lines_drawn = []
        yield table

    def on_mount(self) -> None:
        self.query_one(Counted).focus()


class Bench:
    """A table under test."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app, self.pilot, self.table = app, pilot, app.query_one(Counted)
        self.made: list[Hashable] = []

    async def show(self, values: dict[str, str]) -> None:
        """Shows one row for each item."""

        def render(key: Hashable) -> tuple[Cell, ...]:
            self.made.append(key)
            return (Cell(str(key)), Cell(values[str(key)]))

        self.table.show_rows(list(values), render)
        await self.pilot.pause()

    async def drawn_by(self, change: Callable[[], object]) -> set[int]:
        """Returns which lines a change draws."""
        await self.pilot.pause()
        self.table.lines_drawn.clear()
        change()
        await self.pilot.pause()
        await self.pilot.pause()
        return set(self.table.lines_drawn)

    def marked(self) -> set[tuple[Hashable, int]]:
        """Returns the cells that are marked as changed."""
        return {(key, i) for key, (_cells, marks) in self.table.drawn.items() for i in marks}

    @property
    def rows(self) -> list[str]:
        """Returns the screen below the head, without trailing blanks."""
        return [line.rstrip() for line in painted(self.app)[1:]]


@asynccontextmanager
async def bench(size: tuple[int, int] = (30, 6)) -> AsyncIterator[Bench]:
    app = Host()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Bench(app, pilot)


def hundred(count: int = 100) -> dict[str, str]:
    return {f"r{n}": str(n) for n in range(count)}


async def test_rows_are_below_the_head_each_cell_in_its_column() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "22"})

        assert [line.rstrip() for line in painted(b.app)][:3] == [" NAME VALUE", "▌a        1", " b       22"]


async def test_an_empty_table_shows_its_text() -> None:
    async with bench() as b:
        await b.show({})

        assert b.rows[0] == " Nothing here."


async def test_a_changed_value_is_marked_until_the_next_update() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2"})
        first = b.marked()
        await b.show({"a": "1", "b": "3"})
        second = b.marked()
        await b.show({"a": "1", "b": "3"})

        assert (first, second, b.marked()) == (set(), {("b", 1)}, set())


async def test_a_volatile_value_is_never_marked() -> None:
    async with bench() as b:
        b.table.show_rows(["a"], lambda _k: (Cell("a"), Cell("1", volatile=True)))
        await b.pilot.pause()
        b.table.show_rows(["a"], lambda _k: (Cell("a"), Cell("2", volatile=True)))

        assert b.marked() == set()


async def test_a_new_row_is_not_marked_as_changed() -> None:
    async with bench() as b:
        await b.show({"a": "1"})
        await b.show({"a": "1", "b": "2"})

        assert b.marked() == set()


async def test_the_same_values_draw_nothing() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2"})
        values = {"a": "1", "b": "2"}

        drawn = await b.drawn_by(
            lambda: b.table.show_rows(list(values), lambda k: (Cell(str(k)), Cell(values[str(k)])))
        )

        assert drawn == set()


async def test_an_empty_table_that_stays_empty_draws_nothing() -> None:
    async with bench() as b:
        await b.show({})
        drawn = await b.drawn_by(lambda: b.table.show_rows([], lambda _k: ()))

        assert drawn == set()


async def test_a_changed_text_of_an_empty_table_is_drawn() -> None:
    async with bench() as b:
        await b.show({})
        b.table.empty = "Still nothing."
        await b.show({})

        assert b.rows[0] == " Still nothing."


async def test_a_changed_value_draws_its_line_only() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2", "c": "3"})
        values = {"a": "1", "b": "9", "c": "3"}

        drawn = await b.drawn_by(
            lambda: b.table.show_rows(list(values), lambda k: (Cell(str(k)), Cell(values[str(k)])))
        )

        assert drawn == {2}


async def test_a_changed_tone_draws_its_line() -> None:
    async with bench() as b:
        b.table.show_rows(["a"], lambda _k: (Cell("a"), Cell("1")))
        drawn = await b.drawn_by(lambda: b.table.show_rows(["a"], lambda _k: (Cell("a"), Cell("1", Tone.BAD))))

        assert drawn == {1}


async def test_moving_the_cursor_draws_two_lines() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2", "c": "3"})
        drawn = await b.drawn_by(lambda: b.table.move_to(1))

        assert drawn == {1, 2}


async def test_only_visible_rows_are_rendered() -> None:
    async with bench((30, 6)) as b:
        await b.show(hundred(10_000))

        assert set(b.made) == {"r0", "r1", "r2", "r3", "r4"}


async def test_keys_move_and_scroll() -> None:
    async with bench((30, 6)) as b:
        await b.show(hundred())
        places = []
        for key in "down", "j", "k", "end", "home", "pagedown", "G", "up", "pageup", "g":
            await b.pilot.press(key)
            await b.pilot.pause()
            row = str(b.table.selected)
            places.append(row)
            assert any(line.startswith(f"{row} ", 1) for line in b.rows), (key, b.rows)

        assert places == ["r1", "r2", "r1", "r99", "r0", "r4", "r99", "r98", "r94", "r0"]


async def test_the_last_row_is_on_the_last_line() -> None:
    async with bench((30, 6)) as b:
        await b.show(hundred())
        await b.pilot.press("end")
        await b.pilot.pause()

        assert [line[1:].split()[0] for line in b.rows] == ["r95", "r96", "r97", "r98", "r99"]


async def test_the_cursor_stays_on_its_row_when_rows_move() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2", "c": "3"})
        await b.pilot.press("down")
        await b.show({"c": "3", "a": "1", "b": "2"})

        assert b.table.selected == "b"
        assert b.table.cursor == 2


async def test_a_removed_row_leaves_the_cursor_in_the_table() -> None:
    async with bench() as b:
        await b.show({"a": "1", "b": "2"})
        await b.pilot.press("end")
        await b.show({"a": "1"})

        assert b.table.selected == "a"
        assert b.rows[:2] == ["▌a        1", ""]


@pytest.mark.parametrize("rest", [0, 1, 3, 50])
async def test_after_most_rows_were_removed_the_rest_is_visible(rest: int) -> None:
    async with bench((30, 6)) as b:
        await b.show(hundred())
        await b.pilot.press("end")
        await b.pilot.pause()
        await b.show(hundred(rest))
        await b.pilot.pause()

        shown = [line[1:].split()[0] for line in b.rows if line.startswith("r", 1)]
        assert len(shown) == min(rest, 5)
        assert set(shown) <= set(hundred(rest))


async def test_a_terminal_that_grows_shows_more_rows() -> None:
    async with bench((30, 4)) as b:
        await b.show(hundred())
        await b.pilot.resize_terminal(30, 10)
        await b.pilot.pause()

        assert len([line for line in b.rows if line.startswith("r", 1)]) == 9


async def test_enter_selects_the_row_under_the_cursor() -> None:
    chosen: list[Hashable] = []

    class Chooser(Host):
        def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
            chosen.append(event.key)

    app = Chooser()
    async with app.run_test(size=(30, 6)) as pilot:
        b = Bench(app, pilot)
        await b.show({"a": "1", "b": "2"})
        await pilot.press("down", "enter")
        await pilot.pause()

    assert chosen == ["b"]


async def test_enter_without_rows_selects_nothing() -> None:
    async with bench() as b:
        await b.show({})
        await b.pilot.press("enter", "down", "pagedown", "end", "home")

        assert b.table.selected is None


async def test_ten_thousand_rows_are_updated_quickly() -> None:
    keys: Sequence[Hashable] = [(("TCP", "10.4.0.50:80"), (f"10.{n // 250}.{n % 250}.1", 8080)) for n in range(10_000)]
    async with bench((80, 24)) as b:
        b.table.show_rows(keys, lambda k: (Cell(str(k)), Cell("1")))
        await b.pilot.press("end")
        again = [(("TCP", "10.4.0.50:80"), (f"10.{n // 250}.{n % 250}.1", 8080)) for n in range(10_000)]

        started = time.process_time()
        for _ in range(5):
            b.table.show_rows(again, lambda k: (Cell(str(k)), Cell("1")))
        each = (time.process_time() - started) / 5

        assert each < 0.1  # measured: a few milliseconds; DataTable needs 2 s for it
        assert b.table.selected == keys[-1]


async def test_a_mark_stays_during_a_burst_of_observations_until_the_next_tick() -> None:
    async with bench() as b:
        marked = []
        for value, at in ("1", 10.0), ("2", 11.0), ("2", 11.05), ("2", 12.0):
            rows: dict[Hashable, tuple[Cell, ...]] = {"a": (Cell("a"), Cell(value))}
            b.table.show_rows(list(rows), rows.__getitem__, at=at)
            marked.append(b.marked())

        assert marked == [set(), {("a", 1)}, {("a", 1)}, set()]


async def test_matches_of_the_search_are_underlined_in_either_case() -> None:
    async with bench() as b:
        await b.show({"Nginx": "1", "dns": "2"})
        b.table.find("NG")
        await b.pilot.pause()
        underlined = [s.text for y in (1, 2) for s in b.table.render_line(y) if s.style and s.style.underline]

        assert underlined == ["Ng"]
        assert b.rows[:2] == ["▌Nginx     1", " dns       2"]


async def test_every_match_is_underlined_and_nothing_without_a_search() -> None:
    async with bench() as b:
        await b.show({"abab": "1"})
        b.table.find("ab")
        found = [s.text for s in b.table.render_line(1) if s.style and s.style.underline]
        b.table.find("")

        assert found == ["ab", "ab"]
        assert not [s for s in b.table.render_line(1) if s.style and s.style.underline]


async def test_a_moved_cursor_notifies_the_screen_and_an_unmoved_one_does_not() -> None:
    moves: list[int] = []

    class Listener(Host):
        def on_line_table_moved(self) -> None:
            moves.append(self.query_one(Counted).cursor)

    app = Listener()
    async with app.run_test(size=(30, 6)) as pilot:
        b = Bench(app, pilot)
        await b.show({"a": "1", "b": "2"})
        await pilot.press("up", "down", "down")
        await pilot.pause()

    assert moves == [1]
