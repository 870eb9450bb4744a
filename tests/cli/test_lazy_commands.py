"""kvtui builds only the typed commands; errors and lists stay the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer.main

from kvtui.cli import main
from kvtui.cli.main import PARTS, application, run

if TYPE_CHECKING:
    from kvtui.cli.invocation import Invocation


def commands(words: list[str]) -> set[str]:
    group = typer.main.get_command(application(words))
    return set(getattr(group, "commands", {}))


def nobody(invocation: Invocation) -> None:
    raise AssertionError(f"the terminal UI was started: {invocation}")


ALL = commands(["--help"])


def test_only_the_typed_commands_are_built() -> None:
    assert commands(["--demo", "status"]) == {"status"}
    assert commands(["--reason", "status", "drain", "10.0.0.1"]) == {"status", "drain"}
    assert commands(["config", "show"]) == {"config"}
    assert commands(["--demo", "--ascii"]) == set()


def test_every_name_is_in_one_place() -> None:
    assert sorted(name for names, _ in PARTS for name in names.split()) == sorted(ALL)


@pytest.mark.parametrize("words", [["--help"], ["status", "-h"], ["--hosts", "a"], ["no-such"]])
def test_all_commands_are_built_for_a_list(words: list[str]) -> None:
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
        ["--no-such-option"],
        ["--interval=x"],
    ],
)
def test_usage_errors_are_the_same(
    words: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = run(nobody, words), capfd.readouterr()
    whole = application()
    monkeypatch.setattr(main, "application", lambda _words: whole)
    assert (run(nobody, words), capfd.readouterr()) == (code, output)
    assert code == 2
