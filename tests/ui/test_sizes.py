"""Every size of terminal: nothing crashes, no line is wider, the last column is beside the scrollbar."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.ui.seen import Ui, demo, real, running, seen, server, strips, vip

SIZES = [(200, 50), (40, 10), (20, 5), (1, 1)]
PATH = (["1"], ["enter"], ["2"], ["3"], ["enter"], ["question_mark"], ["escape", "slash"])


def assert_fits(ui: Ui, size: tuple[int, int]) -> None:
    width, height = size
    assert len(ui.lines) == height
    assert {cell_len(line) for line in ui.lines} == {width}


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_every_screen_fits(size: tuple[int, int]) -> None:
    async with running(demo(), size=size) as ui:
        for keys in PATH:
            await ui.press(*keys)
            assert_fits(ui, size)


async def test_a_terminal_that_changes_its_size_on_every_screen() -> None:
    async with running(demo()) as ui:
        for keys in (["1"], ["3"], ["enter"], ["2"]):
            await ui.press(*keys)
            for size in ((20, 5), (80, 24)):
                await ui.pilot.resize_terminal(*size)
                await ui.pilot.pause()
                assert_fits(ui, size)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=str)
async def test_with_more_rows_than_lines_the_last_column_is_beside_the_scrollbar(size: tuple[int, int]) -> None:
    vips = tuple(vip(f"10.4.1.{n}") for n in range(200))
    async with running(seen(vips=vips), size=size) as ui:
        await ui.pilot.pause()
        heads = [line for line in ui.lines if line.startswith("VIP ")]
        assert [h[:-1].rstrip().endswith("CHAIN") for h in heads] == [True]
        rows = [line for line in ui.lines if line.startswith("10.4.1.")]
        assert len(rows) == size[1] - 3
        assert {row[:-1].split()[-1] for row in rows} == {"??????✓✓"}
        await ui.press("end")
        assert any(line.startswith("10.4.1.199 ") for line in ui.lines)


async def test_the_cursor_is_one_bar_in_one_style() -> None:
    async with running(demo()) as ui:
        await ui.press("3")
        strip = strips(ui.app)[2]
        styles = {(s.style.color, s.style.bgcolor, s.style.reverse) for s in strip if s.style and s.text.strip()}
        assert len(styles) == 1


async def test_columns_never_breathe() -> None:
    async with running(seen(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/much-longer"),))) as ui:
        head = ui.lines[1]
        await ui.see(seen(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/b"),)))
        assert ui.lines[1] == head
        await ui.see(seen(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/much-much-longer"),)))
        assert "a/much-much-longer" in ui.text


async def test_the_head_marks_the_sorted_column_also_where_it_is_full() -> None:
    async with running(demo()) as ui:
        heads = []
        for _ in range(5):
            await ui.press("s")
            heads.append(ui.lines[1])
        await ui.press("s", "s", "s", "s", "S")
        heads.append(ui.lines[1])
        assert [next((w for w in h.split() if w[-1] in "▲▼"), "") for h in heads] == [
            "VIP▲",
            "OWNER▲",
            "STATE▲",
            "CONN/▼",
            "",
            "CONN/▲",
        ]
