"""Every size of terminal: nothing crashes, no line is too wide, the last column is next to the scrollbar."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.kit.views import demo, make_observation, real, server, vip
from tests.ui.seen import Ui, running, strips

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


@pytest.mark.parametrize("size", [(80, 24), (119, 50)], ids=str)
async def test_with_more_rows_than_lines_the_last_column_is_next_to_the_scrollbar(size: tuple[int, int]) -> None:
    vips = tuple(vip(f"10.4.1.{n}") for n in range(200))
    async with running(make_observation(vips=vips), size=size) as ui:
        await ui.pilot.pause()
        heads = [line for line in ui.lines if line[3:].startswith("VIP ")]
        assert ["CHAIN" in h[-13:] for h in heads] == [True]
        rows = [line for line in ui.rows if line.startswith("10.4.1.")]
        assert len(rows) == size[1] - 4
        assert {row[:-1].split()[-1] for row in rows} == {"??????••"}
        await ui.press("end")
        assert any(line.startswith("10.4.1.199 ") for line in ui.rows)


async def test_the_selected_row_has_a_bar_and_one_background_and_keeps_its_colours() -> None:
    async with running(demo()) as ui:
        selected, other = (list(strips(ui.app)[y]) for y in (3, 4))
        assert ui.lines[3].startswith("▌")
        assert len({s.style.bgcolor for s in selected if s.style}) == 1
        assert not any(s.style.reverse for s in selected if s.style)
        masters = [next(s.style for s in row if s.text.startswith("MASTER")) for row in (selected, other)]
        assert masters[0] is not None
        assert masters[1] is not None
        assert masters[0].color == masters[1].color
        assert masters[0].bgcolor != masters[1].bgcolor


async def test_column_widths_stay_when_values_change() -> None:
    async with running(
        make_observation(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/much-longer"),))
    ) as ui:
        head = ui.lines[2]
        await ui.see(make_observation(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/b"),)))
        assert ui.lines[2] == head
        await ui.see(
            make_observation(vips=(vip(),), servers=(server("10.4.0.50", real(), service="a/much-much-longer"),))
        )
        assert "a/much-much-longer" in ui.text


async def test_the_head_marks_the_sorted_column_even_if_the_title_fills_it() -> None:
    async with running(demo()) as ui:
        heads = []
        for _ in range(5):
            await ui.press("s")
            heads.append(ui.lines[2])
        await ui.press("s", "s", "s", "s", "S")
        heads.append(ui.lines[2])
        assert [next((w for w in h.split() if w[-1] in "▲▼"), "") for h in heads] == [
            "VIP▲",
            "OWNER▲",
            "STATE▲",
            "CONN/▼",
            "",
            "CONN/▲",
        ]
