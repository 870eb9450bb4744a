"""Keys remapped by the configuration: which are valid, which are rejected, and what the screens then show."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys

from kvtui.actions.core.plan import ActionKind
from kvtui.app import KvtuiApp
from kvtui.model.config import Configured
from kvtui.model.finding import Finding, Severity
from kvtui.model.settings import UiSettings
from kvtui.presenters.keymap import FIXED, NAMES, REPLACEMENTS, declared, is_key, key_value, keymap
from kvtui.screens.ipvs import IpvsScreen
from kvtui.screens.plan_panel import PlanPanel
from kvtui.screens.vips import VipsScreen
from tests.kit.views import demo
from tests.ui.seen import Feed, painted, toasts


def wanted(**keys: str) -> dict[str, Configured]:
    """Returns the binding ``act.drain`` for ``act_drain="x"``, set on the line with this number."""
    return {
        name.replace("_", ".", 1): Configured(value, "/etc/kvtui.toml", line)
        for line, (name, value) in enumerate(keys.items(), 1)
    }


def test_keys_by_their_names_or_as_they_are_typed() -> None:
    assert [key_value(k) for k in ("?", "/", "D", "-", " f5", "ctrl+d")] == [
        "question_mark", "slash", "D", "minus", "f5", "ctrl+d",
    ]  # fmt: skip
    assert all(map(is_key, ("d", "D", "7", "f12", "ctrl+d", "question_mark", "slash", "space", "shift+tab", "pageup")))
    assert not any(map(is_key, ("", "dd", "nokey", "ctrl+", "<any>")))


def test_names_of_keys_are_textuals() -> None:
    assert all(is_key(key.value) for key in Keys if not key.value.startswith("<"))
    assert REPLACEMENTS == KEY_NAME_REPLACEMENTS
    assert {keys.value.split("+")[-1] for keys in Keys} >= NAMES


def test_valid_keys() -> None:
    found = keymap(wanted(act_drain="x", view_vips="0,f1", app_keys="?,h", table_up="up,w"))
    assert found.keys == {
        "act.drain": "x", "view.vips": "0,f1", "app.keys": "question_mark,h", "table.up": "up,w"
    }  # fmt: skip
    assert found.problems == ()
    assert found.replacement("d") == "x"
    assert found.replacement("r") == "r"
    assert found.hint("1", "VipsScreen") == "0"
    assert found.hint("/", "VipsScreen") == "/"


@pytest.mark.parametrize(
    ("name", "key", "sentence"),
    [
        ("act_drian", "x", "no binding is called act.drian; did you mean act.drain?"),
        ("act_drain", "nokey", 'no such key: "nokey"; examples: "d", "D", "ctrl+d", "f5", "?"'),
        ("plan_agree", "x", "plan.agree cannot be remapped: dialogs name their keys"),
        ("act_drain", "r", "act.drain cannot use key r: act.reload uses it; remap act.reload too"),
        ("act_drain", "j", "act.drain cannot use key j: table.down uses it; remap table.down too"),
        ("act_drain", "minus", "act.drain cannot use key minus: ipvs.fold_all uses it; remap ipvs.fold_all too"),
        (
            "app_sources",
            "enter",
            "app.sources cannot use key enter: table.detail uses it; remap table.detail too",
        ),
    ],
)
def test_an_invalid_key_is_reported_and_the_default_stays(name: str, key: str, sentence: str) -> None:
    found = keymap(wanted(**{name: key}))
    assert found.problems == (f"/etc/kvtui.toml:1: {sentence}",)
    assert found.keys == {}


def test_keys_can_be_swapped() -> None:
    found = keymap(wanted(act_drain="r", act_reload="d"))
    assert (found.keys, found.problems) == ({"act.drain": "r", "act.reload": "d"}, ())


def test_the_first_of_two_bindings_gets_the_key() -> None:
    found = keymap(wanted(act_drain="x", act_reload="x"))
    assert found.keys == {"act.drain": "x"}
    assert found.problems[0].startswith("/etc/kvtui.toml:2: act.reload cannot use key x: act.drain uses it")


def test_a_rejected_binding_keeps_its_default_key() -> None:
    # reload wants drain's key while drain wants one that is taken: neither changes
    found = keymap(wanted(act_drain="u", act_reload="d"))
    assert found.keys == {}
    assert len(found.problems) == 2


def test_every_shown_binding_has_an_id_that_can_be_remapped_or_belongs_to_a_dialog() -> None:
    ids = {d.id for d in declared()}
    assert {"view.vips", "act.drain", "app.quit", "table.up", "ipvs.fold", "journal.undo", "panel.close"} <= ids
    for screen in (KvtuiApp, VipsScreen, IpvsScreen):
        for binding in screen.BINDINGS:
            assert isinstance(binding, Binding)
            assert binding.system or binding.id in ids
    assert all(name.endswith(".") or name in ids for name in FIXED)


async def test_the_screens_use_and_show_the_remapped_keys() -> None:
    settings = UiSettings(keys=wanted(view_ipvs="f3", app_keys="h", act_drain="x", app_sources="I"))
    app = KvtuiApp(Feed(demo()), settings)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert painted(app)[1].startswith(" 1 VIPs  2 VRRP  f3 IPVS ")
        assert painted(app)[-1].rstrip().endswith("h keys")
        await pilot.press("3")
        assert isinstance(app.screen, VipsScreen)
        await pilot.press("f3")
        assert isinstance(app.screen, IpvsScreen)
        await pilot.press("h")
        text = "\n".join(painted(app))
        assert "f3 " in text
        assert "x " in text
        await pilot.press("1")  # works through a panel too
        assert isinstance(app.screen, VipsScreen)
        await pilot.press("h", "f3")
        assert isinstance(app.screen, IpvsScreen)


async def test_a_long_message_at_the_start_leaves_most_of_the_screen_free() -> None:
    notice = f"/etc/kvtui.toml:3: there is no setting nosuch; there are {', '.join(['kubernetes.kubeconfig'] * 20)}"
    app = KvtuiApp(Feed(demo()), replace(UiSettings(), notices=(notice,) * 5))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        [shown_toasts] = toasts(app)
        assert shown_toasts.endswith("…\nand 4 more: kvtui config show")
        assert sum("▌" in line[1:] for line in painted(app)) <= 10


async def test_the_tab_shows_the_key_of_the_findings() -> None:
    seen = replace(demo(), findings=(Finding("two-masters", Severity.CRITICAL, "split brain", (), "", "vips"),))
    app = KvtuiApp(Feed(seen), UiSettings(keys=wanted(view_findings="F")))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert " F Findings ●1 " in painted(app)[1]


async def test_ignored_settings_are_reported_at_the_start() -> None:
    settings = replace(UiSettings(keys=wanted(act_drain="u")), notices=("/etc/kvtui.toml:9: no such thing",))
    app = KvtuiApp(Feed(demo()), settings)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        shown_toasts = toasts(app)
        assert shown_toasts == ["/etc/kvtui.toml:9: no such thing\nand 1 more: kvtui config show"]
        await pilot.press("escape")
        assert not toasts(app)
        await pilot.press("u")
        assert isinstance(app.screen, PlanPanel)
        assert app.screen.intent.kind is ActionKind.UNDO
