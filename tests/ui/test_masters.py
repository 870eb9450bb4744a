"""Masters over time: strips of the instances whose master changed."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kvtui.model.observation import Master, Observation
from kvtui.presenters.events import master_lines
from kvtui.presenters.glyphs import ASCII
from kvtui.rules.timeline.history import SPANS
from kvtui.rules.timeline.masters import MAX_TENURES, Masters, strip
from tests.kit.views import EPOCH, demo, instance, make_observation, snapshot
from tests.ui.seen import running

MINUTE = SPANS[0]


def at(second: float, master: Master | None) -> Observation:
    return make_observation(instances=(replace(instance(), master=master),), of=snapshot(time=EPOCH + second))


HERE, THERE = Master("10.4.0.3", 100, is_self=True), Master("10.4.0.4", 90, is_self=False)


def filled(*masters: tuple[float, Master | None]) -> Masters:
    kept = Masters()
    for second, master in masters:
        kept.add(at(second, master))
    return kept


def texts(masters: Masters, now: float, width: int = 67) -> list[str]:
    lines = master_lines(masters, ["vips"], MINUTE, EPOCH + now, width, ASCII)
    return ["".join(cell.text for cell in line) for line in lines]


def test_a_change_is_a_strip_with_a_mark_for_each_node() -> None:
    masters = filled((0, HERE), (30, THERE), (45, None), (50, HERE))

    assert texts(masters, 60) == [
        "Master, last 1m  # 10.4.0.3 (this node)  = 10.4.0.4  ! nobody known",
        f"vips {'#' * 30}{'=' * 15}{'!' * 5}{'#' * 11}",
    ]


def test_the_time_before_kvtui_started_is_blank() -> None:
    assert texts(filled((0, HERE), (30, THERE)), 45)[1] == f"vips {' ' * 15}{'#' * 30}{'=' * 16}"


def test_a_short_mastership_is_visible_in_few_columns() -> None:
    tenures = filled((0, HERE), (30, THERE), (31, HERE)).of("vips")
    assert [t.address for t in strip(tenures, EPOCH, EPOCH + 60, 4) if t] == [
        "10.4.0.3",
        "10.4.0.3",
        "10.4.0.3",
        "10.4.0.3",
    ]


def test_without_a_change_there_is_no_strip_and_nothing_is_drawn_over_time() -> None:
    assert texts(filled((0, HERE), (30, HERE)), 60) == []
    assert texts(filled((0, HERE), (30, THERE)), 3600) == []


def test_memory_is_bounded_and_removed_instances_are_dropped() -> None:
    masters = filled(*((n, HERE if n % 2 else THERE) for n in range(MAX_TENURES + 50)))
    assert len(masters.of("vips")) == MAX_TENURES

    masters.add(make_observation(instances=()))
    assert masters.of("vips") == ()


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_the_vrrp_screen_shows_a_takeover(ascii_only: bool) -> None:
    async with running(demo(60.0), ascii_only=ascii_only) as ui:
        await ui.press("2")
        assert "Master, last" not in ui.text
        await ui.see(demo(70.0))
        assert "Master, last 5m" in ui.text
        assert ("= 10.4.0.4" if ascii_only else "▓ 10.4.0.4") in ui.text
