"""Which colours a terminal gets, and which variables are set before Textual is imported."""

from __future__ import annotations

import pytest

from kvtui.model.config import Theme
from kvtui.terminal import prepare


@pytest.mark.parametrize(
    ("env", "wanted", "theme"),
    [
        ({"TERM": "xterm-256color"}, Theme.AUTO, Theme.DARK),
        ({"TERM": "tmux-256color"}, Theme.AUTO, Theme.DARK),
        ({"TERM": "linux"}, Theme.AUTO, Theme.ANSI16),
        ({}, Theme.AUTO, Theme.ANSI16),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Theme.AUTO, Theme.DARK),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Theme.AUTO, Theme.MONO),
        ({"TERM": "linux", "NO_COLOR": "1"}, Theme.AUTO, Theme.MONO),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, Theme.AUTO, Theme.DARK),  # no-color.org: must not be empty
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Theme.LIGHT, Theme.LIGHT),
        ({"TERM": "linux"}, Theme.DARK, Theme.DARK),
    ],
)
def test_the_theme_for_the_terminal(env: dict[str, str], wanted: Theme, theme: Theme) -> None:
    assert prepare(env, wanted) is theme
    assert "NO_COLOR" not in env
    assert env["TEXTUAL_ANIMATIONS"] == "none"


def test_the_users_variables_stay() -> None:
    env = {"TEXTUAL_FPS": "60", "TEXTUAL_ANIMATIONS": "full"}
    prepare(env)
    assert env == {"TEXTUAL_FPS": "60", "TEXTUAL_ANIMATIONS": "full"}
