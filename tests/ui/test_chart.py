"""Charts: an area with an axis in braille, blocks or ASCII, and the spans that they show."""

from __future__ import annotations

from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kvtui.presenters.chart import Chart, Form, bytes_chart, chart_line, chart_lines, connections_chart, plot
from kvtui.rules.timeline.history import SPANS, Channel, History, nice_top
from kvtui.widgets.chart import changed_columns
from tests.kit.views import EPOCH, demo, make_observation, real, server, snapshot
from tests.ui.seen import running

MINUTE, FIVE_MINUTES, HOUR = SPANS
KEY = ("TCP", "10.4.0.50:80")
REAL = (KEY, ("10.2.0.1", 8080))


def text(chart: Chart, width: int, height: int, form: Form = Form.BRAILLE) -> list[str]:
    return ["".join(part for part, _ in line) for line in chart_lines(chart, width, height, form)]


def filled(*rates: tuple[float, float], reals: int = 1) -> History:
    """Returns a history of (seconds, connections/s)."""
    history = History()
    servers = [real(f"10.2.0.{n + 1}") for n in range(reals)]
    for at, rate in rates:
        history.add(make_observation(servers=(server("10.4.0.50", *servers, cps=rate),), of=snapshot(time=EPOCH + at)))
    return history


def test_a_chart_has_title_axis_area_and_times() -> None:
    chart = Chart("conn/s", [0.0, 2.0, 4.0, 8.0], "5m", "in 1  out 2", "1m [5m] 1h")

    assert text(chart, 46, 6, Form.ASCII) == [
        "conn/s  8.0  max 8.0  in 1  out 2   1m [5m] 1h",
        "   10|                              ..........",
        "     |                              ##########",
        "  5.0|                    ::::::::::##########",
        "    0|          ::::::::::####################",
        "      -5m -------------------------------- now",
    ]
    assert text(chart, 28, 2, Form.ASCII)[0] == "conn/s  8.0  max 8.0      5m"


def test_rows_show_the_height_of_a_value() -> None:
    assert plot([0.0, 4.0, 8.0, nan], 4, 2, 8.0, Form.BLOCKS) == ["  █ ", " ██ "]
    assert plot([0.0, 4.0, 8.0, nan], 4, 2, 8.0, Form.ASCII) == ["  # ", " ## "]
    assert plot([0.0, 4.0, 8.0, nan], 2, 2, 8.0, Form.BRAILLE) == [" ⡇", "⢸⡇"]


def test_zero_is_blank_so_that_a_node_without_traffic_sends_nothing_over_time() -> None:
    assert plot([0.0, nan, 0.1], 3, 1, 9.0, Form.BLOCKS) == ["  ▁"]


def test_a_peak_survives_in_few_columns() -> None:
    assert plot([0.0] * 50 + [9.0] + [0.0] * 49, 10, 1, 9.0, Form.BLOCKS) == ["     █    "]


@given(
    st.lists(st.one_of(st.just(nan), st.floats(0, 1e12)), max_size=200),
    st.integers(1, 160),
    st.integers(1, 12),
    st.sampled_from(Form),
)
def test_a_chart_has_the_requested_size(values: list[float], width: int, height: int, form: Form) -> None:
    lines = text(Chart("conn/s", values, "5m", "in 1  out 2", "1m [5m] 1h"), width, height, form)

    assert len(lines) == height
    assert {cell_len(line) for line in lines} == {width}
    assert form is not Form.ASCII or all(line.isascii() for line in lines)
    assert cell_len(chart_line(Chart("conn/s", values, "5m"), width, form)) <= width


@given(st.floats(0, 1e15))
def test_the_axis_ends_at_a_round_number_above_the_highest_value(highest: float) -> None:
    assert nice_top(highest) >= highest
    assert f"{nice_top(highest):.0e}"[0] in "125"


