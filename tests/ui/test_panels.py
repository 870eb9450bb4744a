"""Panels: keys also work while a panel is open, and the help lists each key once."""

from __future__ import annotations

import pytest
from textual import events
from textual.widgets import Input

from kvtui.model.source import SourceName, SourceState
from kvtui.presenters.cells import hanging, line_text
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.key_panels import SCREENS, HelpPanel, in_columns
from kvtui.screens.vips import VipsScreen
from tests.kit.views import demo, make_observation, snapshot, source
from tests.ui.seen import running


async def test_every_binding_is_in_the_help_exactly_once() -> None:
    for size in ((80, 24), (60, 50)):
        async with running(demo(), size=size) as ui:
            await ui.press("3")
            ours = {
                b.tooltip if b.id not in SCREENS else f"{b.key} {b.description}"
                for _n, b, on, _t in ui.app.screen.active_bindings.values()
                if b.id and "." in b.id and on
            }
            await ui.press("question_mark")
            assert isinstance(ui.app.screen, HelpPanel)
            shown = "\n".join(map(line_text, ui.app.screen.text(None)))
            assert {what: shown.count(what) for what in ours} == dict.fromkeys(ours, 1)
            assert len(ours) >= 20


async def test_at_80_by_24_the_whole_help_is_visible() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "question_mark")
        for text in (
            "Filter the rows",
            "The last row",
            "CHAIN, one mark per layer",
            "✓ • ok",
            "1 VIPs  2 VRRP  3 IPVS",
            "ACTIONS",
            "★ this node",
            "n≠m",
        ):
            assert text in ui.text


async def test_a_panel_closes_by_its_own_key_and_another_takes_its_place() -> None:
    async with running(demo()) as ui:
        headings = []
        for key in ("i", "i", "question_mark", "question_mark", "enter", "i", "question_mark", "escape"):
            await ui.press(key)
            headings.append(ui.heading)
        assert headings == ["Sources", "", "Keys", "", "VIP 10.4.0.50", "Sources", "Keys", ""]


async def test_a_number_closes_the_panel_and_opens_its_screen() -> None:
    async with running(demo()) as ui:
        await ui.press("enter", "3")
        assert isinstance(ui.app.screen, IpvsScreen)
        await ui.press("1")
        assert isinstance(ui.app.screen, VipsScreen)


@pytest.mark.parametrize("key", ["1", "2", "3", "4", "5", "7", "8"])
async def test_each_number_works_over_a_panel(key: str) -> None:
    async with running(demo()) as ui:
        await ui.press(key)
        there = ui.app.screen
        await ui.press("2" if key == "1" else "1", "i", key)
        assert ui.app.screen is there


async def test_pause_works_over_a_panel() -> None:
    async with running(demo(5.0)) as ui:
        await ui.press("enter", "space")
        assert ui.app.paused
        await ui.see(demo(70.0))
        assert "(this node)" in ui.text
        await ui.press("space")
        await ui.pilot.pause()
        assert "(another node)" in ui.text


@pytest.mark.parametrize(
    ("line", "width", "wrapped"),
    [
        ("short", 20, ["short"]),
        ("", 20, [""]),
        ("    ip_vs is not loaded: modprobe ip_vs", 30, ["    ip_vs is not loaded:", "      modprobe ip_vs"]),
        ("x" * 25, 20, ["x" * 20, "  " + "x" * 5]),
        ("one keepalived-vip pod", 18, ["one keepalived-vip", "  pod"]),
        ("no room to hang anything", 13, ["no room to hang anything"]),
    ],
)
def test_long_lines_have_a_hanging_indent(line: str, width: int, wrapped: list[str]) -> None:
    assert hanging(line, width) == wrapped


async def test_a_long_reason_is_complete_at_any_width() -> None:
    reason = "the table of PID 4711 cannot be read: run kvtui as root, or with CAP_NET_ADMIN in that namespace"
    lost = source(SourceName.IPVS, SourceState.UNAVAILABLE, reason)
    async with running(make_observation(of=snapshot(lost))) as ui:
        await ui.press("i")
        for width in (80, 50, 110):
            await ui.pilot.resize_terminal(width, 24)
            await ui.pilot.pause()
            shown = [line.strip("│ ") for line in ui.lines]
            first = next(n for n, line in enumerate(shown) if line.startswith("the table of"))
            assert reason.startswith(" ".join(shown[first : first + 2])) or shown[first] == reason


def test_keys_are_in_two_columns_if_they_fit_and_long_texts_are_indented() -> None:
    rows = [
        ("a", "one"),
        ("b", "a sentence that is too long for half of the terminal"),
        ("c", "three"),
        ("d e", "four"),
    ]
    assert [*map(line_text, in_columns(rows, 70))] == [
        "a   one                            c   three",
        "b   a sentence that is too long    d e four",
        "    for half of the terminal",
    ]
    assert [*map(line_text, in_columns(rows, 40))] == [
        "a   one",
        "b   a sentence that is too long for half",
        "    of the terminal",
        "c   three",
        "d e four",
    ]


async def test_keys_typed_ahead_on_a_slow_line_go_to_the_filter() -> None:
    async with running(demo()) as ui:
        for character, key in (("/", "slash"), ("d", "d"), ("y", "y"), ("/", "slash"), ("n", "n")):
            ui.app.post_message(events.Key(key, character))  # all in one packet: no wait in between
        for _ in range(50):
            await ui.pilot.pause()
            if ui.app.screen.query_one(Input).value == "dy/n":
                break
        assert isinstance(ui.app.screen, VipsScreen)
        assert ui.app.screen.query_one(Input).value == "dy/n"
        assert ui.app.screen.filter == "dy/n"
