"""Screen 7: events from observations, the journal and keepalived's log, in one timeline."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from kvtui.backend.demo.changes import NO_CHANGES
from kvtui.backend.demo.log import log_tail
from kvtui.model.log import LogLine, LogTail
from kvtui.observer import Observer
from kvtui.screens.events import EventsScreen
from kvtui.widgets.table import LineTable
from tests.kit.views import EPOCH, make_observation, snapshot, vip
from tests.ui.seen import Ui, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kvtui.model.observation import Observation

LINES = tuple(LogLine(f"line {n}", EPOCH + n) for n in range(40))


def quiet(at: float = 0.0) -> Observation:
    """A node without events."""
    return make_observation(vips=(vip(),), of=snapshot(time=EPOCH + at))


@asynccontextmanager
async def screen_7(tail: LogTail, size: tuple[int, int] = (80, 24), *, ascii_only: bool = False) -> AsyncIterator[Ui]:
    async with running(quiet(), size=size, ascii_only=ascii_only, label="demo") as ui:
        await replace_log(ui, tail)
        await ui.press("7")
        await ui.pilot.pause()
        yield ui


async def replace_log(ui: Ui, tail: LogTail) -> None:
    """Replaces the log; the screen reads it at once."""

    async def log() -> LogTail:
        return tail

    ui.feed.log = log  # type: ignore[method-assign]
    if isinstance(ui.app.screen, EventsScreen):
        ui.app.screen.update_sources()
        await ui.pilot.pause()
        await ui.pilot.pause()


def events(ui: Ui) -> list[str]:
    """Returns the rows of the table, without the scrollbar."""
    head = next(n for n, line in enumerate(ui.lines) if line.startswith(" TIME"))
    title = next(n for n, line in enumerate(ui.lines) if "following" in line)
    rows = (line.lstrip("▌ ").rstrip("▁▂▃▄▅▆▇█ ") for line in ui.lines[head + 1 : title])
    return [row for row in rows if row]


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10), (20, 5)], ids=str)
async def test_it_fits(size: tuple[int, int]) -> None:
    async with screen_7(LogTail(LINES, "/var/log/syslog"), size) as ui:
        assert len(ui.lines) == size[1]
        assert {cell_len(line) for line in ui.lines} == {size[0]}


@pytest.mark.parametrize("width", [80, 60, 40])
async def test_the_message_is_shown_at_any_width(width: int) -> None:
    long = LogLine("(vips) Received advert with lower priority 90, ours 102, forcing new election", EPOCH)
    async with screen_7(LogTail((long,), "/var/log/syslog"), (width, 15)) as ui:
        assert "(vips) Received adv" in ui.text
        assert "EVENT" in ui.text


async def test_log_lines_about_dumps_are_hidden_unless_the_filter_asks_for_them() -> None:
    asked = [LogLine(f"Printing VRRP data for process({n}) on signal", EPOCH + 1) for n in range(30)]
    tail = LogTail((LogLine("(vips) Entering MASTER STATE", EPOCH), *asked), "/var/log/syslog")
    async with screen_7(tail) as ui:
        assert "log: /var/log/syslog (30 lines about dumps hidden)" in ui.text
        assert "Entering MASTER STATE" in ui.text
        assert "Printing" not in ui.text
        await ui.press("slash", *"process")
        assert "Printing VRRP data for process(29) on signal" in ui.text
        assert "dumps hidden" not in ui.text


async def test_c_and_u_report_that_there_is_no_action() -> None:
    async with running(quiet()) as ui:
        await ui.press("8", "c", "u")
        assert set(ui.toasts) == {"No action is selected."}


async def test_the_newest_event_is_shown_and_followed() -> None:
    async with screen_7(LogTail(LINES, "/var/log/syslog")) as ui:
        assert events(ui)[-1].endswith("line 39")
        assert "all kinds · following · log: /var/log/syslog" in ui.text
        await replace_log(ui, LogTail((*LINES, LogLine("(vips) Entering FAULT STATE", EPOCH + 40)), "/var/log/syslog"))
        assert events(ui)[-1].endswith("(vips) Entering FAULT STATE")


async def test_the_cursor_stays_on_an_older_event_while_events_come_and_go() -> None:
    async with screen_7(LogTail(LINES, "a file")) as ui:
        await ui.press("up", "up", "up", "up")
        table = ui.app.screen.query_one(LineTable)
        selected = table.selected
        await replace_log(ui, LogTail((*LINES[10:], LogLine("newer", EPOCH + 50)), "a file", first=10))
        assert table.selected == selected
        assert "not following: End follows again" in ui.text
        await ui.press("enter")
        assert ui.heading == "Event: log"
        assert "line 35" in ui.text


async def test_a_vip_that_moves_is_an_event_and_a_kind_can_be_chosen() -> None:
    moved = make_observation(vips=(vip(owner="10.4.0.4", own=False),), of=snapshot(time=EPOCH + 1))
    async with screen_7(LogTail(LINES[:1]), (100, 24)) as ui:
        await ui.see(moved)
        assert [row.split()[1] for row in events(ui)] == ["log", "vip"]
        assert "moved from 10.4.0.3 (this node) to 10.4.0.4" in ui.text
        await ui.press("e")
        assert [row.split()[1] for row in events(ui)] == ["vip"]
        await ui.press("E", "E")
        assert [row.split()[1] for row in events(ui)] == ["log"]
        await ui.press("escape")
        assert [row.split()[1] for row in events(ui)] == ["log", "vip"]


async def test_the_filter_finds_an_object_and_t_traces_it() -> None:
    moved = make_observation(vips=(vip(owner="10.4.0.4", own=False),), of=snapshot(time=EPOCH + 1))
    async with screen_7(LogTail(LINES), (100, 24)) as ui:
        await ui.see(moved)
        await ui.press("slash", *"10.4.0.50", "enter")
        assert [row.split()[1] for row in events(ui)] == ["vip"]
        await ui.press("t")
        await ui.pilot.pause()
        assert ui.heading == "VIP 10.4.0.50"


async def test_a_kind_without_events_is_reported_as_empty() -> None:
    async with screen_7(LogTail(LINES)) as ui:
        await ui.press("e")
        assert "No event is of kind vip. Esc shows all." in ui.text


async def test_an_unreadable_log_names_where_to_look() -> None:
    error = "keepalived logs to a pipe, which its container's runtime reads: kubectl logs -n default vip-x7k2p. More"
    async with screen_7(LogTail(error=error)) as ui:
        assert "kubectl logs -n default vip-x7k2p" in " ".join(line.strip() for line in ui.lines)


async def test_lines_that_were_read_stay_next_to_the_error() -> None:
    async with screen_7(LogTail(LINES[:2], "/tmp/x.log", "/tmp/x.log can no longer be read"), (120, 24)) as ui:
        assert "log: /tmp/x.log · /tmp/x.log can no longer be read" in ui.text
        assert events(ui)[-1].endswith("line 1")


async def test_escape_sequences_in_a_line_have_no_effect() -> None:
    evil = LogTail((LogLine("\x1b[2J[red]x\u202eabc\nd", EPOCH),), "[b]\x1b[0m")
    async with screen_7(evil, ascii_only=True) as ui:
        assert "\x1b" not in ui.text
        assert "[red]x" in ui.text
        assert ui.text.isascii()


async def test_events_of_an_earlier_day_show_the_date() -> None:
    async with screen_7(LogTail((LogLine("old", EPOCH - 200_000), LogLine("timeless"), LogLine("new", EPOCH)))) as ui:
        times = [row.split()[0] for row in events(ui)]
        assert times[0].count("-") == 1
        assert times[1] == "log"
        assert times[2].count(":") == 2


async def test_pause_freezes_the_events_too() -> None:
    async with screen_7(LogTail(LINES)) as ui:
        await ui.press("space")
        await replace_log(ui, LogTail((*LINES, LogLine("later"))))
        assert "later" not in ui.text


def test_the_demo_logs_its_story_and_the_actions_on_it() -> None:
    texts = [line.text for line in log_tail(130.0, EPOCH).lines if (line.at or 0) > EPOCH]
    assert texts == [
        "TCP connection to [10.2.70.5]:tcp:8080 failed.",
        "Removing service [10.2.70.5]:tcp:8080 from VS [10.4.0.50]:tcp:80",
        "TCP connection to [10.2.70.5]:tcp:8080 success.",
        "Adding service [10.2.70.5]:tcp:8080 to VS [10.4.0.50]:tcp:80",
        "(vips) Changing effective priority from 102 to 52",
        "(vips) Master received advert from 10.4.0.4 with higher priority",
        "(vips) Entering BACKUP STATE",
        "(vips) Backup received priority 0 advertisement from 10.4.0.4",
        "(vips) Entering MASTER STATE",
    ]
    done = NO_CHANGES.set(5.0, value=-6)
    assert [line.text for line in log_tail(8.0, EPOCH, done).lines][-1] == "(vips) Entering FAULT STATE"


async def test_a_source_without_a_log_is_reported() -> None:
    class Recording:
        """A source without ``log``."""

    tail = await Observer(Recording()).log()  # type: ignore[arg-type]
    assert (tail.lines, tail.error) == ((), "this data contains no keepalived log")
