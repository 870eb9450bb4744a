"""kvtui on a real pty."""

from __future__ import annotations

import os
import re
import signal
import termios

import pytest

from tests.ui.pseudo_terminal import PseudoTerminal

FIRST = ("10.4.0.50", "★10.4.0.5", "MASTER", "3/3")
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_ON, CURSOR_OFF = b"\x1b[?25h", b"\x1b[?25l"
MOUSE = re.compile(rb"\x1b\[\?(1000|1002|1003|1006|1015)h")
SGR = re.compile(rb"\x1b\[([0-9;:]*)m")


def colours(raw: bytes) -> set[str]:
    """Returns the kinds of colour that were sent: 16, 256, 24-bit."""
    kinds = set()
    for code in SGR.findall(raw):
        numbers = re.split("[;:]", code.decode())
        position = 0
        while position < len(numbers):
            number = numbers[position]
            if number in {"38", "48"}:
                kinds.add({"5": "256", "2": "24-bit"}[numbers[position + 1]])
                position += 3 if numbers[position + 1] == "5" else 5
                continue
            if re.fullmatch("3[0-7]|4[0-7]|9[0-7]|10[0-7]", number):
                kinds.add("16")
            position += 1
    return kinds


def assert_restored(raw: bytes) -> None:
    assert raw.count(ALTERNATE_ON) == raw.count(ALTERNATE_OFF) == 1
    assert raw.rfind(CURSOR_ON) > raw.rfind(CURSOR_OFF) > -1
    assert b"Traceback" not in raw


def test_the_first_screen_then_keys_then_a_restored_terminal() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST, "DEMO", "•••••")
        assert terminal.lines[2].split()[:5] == ["VIP", "OWNER", "STATE", "PRIO", "SERVICE"]
        assert terminal.lines[1].startswith(" 1 VIPs  2 VRRP  3 IPVS")
        terminal.press("2")
        terminal.shows("INSTANCE / PEER", "VRID", "vips6")
        terminal.press("3")
        terminal.shows("VIRTUAL / REAL SERVER", "▾ TCP 10.4.0.50:80", "└ 10.2.68.5:8080")
        terminal.press("?")
        terminal.shows("Keys", "Sort by the next column")
        terminal.press("esc")
        terminal.until(lambda: "Sort by the next column" not in terminal.text, "the keys are gone")
        terminal.press("1")
        terminal.shows("OWNER")
        terminal.press("/", "5", "1", "enter")  # in one packet, as on a slow line
        terminal.until(lambda: "10.4.0.50 " not in terminal.text, "the filter works")
        terminal.until(lambda: terminal.lines[3].startswith("▌  10.4.0.51"), "Enter keeps it")
        terminal.press("q")
        assert terminal.ended() == 0
    assert_restored(terminal.raw)
    assert not MOUSE.search(terminal.raw)
    assert colours(terminal.raw) == {"256"}


def test_ctrl_q_quits_from_a_panel_too() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        terminal.press("enter")
        terminal.shows("config file", "Esc close")
        terminal.press("\x11")
        assert terminal.ended() == 0
    assert_restored(terminal.raw)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal(number: signal.Signals) -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        terminal.process.send_signal(number)
        assert terminal.ended() == 128 + number
    assert_restored(terminal.raw)


@pytest.mark.parametrize("shell", [True, False], ids=["the shell takes the terminal", "nobody takes it"])
def test_after_kill_stop_and_kill_cont_kvtui_sets_the_terminal_up_again(*, shell: bool) -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        raw = terminal.modes
        terminal.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
        if shell:
            terminal.modes |= termios.ECHO | termios.ICANON | termios.ISIG
        terminal.process.send_signal(signal.SIGCONT)
        terminal.until(lambda: terminal.raw.count(ALTERNATE_ON) == 2, "the screen is taken again")
        terminal.until(lambda: terminal.modes == raw, "keys arrive one by one")
        terminal.shows(*FIRST)
        terminal.press("2")
        terminal.shows("INSTANCE / PEER")
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.modes & (termios.ECHO | termios.ICANON) == termios.ECHO | termios.ICANON
    assert terminal.raw.rfind(ALTERNATE_OFF) > terminal.raw.rfind(ALTERNATE_ON)


