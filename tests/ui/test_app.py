"""Keys and screens: what an 80×24 terminal shows after each key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual import events
from textual.app import ScreenStackError

from kvtui.app import KvtuiApp
from kvtui.backend.diagnostics import crash_report
from kvtui.model.keepalived import KeepalivedNotFoundError
from kvtui.model.settings import UiSettings
from kvtui.model.source import SourceName, SourceState
from kvtui.presenters.cells import line_text
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.key_panels import HelpPanel, TracePanel
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.vips import VipsScreen
from kvtui.screens.vrrp import VrrpScreen
from tests.kit.views import EPOCH, demo, make_observation, server, snapshot, source, vip
from tests.ui.seen import Feed, Ui, running

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from kvtui.model.observation import Observation


async def test_the_first_frame_waits_for_nothing() -> None:
    async with running() as ui:
        assert "reading" in ui.lines[0].lower()
        assert ui.lines[1].startswith(" 1 VIPs  2 VRRP  3 IPVS ")
        assert ui.lines[-1].startswith("Enter detail  t trace")
        assert "Reading" in ui.text


async def test_the_first_frame_does_not_wait_for_the_history() -> None:
    drawn: list[bool] = []

    class WithHistory(Feed):
        def earlier_observations(self) -> Iterator[Observation]:
            drawn.append(any(line.startswith("10.4.0.50") for line in ui.rows))
            yield from (demo(t) for t in (-2.0, -1.0))

    first = demo()
    feed = WithHistory(first)
    app = KvtuiApp(feed, settings=UiSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        ui = Ui(app, pilot, feed)
        for _ in range(200):
            await pilot.pause()
            if len(app.history.of(("vip", "10.4.0.50"))) > 1:
                break
        known = app.history.of(("vip", "10.4.0.50"))
    assert drawn == [True]
    assert len(known) == 8  # of -2 to 5 s, one for each second


def test_a_prompt_may_be_mounted_before_its_screen() -> None:
    """Textual mounts it so from Python 3.12 on; this test may run on an older one."""
    app = KvtuiApp(Feed(demo()), settings=UiSettings())
    with pytest.raises(ScreenStackError):
        app.screen  # noqa: B018 - there is none
    app.clear_selection()


async def test_the_landing_page_names_owner_state_service_and_servers_of_every_vip() -> None:
    async with running(demo()) as ui:
        row = next(line for line in ui.rows if line.startswith("10.4.0.50"))

        assert row.split()[1:4] == ["★10.4.0.5", "MASTER", "102"]
        assert "default/nginx" in row
        assert "3/3" in row
        assert row.split()[-1] == "••••••••"


async def test_number_keys_switch_screens() -> None:
    async with running(demo()) as ui:
        kinds = []
        for key in "1", "2", "3", "1":
            await ui.press(key)
            kinds.append(type(ui.app.screen))

        assert kinds == [VipsScreen, VrrpScreen, IpvsScreen, VipsScreen]


async def test_a_hidden_screen_is_current_when_it_is_shown_again() -> None:
    async with running(make_observation(vips=(vip(),), servers=())) as ui:
        await ui.press("3")
        await ui.see(make_observation(vips=(vip("10.4.0.99"),), servers=(server(),)))
        await ui.press("1")

        assert "10.4.0.99" in ui.text
        assert "10.4.0.50" not in ui.text


async def test_pause_freezes_the_screen_and_shows_since_when() -> None:
    async with running(make_observation(vips=(vip("10.4.0.1"),))) as ui:
        await ui.press("space")
        await ui.see(make_observation(vips=(vip("10.4.0.2"),), of=snapshot(time=EPOCH + 60)))

        assert "PAUSED since" in ui.lines[0]
        assert "10.4.0.1" in ui.text
        assert "10.4.0.2" not in ui.text


async def test_pause_again_resumes_with_the_latest_observation() -> None:
    async with running(make_observation(vips=(vip("10.4.0.1"),))) as ui:
        await ui.press("space")
        await ui.see(make_observation(vips=(vip("10.4.0.2"),)))
        await ui.see(make_observation(vips=(vip("10.4.0.3"),)))
        await ui.press("space")

        assert "PAUSED" not in ui.lines[0]
        assert "10.4.0.3" in ui.text


async def test_the_filter_works_while_it_is_typed_and_esc_clears_it() -> None:
    async with running(make_observation(vips=(vip("10.4.0.1"), vip("10.4.0.22"), vip("10.4.0.23")))) as ui:
        await ui.press("slash", *"0.2")
        typed = ui.text
        await ui.press("3")
        narrower = ui.text
        await ui.press("escape")

        assert "10.4.0.1 " not in typed
        assert "10.4.0.22" in typed
        assert "10.4.0.22" not in narrower
        assert "10.4.0.23" in narrower
        assert "10.4.0.1 " in ui.text


async def test_an_applied_filter_is_kept() -> None:
    async with running(demo()) as ui:
        await ui.press("slash", *"nginx", "enter")
        assert ui.lines[-1].startswith("Esc clear filter  Enter detail")
        await ui.press("2", "1")
        assert ui.lines[-1].startswith("Esc clear filter  Enter detail")
        await ui.press("escape")
        assert ui.lines[-1].startswith("Enter detail")


async def test_enter_applies_the_filter_and_returns_the_focus() -> None:
    async with running(make_observation(vips=(vip("10.4.0.1"), vip("10.4.0.2")), servers=())) as ui:
        await ui.press("slash", *"0.2", "enter")
        assert "10.4.0.1 " not in ui.text
        await ui.press("3")

        assert isinstance(ui.app.screen, IpvsScreen)


@pytest.mark.parametrize(("typed", "sorted_by"), [("/10.4.0.50<s", 1), ("/10.4.0.5x<0\rs", 1), ("/10.4.0.50\rsss", 3)])
async def test_keys_typed_ahead_reach_the_widget_that_enter_or_esc_focuses(typed: str, sorted_by: int) -> None:
    """All keys arrive at once, as on a slow line; ``<`` is Backspace."""
    async with running(demo()) as ui:
        names = {"/": "slash", "\r": "enter", "<": "backspace", ".": "full_stop"}
        for character in typed:
            key = names.get(character, character)
            ui.app.post_message(events.Key(key, character if character.isprintable() and character != "<" else None))
        await ui.press("left")
        screen = ui.app.screen
        assert isinstance(screen, NodeScreen)
        if "\r" not in typed:
            assert screen.filter == "10.4.0.5s"
            return
        assert screen.filter == "10.4.0.50"
        assert screen.sort == sorted_by
        assert screen.table.has_focus


async def test_a_filter_without_a_match_shows_how_to_clear_it() -> None:
    async with running(make_observation(vips=(vip(),))) as ui:
        await ui.press("slash", *"zzz")

        assert "zzz" in ui.text
        assert "Esc" in ui.text


async def test_sort_cycles_through_the_columns_and_reverse_reverses() -> None:
    async with running(make_observation(vips=(vip("10.4.0.9"), vip("10.4.0.100"), vip("10.4.0.20")))) as ui:

        def order() -> list[str]:
            return [line.split()[0] for line in ui.rows if line.startswith("10.")]

        by_default = order()
        await ui.press("s")
        by_address = order()
        await ui.press("S")

        assert by_default == ["10.4.0.9", "10.4.0.100", "10.4.0.20"]
        assert by_address == ["10.4.0.9", "10.4.0.20", "10.4.0.100"]
        assert order() == by_address[::-1]


async def test_enter_on_a_vip_names_its_layers() -> None:
    async with running(demo()) as ui:
        await ui.press("enter")

        assert isinstance(ui.app.screen, TracePanel)
        for word in ("VIP 10.4.0.50", "config file", "running config", "IPVS", "address", "VRRP owner"):
            assert word in ui.text
        await ui.press("escape")
        assert isinstance(ui.app.screen, VipsScreen)


async def test_an_open_detail_is_updated_by_each_observation() -> None:
    async with running(demo(5.0)) as ui:
        await ui.press("enter")
        assert "10.4.0.5 advertises it (this node)" in ui.text
        await ui.see(demo(70.0))

        assert "10.4.0.4 advertises it (another node)" in ui.text


async def test_help_lists_every_key_of_the_screen_with_its_action() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "question_mark")
        bindings = [b for _n, b, _e, _t in ui.app.screen_stack[-2].active_bindings.values() if b.id and not b.system]

        assert isinstance(ui.app.screen, HelpPanel)
        shown = "\n".join(map(line_text, ui.app.screen.text(None)))
        missing = [b.id for b in bindings if b.tooltip and not any(s in shown for s in (b.tooltip, b.description))]
        assert missing == []
        assert all(b.tooltip for b in bindings)


async def test_every_own_key_has_an_id_so_that_it_can_be_remapped() -> None:
    async with running(demo()) as ui:
        for key in "1", "2", "3":
            await ui.press(key)
            shown = [b for _n, b, _e, _t in ui.app.screen.active_bindings.values() if b.tooltip and not b.system]
            assert {b.key for b in shown if not b.id} <= {"ctrl+q"}  # Textual's own key to quit


async def test_the_palette_opens_and_runs_a_command_by_its_name() -> None:
    async with running(demo()) as ui:
        await ui.press("colon", *"vrrp")
        for _ in range(50):
            await ui.pilot.pause(0.02)
            if "VRRP: instances" in ui.text or "VRRP instances" in ui.text:
                break
        await ui.press("enter")
        for _ in range(50):
            await ui.pilot.pause(0.02)
            if isinstance(ui.app.screen, VrrpScreen):
                break

        assert isinstance(ui.app.screen, VrrpScreen)


async def test_the_palette_offers_what_the_keys_do_except_navigation() -> None:
    async with running(demo()) as ui:
        titles = {c.title for c in ui.app.get_system_commands(ui.app.screen)}
        await ui.press("colon")

        assert titles >= {"VIPs", "VRRP", "IPVS", "Filter", "Sort", "Pause", "Sources", "Quit", "Theme"}
        assert titles.isdisjoint({"Down", "Up", "First", "Commands"})
        assert "🔎" not in ui.text
        assert "Search for commands" in ui.text


async def test_sources_show_state_and_reason() -> None:
    lost = source(SourceName.IPVS, SourceState.UNAVAILABLE, "ip_vs is not loaded: modprobe ip_vs")
    half = source(SourceName.ADVERTS, SourceState.DEGRADED, "no CAP_NET_RAW")
    async with running(make_observation(vips=(vip(),), of=snapshot(lost, half))) as ui:
        header = ui.lines[0]
        await ui.press("i")

        assert "! IPVS  ? wire" in header
        assert ui.heading == "Sources"
        assert "ipvs: unavailable" in ui.text
        assert "modprobe ip_vs" in ui.text
        assert "no CAP_NET_RAW" in ui.text


async def test_without_keepalived_the_screen_reports_it_with_the_next_step() -> None:
    gone = source(SourceName.KEEPALIVED, SourceState.UNAVAILABLE, "no keepalived runs here: look with ps")
    async with running(make_observation(of=snapshot(gone, chosen=None))) as ui:
        assert "no keepalived runs here: look with ps" in ui.text
        assert "kvtui --demo" in ui.text


async def test_an_unreadable_ipvs_table_shows_why() -> None:
    lost = source(SourceName.IPVS, SourceState.UNAVAILABLE, "ip_vs is not loaded: modprobe ip_vs")
    async with running(make_observation(vips=(vip(),), of=snapshot(lost))) as ui:
        await ui.press("3")

        assert "modprobe ip_vs" in ui.text


async def test_empty_tables_show_why_and_the_next_step() -> None:
    async with running(make_observation(instances=(), vips=(), servers=())) as ui:
        landing = ui.text
        await ui.press("2")
        vrrp = ui.text
        await ui.press("3")

        assert "virtual_ipaddress" in landing
        assert "kubectl get endpoints" in landing
        assert "vrrp_instance" in vrrp
        assert "IPVS table is empty" in ui.text


async def test_two_masters_are_named() -> None:
    async with running(make_observation(vips=(vip(rivals=("10.4.0.4",)),))) as ui:
        assert "2 MASTERS" in ui.text


async def test_q_quits() -> None:
    async with running(demo()) as ui:
        await ui.press("q")

        assert ui.app.return_code == 0
        assert not ui.app.is_running or ui.has_left


async def test_ctrl_c_names_the_key_that_quits() -> None:
    async with running(demo()) as ui:
        await ui.press("ctrl+c")
        assert ui.toasts == ["q quits kvtui; Ctrl+Q quits from anywhere."]
        await ui.press("ctrl+q")
        assert ui.has_left


async def test_a_pid_that_is_not_keepalived_ends_the_app_with_the_reason() -> None:
    gone = KeepalivedNotFoundError("PID 4711 is no keepalived")
    async with running(demo()) as ui:
        ui.feed.push(gone)
        for _ in range(100):
            await ui.pilot.pause()
            if ui.app.ended_by:
                break

        assert ui.app.ended_by is gone


class Broken(Feed):
    """An observer with a bug."""

    async def observations(self, *, force: bool = False) -> AsyncGenerator[Observation, None]:
        read = "-".join(["auth", "pass", str(force)])
        yield demo()
        raise ValueError(f"line \x1b[31m{len(read)}")


def test_a_crash_prints_no_traceback_and_its_report_has_no_values_of_variables(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KVTUI_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(crash_report, "actions_begun", 0)  # another test of this process may have started one
    app = KvtuiApp(Broken(), UiSettings())
    app.run(headless=True)
    assert app.return_code == 1
    [report] = tmp_path.iterdir()
    shown, text = capsys.readouterr().err, report.read_text()
    assert shown.startswith("kvtui crashed; this is a bug. Your node was not changed.\nValueError: line")
    unfolded = shown.replace("\n", "")  # the path of this test's folder is wider than the terminal
    assert unfolded.endswith(f"Report: {report}To see the node: kvtui status. To see past actions: kvtui journal")
    assert "in observations" in text
    assert "ValueError: line" in text
    assert "Traceback" not in shown
    assert "\x1b[31m" not in shown + text
    assert "auth-pass-False" not in shown + text