def test_only_changed_cells_are_redrawn() -> None:
    chart = Chart("conn/s", [1.0] * 60, "1m")
    before, now = (chart_lines(c, 60, 5, Form.BRAILLE) for c in (chart, Chart("conn/s", [1.0] * 59 + [0.0], "1m")))

    changed = [changed_columns(old, new) for old, new in zip(before, now, strict=True)]
    assert [all(first > 50 for first, _last in runs) for runs in changed[1:]] == [True] * 4
    assert changed[-1] == []


# --- time spans


def test_longer_spans_are_averages_of_shorter_ones() -> None:
    history = filled(*((n, n % 3) for n in range(3600)))

    assert history.series(KEY, MINUTE) == [float(n % 3) for n in range(3540, 3600)]
    assert history.series(KEY, FIVE_MINUTES) == [1.0] * 100
    assert history.series(KEY, HOUR) == [1.0] * 120


def test_a_time_without_samples_is_a_gap() -> None:
    history = filled((0, 1.0), (1, 1.0), (2, 1.0), (57, 3.0), (58, 3.0), (59, 3.0))

    assert [v for v in history.series(KEY, MINUTE) if not isnan(v)] == [1.0] * 3 + [3.0] * 3
    assert [v for v in history.series(KEY, FIVE_MINUTES) if not isnan(v)] == [1.0, 3.0]


def test_a_late_tick_leaves_no_gap() -> None:
    history = filled(*((n * 1.01, 5.0) for n in range(200)))

    assert history.series(KEY, MINUTE) == [5.0] * 60
    assert not any(map(isnan, history.series(KEY, FIVE_MINUTES)[-60:]))


def test_an_interval_of_a_minute_has_samples_too() -> None:
    history = filled(*((n * 60, 5.0) for n in range(10)))

    assert history.series(KEY, MINUTE) == [5.0] * 60


def test_a_suspend_of_an_hour_clears_older_samples() -> None:
    history = filled(*((n, 1.0) for n in range(100)), (5000, 2.0))

    assert [v for span in SPANS for v in history.series(KEY, span) if not isnan(v)] == [2.0, 2.0]


@pytest.mark.parametrize(("reals", "is_long"), [(500, True), (501, False)])
def test_many_real_servers_keep_only_their_last_minute(reals: int, is_long: bool) -> None:
    history = filled(*((n, 1.0) for n in range(4)), reals=reals)

    assert history.latest(REAL) == 1.0
    assert any(v == 1.0 for v in history.series(REAL, FIVE_MINUTES)) is is_long
    assert any(v == 1.0 for v in history.series(KEY, FIVE_MINUTES))


def test_open_connections_are_kept_for_the_curve_of_a_drain() -> None:
    assert filled((0, 1.0)).latest(REAL, Channel.ACTIVE) == 3.0


def test_bytes_sum_both_directions_and_the_text_shows_each() -> None:
    chart = bytes_chart(filled((0, 1.0)), KEY, MINUTE)

    assert (chart.now, chart.note) == (200.0, "in 100  out 100")


def test_the_current_value_in_the_hour_span_is_the_latest() -> None:
    assert connections_chart(filled((0, 7.0)), KEY, HOUR).now == 7.0


# --- on the screen


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_a_real_server_has_its_charts_and_keys_change_the_span(ascii_only: bool) -> None:
    async with running(*(demo(t) for t in range(5, 15)), ascii_only=ascii_only) as ui:
        await ui.press("3", "down", "enter")
        assert "1m [5m] 1h" in ui.text
        assert "now" in ui.text
        await ui.press("[", "[")
        assert "[1m] 5m 1h" in ui.text
        assert ascii_only or any(0x2800 < ord(c) < 0x2900 for c in ui.text)
        assert not ascii_only or ui.text.isascii()
        await ui.press("]", "]", "]")
        assert "1m 5m [1h]" in ui.text


async def test_a_terminal_with_16_colours_has_blocks_instead_of_braille() -> None:
    async with running(*(demo(t) for t in range(5, 15))) as ui:
        ui.app.theme = "ansi16"
        await ui.press("3", "down", "enter", "[")
        assert "█" in ui.text
        assert not any(0x2800 <= ord(c) < 0x2900 for c in ui.text)
