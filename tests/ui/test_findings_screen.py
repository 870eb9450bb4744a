"""Screen 5: findings, worst first; the count in every header; the mark on a VIP's row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Finding, Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.presenters.keys import VIEWS
from kvtui.screens.plan_panel import PlanPanel
from tests.kit.views import demo, make_observation, snapshot, source, vip
from tests.ui.seen import running

if TYPE_CHECKING:
    from kvtui.model.observation import Observation
    from tests.ui.seen import Ui

SPLIT = Finding(
    "two-masters",
    Severity.CRITICAL,
    "2 nodes are master of VRID 50 (vips): split brain",
    ("10.4.0.3 advertises VRID 50", "10.4.0.4 advertises VRID 50"),
    "tcpdump -ni eth0 'ip proto 112'  # on each of them",
    "vips",
    ("10.4.0.50",),
)
DRIFT = Finding(
    "config-not-reloaded", Severity.WARNING, "the file is not what runs", ("it differs",), "kvtui reload", "/c"
)
FYI = Finding("drained", Severity.INFO, "10.2.68.5:8080 is drained", ("0 active",), "kvtui undrain 10.2.68.5", "x -> y")


def with_findings(*found: Finding) -> Observation:
    return replace(make_observation(vips=(vip(), vip("10.4.0.51")), servers=()), findings=found)


def line(ui: Ui, text: str) -> str:
    return next(line for line in ui.lines if text in line)


async def test_the_worst_comes_first_with_its_evidence_and_remedy_below() -> None:
    async with running(with_findings(SPLIT, DRIFT, FYI)) as ui:
        await ui.press("5")

        assert [text[1:].split()[:2] for text in ui.lines[3:6]] == [
            ["●", "critical"],
            ["▲", "warning"],
            ["info", "10.2.68.5:8080"],
        ]
        assert "10.4.0.4 advertises VRID 50" in ui.text
        assert "Remedy   tcpdump -ni eth0 'ip proto 112'  # on each of them" in ui.text


async def test_the_cursor_selects_a_finding_and_enter_shows_all_of_it() -> None:
    async with running(with_findings(DRIFT, SPLIT)) as ui:
        await ui.press("5")
        assert "Remedy   kvtui reload" in ui.text

        await ui.press("down", "enter")
        assert ui.heading == "Finding two-masters"
        assert "Object   vips" in ui.text


@pytest.mark.parametrize(
    ("remedy", "title"),
    [
        ("kvtui drain 10.4.0.61:443 --service 'tcp 10.4.0.51:443'  # does it again", "─ drain 10.4.0.61:443"),
        ("kvtui reload", "─ reload"),
        ("kvtui undrain 10.2.68.5:8080  # kvtui journal shows who drained it and why", "─ undrain 10.2.68.5:8080"),
    ],
)
async def test_enter_opens_the_action_of_the_remedy_with_its_target(remedy: str, title: str) -> None:
    async with running(with_findings(replace(DRIFT, remedy=remedy))) as ui:
        await ui.press("5", "enter")
        assert isinstance(ui.app.screen, PlanPanel)
        assert title in ui.text


async def test_a_panel_shows_when_its_finding_no_longer_holds() -> None:
    async with running(with_findings(SPLIT)) as ui:
        await ui.press("5", "enter")
        await ui.see(with_findings())

        assert "This finding is resolved." in ui.text


async def test_y_copies_the_command_without_its_comment() -> None:
    async with running(with_findings(SPLIT)) as ui:
        await ui.press("5", "y")

        assert ui.app.clipboard == "tcpdump -ni eth0 'ip proto 112'"
        assert "tcpdump -ni eth0 'ip proto 112'" in [line.strip() for line in ui.lines]


async def test_no_findings_are_reported_as_such() -> None:
    async with running(with_findings()) as ui:
        await ui.press("5")
        assert "No problems found." in ui.text

        await ui.press("y")
        assert ui.app.clipboard == ""


async def test_no_findings_with_missing_sources_names_the_sources() -> None:
    blind = replace(make_observation(of=snapshot(source(SourceName.CONF, SourceState.UNAVAILABLE))), findings=())
    async with running(blind) as ui:
        await ui.press("5")
        assert "No problems found in the sources that can be read; unknown: conf" in ui.text
        assert "conf" in ui.text


async def test_a_filter_without_a_match_does_not_report_that_all_is_well() -> None:
    async with running(with_findings(SPLIT)) as ui:
        await ui.press("5", "slash", *"zzz")
        assert 'No finding matches "zzz"' in ui.text
        assert "No problems found" not in ui.text


async def test_the_filter_finds_rules_objects_and_vips() -> None:
    async with running(with_findings(SPLIT, DRIFT, FYI)) as ui:
        await ui.press("5", "slash", *"10.4.0.50")

        assert "● critical" in ui.text
        assert "▲ warning" not in ui.text


@pytest.mark.parametrize("screen", [view.key for view in VIEWS])
async def test_every_header_and_the_tab_have_the_numbers(screen: str) -> None:
    async with running(with_findings(SPLIT, DRIFT, DRIFT, FYI), size=(100, 24)) as ui:
        await ui.press(screen)

        assert "● 1 critical  ▲ 2 warnings" in ui.lines[0]
        assert "5 Findings ●1" in ui.lines[1]
        await ui.see(with_findings(DRIFT, FYI))
        assert "▲ 1 warning " in ui.lines[0]
        assert "5 Findings ▲1" in ui.lines[1]
        await ui.see(with_findings(FYI))
        assert "▲" not in ui.lines[0] + ui.lines[1]


async def test_a_vip_is_marked() -> None:
    async with running(with_findings(SPLIT)) as ui:
        assert line(ui, "10.4.0.50").startswith("▌● 10.4.0.50 ")
        assert line(ui, "10.4.0.51").startswith("   10.4.0.51 ")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 50)])
async def test_it_fits(size: tuple[int, int]) -> None:
    async with running(with_findings(SPLIT, DRIFT, FYI), size=size) as ui:
        await ui.press("5")

        assert all(len(text) <= size[0] for text in ui.lines)
        assert line(ui, "▌").startswith("▌● critical 2 nodes are master")


async def test_text_from_outside_is_shown_literally() -> None:
    nasty = replace(DRIFT, title="\x1b[31m[red]x[/]\u202e", evidence=("a\nb\x07",), object="\x1b]0;t\x07")
    async with running(with_findings(nasty)) as ui:
        await ui.press("5")
        await ui.press("enter")

        assert "[red]x[/]" in ui.text
        assert not any(c in ui.text for c in "\x1b\x07\u202e")


async def test_ascii_only() -> None:
    async with running(replace(demo(), findings=(SPLIT, DRIFT)), ascii_only=True) as ui:
        await ui.press("5")

        assert [line for line in ui.lines if not line.isascii()] == []
