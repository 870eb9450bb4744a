"""The command line on a terminal and in a pipe: colours, marks, wrapped lines, names, one VIP, top, --watch."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kvtui.cli.findings import findings_text
from kvtui.cli.look import PLAIN, Look, has_colour, table
from kvtui.cli.output import changed_lines
from kvtui.cli.trace import split_service
from kvtui.cli.views import names, render, render_top
from kvtui.model.config import ColourMode
from kvtui.model.finding import Finding, Severity
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.glyphs import UNICODE
from tests.kit.views import demo
from tests.signals import DEFAULT_SIGNALS
from tests.ui.pseudo_terminal import PseudoTerminal

KVTUI = [sys.executable, "-m", "kvtui", "--demo"]
SGR = re.compile(r"\x1b\[[\d;]*m")


def kvtui(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*KVTUI, *arguments], capture_output=True, text=True, timeout=120, check=False)


# --- colour


@pytest.mark.parametrize(
    ("mode", "env", "is_terminal", "expected"),
    [
        (ColourMode.AUTO, {"TERM": "xterm"}, True, True),
        (ColourMode.AUTO, {"TERM": "xterm"}, False, False),
        (ColourMode.AUTO, {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        (ColourMode.AUTO, {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (ColourMode.AUTO, {"TERM": "dumb"}, True, False),
        (ColourMode.AUTO, {}, True, False),
        (ColourMode.ALWAYS, {"NO_COLOR": "1"}, False, True),
        (ColourMode.NEVER, {"TERM": "xterm"}, True, False),
    ],
)
def test_when_text_has_colours(mode: ColourMode, env: dict[str, str], is_terminal: bool, expected: bool) -> None:
    assert has_colour(mode, env, is_terminal=is_terminal) is expected


@pytest.mark.parametrize("view", ["status", "vips", "vrrp", "ipvs", "mappings"])
@pytest.mark.parametrize("width", [None, 80])
def test_colours_change_no_character(view: str, width: int | None) -> None:
    painted = render(demo(), view, Look(colour=True, width=width))

    assert "\x1b[32m" in painted
    assert SGR.sub("", painted) == render(demo(), view, Look(width=width))
    assert "\x1b" not in render(demo(), view, PLAIN)


def test_an_escape_sequence_from_outside_is_not_a_colour() -> None:
    assert "\x1b" not in SGR.sub("", table(("A",), [(Cell("\x1b[2Jx", Tone.BAD),)], look=Look(colour=True)))


# --- width


@given(st.lists(st.tuples(st.text("ab ", max_size=12), st.text("xy ", max_size=200)), max_size=5), st.integers(40, 120))
def test_the_last_column_is_wrapped_at_words(rows: list[tuple[str, str]], width: int) -> None:
    text = table(("NAME", "WHY"), [*rows], look=Look(width=width))

    assert max(map(len, text.splitlines())) <= width
    words = "NAME" + "".join(name + why for name, why in rows).replace(" ", "")
    head = "" if text.splitlines()[0] == "NAME" else "WHY"  # a column below the others has no header
    assert sorted("".join(text.split())) == sorted(words + head)


def test_a_finding_is_wrapped_but_not_the_command_of_its_remedy() -> None:
    finding = Finding(
        "x-y", Severity.WARNING, "a long title " * 8, ("evidence " * 20,), "ipvsadm " + "-e " * 60, "vips"
    )
    lines = findings_text(replace(demo(), findings=(finding,)), Look(width=60)).splitlines()

    remedies = [line for line in lines if line.lstrip().startswith(">")]
    assert len(remedies) == 1
    assert max(len(line) for line in lines if line not in remedies) <= 60


# --- names, one VIP, a Service, top


def test_names_are_printed_one_per_line() -> None:
    assert names(demo(), "vrrp") == "vips\nvips6\n"
    assert names(demo(), "vips").splitlines()[0] == "10.4.0.50"
    assert names(demo(), "ipvs").splitlines()[0] == "10.4.0.50:80"


def test_one_vip_has_its_real_servers_and_no_other_vip() -> None:
    shown = kvtui("vips", "10.4.0.51")
    assert "10.4.0.61:443" in shown.stdout
    assert "10.4.0.50" not in shown.stdout

    other_text = kvtui("vips", "fd00:10:4:0::50", "-o", "name")
    assert other_text.stdout == "fd00:10:4::50\n"


def test_an_unknown_vip_and_a_view_without_names_are_usage_errors() -> None:
    unknown, nameless = kvtui("vips", "192.0.2.1"), kvtui("triage", "-o", "name")

    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "no VIP 192.0.2.1; kvtui vips -o name lists the VIPs" in unknown.stderr
    assert nameless.returncode == 2
    assert "-o name works with: vrrp, vips, ipvs, mappings" in nameless.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default/nginx", (("default", "nginx"), "")),
        ("default/nginx:80", (("default", "nginx"), "80")),
        ("10.4.0.50:80", (None, "")),
        ("fd00::50", (None, "")),
        ("a/b/c", (None, "")),
    ],
)
def test_service_names(text: str, expected: tuple[tuple[str, str] | None, str]) -> None:
    assert split_service(text) == expected


def test_the_chain_of_a_service_is_that_of_its_vip() -> None:
    by_service, unknown = kvtui("trace", "default/nginx:80"), kvtui("trace", "default/nothing")

    assert by_service.stdout.startswith("10.4.0.50:80  default/nginx")
    assert unknown.returncode == 2
    assert "no VIP is mapped to the Service default/nothing; Services with a VIP: default/nginx" in unknown.stderr


def test_top_has_the_busiest_first() -> None:
    lines = render_top(demo(), PLAIN, 3).splitlines()

    assert "conn/s" in lines[0]
    rates = [float(line.replace("UDP ", "").split()[2]) for line in lines[3:6]]
    assert rates == sorted(rates, reverse=True)
    assert lines[-1].endswith("more real servers")


# --- on a terminal, and --watch


def test_a_terminal_has_marks_and_is_redrawn_in_place() -> None:
    with PseudoTerminal("--demo", "--interval", "0.2", "vips", "--watch", size=(80, 24)) as terminal:
        terminal.shows("VIP", f"{UNICODE.self_mark}10.4.0.5", "MASTER")


def test_changed_and_removed_lines() -> None:
    before = ["VIP        OWNER", "10.4.0.50  a", "10.4.0.51  a", "10.4.0.52  a"]
    now = ["VIP        OWNER", "10.4.0.50  b", "10.4.0.51  a"]

    assert changed_lines(before, now) == ["10.4.0.50  b", "gone: 10.4.0.52  a"]
    assert changed_lines(now, now) == []


def test_a_pipe_gets_the_whole_view_and_then_only_what_changed() -> None:
    argv = [*DEFAULT_SIGNALS, *KVTUI, "--interval", "0.2", "ipvs", "--watch"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while sum(re.fullmatch(r"\d\d:\d\d:\d\d\n", line) is not None for line in lines) < 3:
            lines.append(process.stdout.readline())
            assert lines[-1], "kvtui ended"
        process.terminate()
    first, second, _third = (n for n, line in enumerate(lines) if re.fullmatch(r"\d\d:\d\d:\d\d\n", line))
    assert lines[first + 1].startswith("SERVER")
    assert not any(line.startswith("SERVER") for line in lines[second:])


def test_a_long_last_column_without_room_is_below_the_others() -> None:
    rows = [("10.4.0.54", "a" * 20, "its only endpoint is not ready"), ("10.4.0.60", "b", "")]
    assert table(("VIP", "SERVICE", "WHY"), rows, look=Look(width=44)).splitlines() == [
        "VIP        SERVICE",
        "10.4.0.54  aaaaaaaaaaaaaaaaaaaa",
        "    its only endpoint is not ready",
        "10.4.0.60  b",
    ]
