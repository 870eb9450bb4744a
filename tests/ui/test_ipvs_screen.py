"""Screen 3: virtual servers with their real servers, the kernel next to the config, connections on Enter."""

from __future__ import annotations

import time

from msgspec.structs import replace

from kvtui.model.ipvs import Connection, Protocol
from kvtui.model.observation import RealServerState
from tests.kit.views import demo, make_observation, real, server, vip
from tests.ui.seen import Ui, running

KEY = (Protocol.TCP, "10.4.0.50", 80, 0)


def names(ui: Ui) -> list[str]:
    """Returns the first words of the rows: the address of a virtual or a real server."""
    return [line.split()[2 if line[0] in "▾▸" else 1] for line in ui.rows if line[:1] in "▾▸" or "└" in line]


async def test_real_servers_are_below_their_virtual_server() -> None:
    two = (real("10.2.0.1"), real("10.2.0.2"))
    async with running(
        make_observation(servers=(server("10.4.0.50", *two), server("10.4.0.51", real("10.2.0.3"))))
    ) as ui:
        await ui.press("3")

        assert names(ui) == ["10.4.0.50:80", "10.2.0.1:8080", "10.2.0.2:8080", "10.4.0.51:80", "10.2.0.3:8080"]
        assert "2/2 up" in ui.lines[3]


async def test_left_folds_the_branch_under_the_cursor_and_right_unfolds_it() -> None:
    two = (real("10.2.0.1"), real("10.2.0.2"))
    async with running(
        make_observation(servers=(server("10.4.0.50", *two), server("10.4.0.51", real("10.2.0.3"))))
    ) as ui:
        await ui.press("3", "down", "left")
        folded = names(ui)
        mark = ui.rows[0][0]
        await ui.press("right")

        assert folded == ["10.4.0.50:80", "10.4.0.51:80", "10.2.0.3:8080"]
        assert (mark, ui.rows[0][0]) == ("▸", "▾")
        assert len(names(ui)) == 5


async def test_minus_folds_all_and_plus_unfolds_all() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "minus")
        folded = names(ui)
        await ui.press("plus")

        assert folded == ["10.4.0.50:80", "10.4.0.51:443", "10.4.0.52:53", "[fd00:10:4::50]:80"]
        assert len(names(ui)) == 13


async def test_a_folded_branch_stays_folded_when_values_change() -> None:
    async with running(demo(5.0)) as ui:
        await ui.press("3", "minus")
        await ui.see(demo(6.0))

        assert len(names(ui)) == 4


async def test_a_weight_that_differs_from_the_config_shows_both() -> None:
    drained = real("10.2.0.1", weight=0, configured=5, state=RealServerState.DRAINED)
    async with running(make_observation(servers=(server("10.4.0.50", drained),))) as ui:
        await ui.press("3")

        assert "0≠5" in ui.lines[4]
        assert "drained" in ui.lines[4]
        assert "0/1 up" in ui.lines[3]


async def test_a_removed_real_server_is_still_named() -> None:
    gone = real("10.2.0.1", weight=None, state=RealServerState.REMOVED)
    async with running(make_observation(servers=(server("10.4.0.50", gone, real("10.2.0.2")),))) as ui:
        await ui.press("3")

        assert "removed" in ui.lines[4]
        assert "1/2 up" in ui.lines[3]


async def test_the_filter_keeps_the_virtual_server_of_a_real_server_that_matches() -> None:
    two = (real("10.2.0.1"), real("10.2.0.2"))
    async with running(
        make_observation(servers=(server("10.4.0.50", *two), server("10.4.0.51", real("10.2.0.3"))))
    ) as ui:
        await ui.press("3", "slash", *"2.0.2", "enter")

        assert names(ui) == ["10.4.0.50:80", "10.2.0.2:8080"]


async def test_problems_sort_first() -> None:
    whole, half = server("10.4.0.50", real()), server("10.4.0.51", real(state=RealServerState.DRAINED, weight=0))
    async with running(make_observation(servers=(whole, half))) as ui:
        await ui.press("3", "s", "s", "s", "s")

        assert "10.4.0.51:80" in ui.lines[3]
        assert "STATE" in ui.lines[2] or "STAT" in ui.lines[2]


async def test_enter_on_a_real_server_lists_its_connections() -> None:
    one = Connection("TCP", ("192.0.2.7", 40000), ("10.4.0.50", 80), ("10.2.0.1", 8080), "ESTABLISHED", 899)
    async with running(make_observation(servers=(server("10.4.0.50", real("10.2.0.1")),))) as ui:
        ui.feed.found = ((one,), 1)
        await ui.press("3", "down", "enter")

        assert ui.feed.asked == [(KEY, ("10.2.0.1", 8080))]
        assert "1 connection" in ui.text
        assert "192.0.2.7:40000" in ui.text
        assert "ESTABLISHED" in ui.text


async def test_enter_on_a_virtual_server_lists_all_its_connections() -> None:
    async with running(make_observation(servers=(server("10.4.0.50", real("10.2.0.1")),))) as ui:
        await ui.press("3", "enter")

        assert ui.feed.asked == [(KEY, None)]
        assert "No connections." in ui.text


async def test_unreadable_connections_show_the_reason() -> None:
    async with running(make_observation(servers=(server("10.4.0.50", real("10.2.0.1")),))) as ui:
        ui.feed.error = PermissionError(13, "Permission denied", "/proc/net/ip_vs_conn")
        await ui.press("3", "enter")

        assert "cannot be read" in ui.text
        assert "Permission denied" in ui.text


async def test_more_connections_than_shown_are_counted() -> None:
    one = Connection("TCP", ("192.0.2.7", 40000), ("10.4.0.50", 80), ("10.2.0.1", 8080), "ESTABLISHED", 899)
    async with running(make_observation(servers=(server("10.4.0.50", real("10.2.0.1")),)), size=(100, 40)) as ui:
        ui.feed.found = ((one,), 4321)
        await ui.press("3", "enter")

        assert "4321 connections" in ui.text
        assert "4320 more" in ui.text


async def test_ten_thousand_real_servers_are_drawn_and_can_be_scrolled_to() -> None:
    reals = tuple(real(f"10.{n // 250}.{n % 250}.1", active=n % 7) for n in range(10_000))
    big = make_observation(vips=(vip(),), servers=(server("10.4.0.50", *reals),))
    async with running(big) as ui:
        await ui.press("3", "end")
        assert "10.39.249.1:8080" in ui.lines[-2]

        again = make_observation(vips=(vip(),), servers=(server("10.4.0.50", *reals),))
        started = time.process_time()
        await ui.see(again)
        took = time.process_time() - started

        assert "10.39.249.1:8080" in ui.lines[-2]
        assert took < 1.0  # an observation must be drawn before the next one comes


async def test_a_virtual_server_that_is_only_in_the_config_is_shown() -> None:
    missing = replace(server("10.4.0.50", real(weight=None, state=RealServerState.REMOVED)), in_kernel=False)
    async with running(make_observation(servers=(missing,))) as ui:
        await ui.press("3")

        assert "not in k" in ui.lines[3]