def test_the_window_grows_and_shrinks() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        terminal.resize((200, 50))
        terminal.shows("METHOD", "TREND", "─ Events ─")
        terminal.until(lambda: terminal.lines[49].startswith("Enter detail"), "the keys are at the bottom")
        terminal.resize((40, 10))
        terminal.until(lambda: terminal.lines[9] == "Enter detail  t trace  r reload  ? keys", "the keys fit")
        terminal.shows("10.4.0.50")
        terminal.press("q")
        assert terminal.ended() == 0


def test_ascii_draws_only_ascii() -> None:
    with PseudoTerminal("--ascii", "--demo") as terminal:
        terminal.shows("10.4.0.50", "*10.4.0.5", "+++++")
        for key, word in (("2", "VRID"), ("3", "v TCP 10.4.0.50:80"), ("?", "+- Keys -"), ("i", "+- Sources")):
            terminal.press(key)
            terminal.shows(word)
        terminal.press("esc")
        terminal.until(lambda: "Sources" not in terminal.text, "the panel is gone")
        terminal.press("/")
        terminal.shows("part of a name")
        terminal.press("esc")
        terminal.until(lambda: "part of a name" not in terminal.text, "the filter is gone")
        terminal.press(":")
        terminal.shows("Search for commands")
        terminal.press("\x11")
        assert terminal.ended() == 0
    assert terminal.raw.isascii()


@pytest.mark.parametrize("term", ["xterm", "linux"])
def test_sixteen_colours_if_the_terminal_has_no_more(term: str) -> None:
    with PseudoTerminal("--demo", env={"TERM": term}) as terminal:
        terminal.shows("10.4.0.50", "MASTER", "3/3")
        terminal.press("3", "i")
        terminal.shows("Sources")
        terminal.press("\x11")
        assert terminal.ended() == 0
    assert colours(terminal.raw) == {"16"}
    # the console's font has neither marks nor bars: ASCII by default
    assert terminal.raw.isascii() is (term == "linux")


def test_no_color_sends_no_colour_and_the_same_text() -> None:
    with PseudoTerminal("--demo", env={"NO_COLOR": "1"}) as terminal:
        terminal.shows(*FIRST, "•••••")
        terminal.press("q")
        assert terminal.ended() == 0
    assert colours(terminal.raw) == set()


def test_the_mouse_is_used_only_on_request() -> None:
    with PseudoTerminal("--mouse", "--demo") as terminal:
        terminal.shows(*FIRST)
        assert MOUSE.search(terminal.raw)
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("env", "stdin", "reason"),
    [
        ({"TERM": "dumb"}, True, "TERM=dumb cannot draw"),
        ({}, False, "stdin is not a terminal (with kubectl exec, add -it)"),
    ],
    ids=["dumb", "no stdin"],
)
def test_plain_status_if_the_terminal_cannot_draw(env: dict[str, str], stdin: bool, reason: str) -> None:
    with PseudoTerminal("--demo", env=env, stdin=stdin) as terminal:
        assert terminal.ended() == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw.decode())  # on a terminal the command line has colours
    assert reason in text
    assert re.search(r"10\.4\.0\.50/32 +[*★]10\.4\.0\.5 +yes +MASTER", text)
    assert "\x1b" not in text


def test_a_paused_screen_sends_nothing() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        terminal.press(" ")
        terminal.shows("PAUSED since")
        terminal.until(lambda: terminal.quiet(0.3) == 0, "the last frame is out")
        assert terminal.quiet(1.6) == 0
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.long
def test_a_terminal_that_is_resized_from_1x1_to_400x200_while_it_draws() -> None:
    with PseudoTerminal("--demo") as terminal:
        terminal.shows(*FIRST)
        for key in ("3", "2", "?", "5", "7", "1"):
            terminal.press(key)
            for size in ((1, 1), (400, 200), (1, 200), (400, 1), (2, 2), (80, 24)):
                terminal.resize(size)
                terminal.quiet(0.1)
        terminal.shows(*FIRST)
        terminal.press("q")
        assert terminal.ended() == 0
    assert_restored(terminal.raw)
