"""Plain text on a terminal: no line is wider, and --watch prints the time above each view."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from msgspec.structs import replace

from kvtui.cli.look import Look
from kvtui.cli.views import IPVS_HEAD, render
from kvtui.model.source import Source, SourceName, SourceState
from tests.kit.views import demo
from tests.signals import DEFAULT_SIGNALS
from tests.ui.pseudo_terminal import PseudoTerminal

KVTUI = [sys.executable, "-m", "kvtui", "--demo"]


@pytest.mark.parametrize("view", ["status", "vips", "vrrp", "ipvs"])
@pytest.mark.parametrize("width", [80, 100, 132])
def test_no_table_is_wider_than_the_terminal(view: str, width: int) -> None:
    text = render(demo(), view, Look(width=width))
    assert max(map(len, text.splitlines())) <= width
    assert "10.4.0.5" in text


def test_without_a_terminal_every_column_is_there() -> None:
    head = next(line for line in render(demo(), "ipvs").splitlines() if line.startswith("SERVER"))
    assert re.split(r"  +", head) == list(IPVS_HEAD)


FAILED_SOURCES = {
    "status": list(SourceName),
    "vrrp": [n for n in SourceName if n not in {SourceName.IPVS, SourceName.KUBERNETES, SourceName.HOST}],
    "vips": [n for n in SourceName if n not in {SourceName.KUBERNETES, SourceName.HOST}],
    "ipvs": [SourceName.KEEPALIVED, SourceName.CONF, SourceName.IPVS],
    "mappings": list(SourceName),
}


@pytest.mark.parametrize(("view", "listed"), FAILED_SOURCES.items(), ids=FAILED_SOURCES.keys())
def test_a_view_lists_the_errors_of_its_sources(view: str, listed: list[SourceName]) -> None:
    seen = demo()
    bad = tuple(Source(n, SourceState.UNAVAILABLE, "not asked yet") for n in SourceName)
    text = render(replace(seen, snapshot=replace(seen.snapshot, sources=bad)), view)
    below = text.partition("\nSOURCE ")[2].splitlines()[1:]
    assert [line.split()[0] for line in below] == listed


def test_a_view_without_errors_has_no_table_of_sources() -> None:
    seen = demo()
    not_read = (Source(SourceName.VRRP, SourceState.UNAVAILABLE, "not asked yet"),)
    others = tuple(s for s in seen.snapshot.sources if s.name is not SourceName.VRRP)
    shown = replace(seen, snapshot=replace(seen.snapshot, sources=others + not_read))
    assert "SOURCE" not in render(shown, "ipvs")
    assert "SOURCE" in render(shown, "vrrp")


def test_the_terminals_width_limits_a_table() -> None:
    with PseudoTerminal("--demo", "ipvs", size=(80, 24)) as terminal:
        terminal.shows("SERVER", "10.2.68.5:8080", "3/3 up")
        assert "OUT B/S" not in terminal.text


def test_each_view_of_watch_begins_with_its_time() -> None:
    argv = [*DEFAULT_SIGNALS, *KVTUI, "--interval", "0.2", "vips", "--watch"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(2)]
        process.terminate()
    assert re.fullmatch(r"\d\d:\d\d:\d\d\n", first[0])
    assert first[1].startswith("VIP ")
