"""Header and key line: the most important first, never wider than the terminal."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kvtui.model.snapshot import Node
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.presenters.cells import Tone, line_text
from kvtui.presenters.glyphs import UNICODE
from kvtui.presenters.header import header_line, tabs
from kvtui.presenters.keys import VIEWS
from kvtui.rules.observe import observe
from kvtui.widgets.bars import fitting
from tests.kit import NOW, VIP, addresses, advertiser, snapshot, sources

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

CLOCK = f"{datetime.fromtimestamp(NOW).astimezone():%H:%M}"
SECONDS = f"{datetime.fromtimestamp(NOW).astimezone():%H:%M:%S}"
HINTS = (("1", "VIPs"), ("2", "VRRP"), ("/", "filter"), ("?", "keys"))
BLIND = snapshot(
    keepalived=(),
    chosen=None,
    conf=None,
    running=None,
    instances=None,
    ipvs=None,
    addresses=None,
    advertisers=None,
    sources=(),
)


def without_problems() -> Observation:
    """A node without Kubernetes; every other source can be read."""
    shown = observe(snapshot())
    none = Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "no API", reason=UnavailableReason.ABSENT)
    return replace(shown, snapshot=replace(shown.snapshot, sources=(*shown.snapshot.sources[:-1], none)))


def header_text(shown: Observation, label: str, width: int, *, paused: bool = False) -> str:
    return line_text(header_line(shown, label, width, UNICODE, paused=paused))


def test_a_healthy_backup_without_kubernetes_does_not_mention_kubernetes() -> None:
    left = " LIVE   node-a  keepalived 2.2.7 · up 1h00m  VIPs 0/1 here"
    assert header_text(without_problems(), "live", 76) == f"{left}{CLOCK:>{76 - len(left)}}"
    assert header_text(without_problems(), "live", 120).startswith(f"{left}  IPVS wire VRRP ")


def test_a_master_counts_its_vips() -> None:
    seen = observe(snapshot(addresses=addresses(VIP), advertisers=(advertiser(0, outgoing=True),)))
    assert "VIPs 1/1 here" in header_text(seen, "live", 80)


@pytest.mark.parametrize(
    ("label", "tone"),
    [
        ("live", Tone.CHIP_LIVE),
        ("lab", Tone.CHIP_LAB),
        ("demo", Tone.CHIP_DEMO),
        ("replay", Tone.CHIP_PAST),
        ("bundle", Tone.CHIP_PAST),
    ],
)
def test_the_first_label_shows_where_kvtui_runs(label: str, tone: Tone) -> None:
    label_cell = header_line(observe(snapshot()), label, 80, UNICODE)[0]
    assert (label_cell.text, label_cell.tone) == (f" {label.upper()} ", tone)


def test_on_a_healthy_node_only_the_label_has_a_colour() -> None:
    tones = {cell.tone for cell in header_line(without_problems(), "live", 100, UNICODE)}
    assert tones == {Tone.CHIP_LIVE, Tone.STRONG, Tone.NORMAL, Tone.DIM}


def test_paused_shows_since_when_at_every_width() -> None:
    text = header_text(observe(snapshot()), "demo", 80, paused=True)
    assert text.startswith(f" PAUSED since {SECONDS} ")
    assert "DEMO" not in text
    assert "PAUSED" in header_text(observe(snapshot()), "live", 22, paused=True)


def test_missing_sources_are_named_with_the_key() -> None:
    bad = (
        Source(SourceName.IPVS, SourceState.UNAVAILABLE, "x"),
        Source(SourceName.VRRP, SourceState.DEGRADED, "y"),
    )
    seen = observe(snapshot(sources=(*bad, *sources())))
    failing = replace(seen, snapshot=replace(seen.snapshot, sources=bad))
    assert "! IPVS  ? VRRP (i)" in header_text(failing, "live", 120)
    tones = {cell.text: cell.tone for cell in header_line(failing, "live", 120, UNICODE)}
    assert (tones["! IPVS"], tones["? VRRP"]) == (Tone.BAD, Tone.WARN)


def test_a_source_that_is_still_connecting_is_not_a_problem() -> None:
    pending = (Source(SourceName.VRRP, SourceState.UNAVAILABLE, "not asked yet", reason=UnavailableReason.PENDING),)
    seen = observe(snapshot())
    assert "!" not in header_text(replace(seen, snapshot=replace(seen.snapshot, sources=pending)), "live", 120)


@pytest.mark.parametrize(
    ("reason", "is_shown"), [(None, True), (UnavailableReason.ABSENT, False), (UnavailableReason.UNWANTED, False)]
)
def test_an_api_that_does_not_answer_is_shown_and_an_absent_one_is_not(
    reason: UnavailableReason | None, is_shown: bool
) -> None:
    lost = Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "timeout", reason=reason)
    seen = observe(snapshot())
    text = header_text(replace(seen, snapshot=replace(seen.snapshot, sources=(lost,))), "live", 120)
    assert ("! k8s (i)" in text) is is_shown
    assert ("k8s" in text) is is_shown


def test_read_only_is_shown() -> None:
    seen = observe(snapshot(node=Node("node-a", read_only=True)))
    assert "READ-ONLY" in header_text(seen, "live", 120)


@pytest.mark.parametrize(
    ("width", "end"),
    [
        (120, "keepalived 2.2.7 · up 1h00m  ! conf  ! VRRP  ! wire (i)  VIPs 0/1 here  READ-ONLY"),
        (90, "up 1h00m  ! conf  ! VRRP  ! wire (i)  VIPs 0/1 here  READ-ONLY"),
        (80, "up 1h00m  ! 3 sources (i)  VIPs 0/1 here  READ-ONLY"),
        (66, "up 1h00m  ! (i)  VIPs 0/1 here  READ-ONLY"),
        (40, "node-a  ! (i)  VIPs 0/1 here"),
        (26, "node-a  ! (i)"),
    ],
)
def test_a_narrow_header_reports_missing_sources_in_fewer_words(width: int, end: str) -> None:
    names = (SourceName.CONF, SourceName.VRRP, SourceName.ADVERTS)
    bad = tuple(Source(name, SourceState.UNAVAILABLE, "no right") for name in names)
    seen = observe(snapshot(node=Node("node-a", read_only=True)))
    text = header_text(replace(seen, snapshot=replace(seen.snapshot, sources=bad)), "live", width)
    assert text.removesuffix(CLOCK).rstrip().endswith(end)


def test_the_header_claims_nothing_before_the_first_observation() -> None:
    text = header_text(observe(BLIND), "live", 100)
    assert "VIPs ?" in text
    assert "no keepalived" in text


@given(st.integers(0, 250), st.booleans(), st.text(max_size=60))
@settings(deadline=None)
def test_the_header_is_never_wider_than_the_terminal(width: int, paused: bool, name: str) -> None:
    text = header_text(observe(snapshot(node=Node(name, read_only=True))), "live", width, paused=paused)
    assert len(text) <= width
    assert not [c for c in text if unicodedata.category(c)[0] == "C"]


@pytest.mark.parametrize("width", [*range(0, 100, 7), 200])
def test_the_tabs_fit_and_the_active_one_is_named(width: int) -> None:
    views = [(view, view.key) for view in VIEWS]
    placed = tabs(views, "ipvs", observe(snapshot()), width, UNICODE)
    text = "".join(line_text(tab.line) for tab in placed)
    assert all(tab.start < width for tab in placed)
    if width >= 40:
        assert len(text) <= width
        assert [tab.name for tab in placed] == [view.name for view in VIEWS]
        assert " 3 IPVS " in text
        assert [tab.name for tab in placed if tab.line[0].tone is Tone.CHIP_LAB] == ["ipvs"]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "1 VIPs  2 VRRP  / filter  ? keys"),
        (32, "1 VIPs  2 VRRP  / filter  ? keys"),
        (31, "1 VIPs  2 VRRP  ? keys"),
        (20, "1 VIPs  ? keys"),
        (6, "? keys"),
        (3, "? keys"),
    ],
)
def test_the_key_line_drops_hints_from_the_end_but_never_help(width: int, line: str) -> None:
    assert "  ".join(map(" ".join, fitting(HINTS, width))) == line


def test_no_hints() -> None:
    assert fitting((), 80) == []
