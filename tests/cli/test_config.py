"""``kvtui config``, and the precedence of options, environment and files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kvtui.cli.main import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only configuration file."""
    path = tmp_path / "kvtui.toml"
    monkeypatch.setenv("KVTUI_CONFIG", str(path))
    return path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, tuple[object, str]], str]:
    """Returns key → value and origin, and stderr."""
    run(lambda _invocation: None, [*arguments, "config", "show", "-o", "json"])
    output = capsys.readouterr()
    document = json.loads(output.out)
    return {s["key"]: (s["value"], s["from"]) for s in document["settings"]}, output.err


def test_option_before_environment_before_file_before_default(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('interval = 3\ntheme = "light"\nascii = true\n[kubernetes]\nenabled = false\n')
    monkeypatch.setenv("KVTUI_THEME", "mono")
    found, messages = shown(capsys, "--interval", "4")

    assert found["interval"] == (4.0, "--interval")
    assert found["theme"] == ("mono", "KVTUI_THEME")
    assert found["ascii"] == (True, f"{file}:3")
    assert found["kubernetes.enabled"] == (False, f"{file}:5")
    assert found["mouse"] == (False, "default")
    assert messages == ""


def test_an_option_turns_off_what_the_file_turns_on(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("mouse = true\nkubernetes.enabled = false\n")
    found, _err = shown(capsys, "--no-mouse", "--kube")

    assert found["mouse"] == (False, "--mouse")
    assert found["kubernetes.enabled"] == (True, "--no-kube")


def test_the_help_shows_the_defaults_of_this_node(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("interval = 7.5\nlisten = 0.3\n")
    run(lambda _invocation: None, ["--help"])
    assert "default: 7.5;" in capsys.readouterr().out
    run(lambda _invocation: None, ["vips", "--help"])
    assert "default: 0.3;" in capsys.readouterr().out


def test_a_file_can_forbid_writes_for_everybody(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("read_only = true\n")
    assert run(lambda _invocation: None, ["--demo", "--yes", "failover", "vips"]) == 3
    assert "read-only" in capsys.readouterr().err


def test_a_mistake_in_a_file_is_reported_once_and_the_command_runs(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("listen = 0\nintervall = 3\n")
    assert run(lambda _invocation: None, ["--demo", "-o", "json", "vips"]) == 0
    output = capsys.readouterr()

    assert output.err == f"kvtui: {file}:2: unknown setting intervall; did you mean interval?\n"
    assert len(json.loads(output.out)["vips"]) == 5


def test_config_show_as_text_with_keys_and_problems(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text('output = "json"\n[keys]\nact.drain = "u"\nview.vips = "0"\n')
    assert run(lambda _invocation: None, ["config", "show", "-o", "text"]) == 1
    output = capsys.readouterr()

    lines = output.out.splitlines()
    assert lines[0].split() == ["SETTING", "VALUE", "FROM"]
    assert 'output                 "text"   --output' in output.out
    assert lines[-1].split() == ["keys.view.vips", '"0"', f"{file}:4"]
    assert output.err == (f"kvtui: {file}:3: act.drain cannot use key u: act.undo uses it; remap act.undo too\n")


def test_config_path(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda _invocation: None, ["config", "path"]) == 0
    assert capsys.readouterr().out == f"{file}\n"
