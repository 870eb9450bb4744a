"""Header and key line: what matters most first, never wider than the terminal."""

from __future__ import annotations

import unicodedata
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kvtui.model.snapshot import Node
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.rules.observe import observe
from kvtui.widgets.header import header_text
from kvtui.widgets.keyline import hint_line
from tests.build import NOW, VIP, addresses, advertiser, snapshot, sources

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


def test_a_healthy_backup() -> None:
    left = "node-a  VIPs 0/1 here  keepalived 2.2.7 up 1h00m  k8s unavailable"
    right = f"live {CLOCK}"
    assert header_text(observe(snapshot()), "live", 80) == f"{left}{right:>{80 - len(left)}}"


def test_a_master_counts_what_it_holds() -> None:
    seen = observe(snapshot(addresses=addresses(VIP), advertisers=(advertiser(0, outgoing=True),)))
    assert "VIPs 1/1 here" in header_text(seen, "live", 80)


def test_paused_says_since_when_and_that_at_every_width() -> None:
    text = header_text(observe(snapshot()), "demo", 80, paused=True)
    assert text.endswith(f"PAUSED since {SECONDS}")
    assert "demo" not in text
    assert "PAUSED" in header_text(observe(snapshot()), "live", 22, paused=True)


def test_trouble_names_the_sources_and_the_key() -> None:
    bad = (
        Source(SourceName.IPVS, SourceState.UNAVAILABLE, "x"),
        Source(SourceName.VRRP, SourceState.DEGRADED, "y"),
    )
    seen = observe(snapshot(sources=(*bad, *sources())))
    failing = replace(seen, snapshot=replace(seen.snapshot, sources=bad))
    assert "! ipvs vrrp? (i)" in header_text(failing, "live", 120)


def test_a_source_whose_first_answer_is_still_to_come_is_no_alarm() -> None:
    pending = (Source(SourceName.VRRP, SourceState.UNAVAILABLE, "not asked yet", reason=UnavailableReason.PENDING),)
    seen = observe(snapshot())
    assert "!" not in header_text(replace(seen, snapshot=replace(seen.snapshot, sources=pending)), "live", 120)


def test_read_only_is_said() -> None:
    seen = observe(snapshot(node=Node("node-a", read_only=True)))
    assert "read-only" in header_text(seen, "live", 120)


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (110, "keepalived 2.2.7 up 1h00m  ! conf vrrp adverts (i)  k8s unavailable  ro"),
        (99, "keepalived 2.2.7 up 1h00m  ! conf vrrp adverts (i)  no k8s  ro"),
        (90, "keepalived 2.2.7 up 1h00m  ! 3 sources (i)  no k8s  ro"),
        (80, "keepalived 2.2.7 up 1h00m  ! (i)  no k8s  ro"),
        (66, "VIPs 0/1 here  keepalived up 1h00m  ! (i)  ro"),
        (40, "node-a  VIPs 0/1 here  ! (i)"),
        (26, "node-a  ! (i)"),
    ],
)
def test_a_narrow_header_says_in_fewer_words_that_sources_are_missing(width: int, said: str) -> None:
    names = (SourceName.CONF, SourceName.VRRP, SourceName.ADVERTS)
    bad = tuple(Source(name, SourceState.UNAVAILABLE, "no right") for name in names)
    seen = observe(snapshot(node=Node("node-a", read_only=True)))
    text = header_text(replace(seen, snapshot=replace(seen.snapshot, sources=bad)), "live", width)
    assert text.removesuffix(f"live {CLOCK}").rstrip().endswith(said)


def test_nothing_known_is_no_lie() -> None:
    text = header_text(observe(BLIND), "live", 100)
    assert "VIPs ?" in text
    assert "no keepalived" in text


@given(st.integers(0, 250), st.booleans(), st.text(max_size=60))
@settings(deadline=None)
def test_the_header_is_never_wider_than_the_terminal(width: int, paused: bool, name: str) -> None:
    text = header_text(observe(snapshot(node=Node(name, read_only=True))), "live", width, paused=paused)
    assert len(text) <= width
    assert not [c for c in text if unicodedata.category(c)[0] == "C"]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (80, "1 VIPs  2 VRRP  / filter  ? keys"),
        (32, "1 VIPs  2 VRRP  / filter  ? keys"),
        (31, "1 VIPs  2 VRRP  ? keys"),
        (20, "1 VIPs  ? keys"),
        (6, "? keys"),
        (3, "? k"),
        (0, ""),
    ],
)
def test_the_key_line_drops_hints_from_the_end_but_never_help(width: int, line: str) -> None:
    assert hint_line(HINTS, width) == line


def test_no_hints_no_line() -> None:
    assert hint_line((), 80) == ""
