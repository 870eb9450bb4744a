"""Only the commands that were typed are built, and nobody can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer.main

from kvtui.cli import main
from kvtui.cli.lazy_commands import lazy_commands
from kvtui.cli.main import app, run

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation


def commands(words: list[str]) -> set[str]:
    group = typer.main.get_command(lazy_commands(app, words))
    return set(getattr(group, "commands", {}))


def nobody(invocation: Invocation) -> None:
    raise AssertionError(f"the terminal UI was started: {invocation}")


ALL = commands([])


def test_what_was_typed_is_built_and_nothing_else() -> None:
    assert commands(["--demo", "status"]) == {"status"}
    assert commands(["--reason", "status", "drain", "10.0.0.1"]) == {"status", "drain"}
    assert commands(["config", "show"]) == {"config"}


@pytest.mark.parametrize("words", [["--help"], ["status", "-h"], ["--ascii"], ["no-such"]])
def test_where_a_list_may_be_shown_all_are_there(words: list[str]) -> None:
    assert commands(words) == ALL
    assert len(ALL) > 15


@pytest.mark.parametrize(
    "words",
    [
        *([name, "--no-such-option"] for name in sorted(ALL)),
        ["status", "too", "many"],
        ["vips", "-o", "xml"],
        ["--interval", "x", "ipvs"],
        ["no-such", "status"],
    ],
)
def test_what_is_wrong_is_said_in_the_same_words(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = run(nobody, words), capfd.readouterr()
    monkeypatch.setattr(main, "lazy_commands", lambda whole, _words: whole)
    assert (run(nobody, words), capfd.readouterr()) == (code, said)
    assert code == 2
