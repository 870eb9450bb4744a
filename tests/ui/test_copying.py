"""``y`` and ``Y``: what reaches the terminal's clipboard, and what the screen shows to be selected."""

from __future__ import annotations

import shlex
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.model.settings import Clipboard
from kvtui.screens.key_panels import MAX_CHUNK_BYTES, CopyPanel, copy_sequence, one_line, shell_lines
from kvtui.terminal import clipboard
from tests.kit.views import demo
from tests.ui.seen import running

COMMAND = "ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w 1"
BARE = "\x1b]52;c;aXB2c2FkbQ==\a"


@pytest.mark.parametrize(
    ("env", "kind"),
    [
        ({"TERM": "xterm-256color"}, Clipboard.PLAIN),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, Clipboard.TMUX),
        ({"TERM": "screen", "STY": "1.pts"}, Clipboard.SCREEN),
        ({"TERM": "linux"}, Clipboard.NONE),
    ],
)
def test_which_kind_of_clipboard_the_terminal_has(env: dict[str, str], kind: Clipboard) -> None:
    assert clipboard(env) is kind


def test_the_sequence_of_each_kind() -> None:
    assert copy_sequence("ipvsadm", Clipboard.PLAIN) == BARE
    assert copy_sequence("ipvsadm", Clipboard.TMUX) == BARE + "\x1bPtmux;\x1b\x1b]52;c;aXB2c2FkbQ==\a\x1b\\"
    assert copy_sequence("ipvsadm", Clipboard.SCREEN) == f"\x1bP{BARE}\x1b\\"
    assert copy_sequence("ipvsadm", Clipboard.NONE) == ""


def test_gnu_screen_gets_pieces_that_it_passes_on() -> None:
    text = "x" * 3000
    pieces = copy_sequence(text, Clipboard.SCREEN).split("\x1bP")[1:]
    assert all(len(p) <= MAX_CHUNK_BYTES + 2 for p in pieces)
    whole = "".join(p.removesuffix("\x1b\\") for p in pieces)
    assert b64decode(whole.removeprefix("\x1b]52;c;").removesuffix("\a")).decode() == text


@given(
    st.lists(st.sampled_from(["ip", "addr", "a b", "it's", '"', "\\", "x" * 30, "$(id)", "-w", "1"]), min_size=1),
    st.integers(12, 90),
)
def test_lines_on_the_screen_are_the_same_command_for_a_shell(words: list[str], width: int) -> None:
    command = " ".join(map(shlex.quote, words))
    pasted = "\n".join(shell_lines(command, width))
    assert shlex.split(pasted.replace("\\\n", "")) == words
    assert all(line.endswith("\\") for line in shell_lines(command, width)[:-1])


def test_a_command_that_fits_stays_on_its_line() -> None:
    assert shell_lines(COMMAND, 80) == [COMMAND]
    assert shell_lines(COMMAND, 40) == ["ipvsadm -e -t 10.4.0.50:80 -r \\", "10.2.68.5:8080 -m -w 1"]


def test_copied_text_is_one_line_of_printable_characters() -> None:
    assert one_line(" a\nrm -rf /\n\x1b[31m") == "a⏎rm -rf /⏎�[31m"


async def test_y_copies_the_command_and_shows_it() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "down", "y")
        assert ui.app.clipboard == COMMAND
        assert isinstance(ui.app.screen, CopyPanel)
        assert COMMAND in [line.rstrip() for line in ui.lines]  # from the first column, with nothing next to it
        assert "Copied, if this terminal allows it" in ui.text
        await ui.press("escape")
        assert not isinstance(ui.app.screen, CopyPanel)


async def test_the_copied_command_shows_how_to_close_it_and_the_row_stays_visible() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "down", "y")
        assert "Esc close" in ui.text
        await ui.press("Y")
        assert ui.app.clipboard.startswith("└ 10.2.68.5:8080")
        await ui.press("escape")
        assert not isinstance(ui.app.screen, CopyPanel)


async def test_y_copies_from_a_detail_and_returns_to_it() -> None:
    async with running(demo()) as ui:
        await ui.press("3", "down", "enter")
        detail = ui.app.screen
        await ui.press("y")
        assert ui.app.clipboard == COMMAND
        await ui.press("escape")
        assert ui.app.screen is detail


async def test_capital_y_copies_the_row() -> None:
    async with running(demo()) as ui:
        await ui.press("Y")
        assert ui.app.clipboard.startswith("10.4.0.50  ★10.4.0.5  MASTER  102  default/nginx")


@pytest.mark.parametrize(
    ("screen", "begins"),
    [("1", "ip addr show to "), ("2", "tcpdump -vni eth0"), ("3", "ipvsadm -Ln "), ("4", "kubectl -n default get ")],
)
async def test_every_screen_has_a_command(screen: str, begins: str) -> None:
    async with running(demo()) as ui:
        await ui.press(screen, "y")
        assert ui.app.clipboard.startswith(begins)


async def test_without_a_row_there_is_nothing_to_copy() -> None:
    async with running() as ui:
        await ui.press("y")
        assert ui.toasts == ["This row has nothing to copy."]
        assert ui.app.clipboard == ""
