"""The configuration files: used settings, refused settings, and the messages."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kvtui.backend import config_file
from kvtui.backend.config_file import located, parsed, paths, read
from kvtui.model.config import Config, TriageSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a system file for the test."""
    monkeypatch.setattr(config_file, "SYSTEM", str(tmp_path / "etc.toml"))
    return tmp_path


def reading(home: Path, text: str) -> Config:
    file = home / ".config/kvtui/config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return read({"HOME": str(home)})


def test_paths_of_the_files() -> None:
    assert paths({"HOME": "/root"}) == ("/etc/kvtui.toml", "/root/.config/kvtui/config.toml")
    assert paths({"HOME": "/root", "XDG_CONFIG_HOME": "/cfg"}) == ("/etc/kvtui.toml", "/cfg/kvtui/config.toml")
    assert paths({"HOME": "/root", "XDG_CONFIG_HOME": "cfg"})[1] == "/root/.config/kvtui/config.toml"
    assert paths({}) == ("/etc/kvtui.toml",)
    assert paths({"HOME": "/root", "KVTUI_CONFIG": "/x.toml"}) == ("/x.toml",)


def test_missing_files_are_not_a_problem(home: Path) -> None:
    found = read({"HOME": str(home)})
    assert (found.values, found.problems) == ({}, ())
    assert list(found.files.values()) == [False, False]
    assert found.value("interval") == 1.0


def test_the_file_of_kvtui_config_must_exist() -> None:
    assert read({"KVTUI_CONFIG": "/nowhere.toml"}).problems == ("/nowhere.toml (KVTUI_CONFIG) does not exist",)


def test_the_later_file_wins_and_each_value_has_its_line(home: Path) -> None:
    (home / "etc.toml").write_text("read_only = true\ninterval = 5\n")
    found = reading(home, '# mine\n\ninterval = 2\n[kubernetes]\nconfigmap = "default/vips"\n')

    assert found.value("interval") == 2
    assert found.values["interval"].where == f"{home}/.config/kvtui/config.toml:3"
    assert found.values["read_only"].where == f"{home}/etc.toml:1"
    assert found.values["kubernetes.configmap"].line == 5
    assert found.problems == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("intervall = 2", ":1: unknown setting intervall; did you mean interval?"),
        ("interval = 0.1", ":1: interval must be a number, 0.2 or more, not 0.1"),
        ("interval = inf", ":1: interval must be a number, 0.2 or more, not inf"),
        ("interval = nan", ":1: interval must be a number, 0.2 or more, not nan"),
        ("interval = true", ":1: interval must be a number, 0.2 or more, not True"),
        ("\nmouse = 1", ":2: mouse must be true or false, not 1"),
        ('theme = "pink"', ":1: theme must be one of auto, dark, light, high-contrast, ansi16, mono, not 'pink'"),
        (
            '[kubernetes]\nconfigmap = "vips"',
            ":2: kubernetes.configmap must be NAMESPACE/NAME, such as default/vip-configmap, not 'vips'",
        ),
        ('triage.ignore = "x"', ":1: triage.ignore must be a list of texts in quotes, not 'x'"),
        ("keys.act.drain = 4", ':1: keys.act.drain must be a key in quotes, such as "d" or "ctrl+d"'),
    ],
)
def test_an_invalid_setting_is_one_sentence_and_the_rest_is_used(home: Path, text: str, sentence: str) -> None:
    found = reading(home, f"{text}\n[x]\n")
    good = reading(home, "ascii = true\n" + text + "\n")

    assert found.problems == (f"{home}/.config/kvtui/config.toml{sentence}",)
    assert good.value("ascii") is True
    assert len(good.problems) == 1


def test_an_unknown_setting_lists_the_settings(home: Path) -> None:
    assert "settings are read_only, interval, listen" in reading(home, "zzz = 1").problems[0]


def test_an_invalid_toml_file_is_named_with_its_line_and_ignored(home: Path) -> None:
    (home / "etc.toml").write_text("ascii = true\n")
    found = reading(home, "interval = 2\nmouse = maybe\n")

    assert found.problems == (f"{home}/.config/kvtui/config.toml:2: Invalid value; this file is ignored",)
    assert (found.value("interval"), found.value("ascii")) == (1.0, True)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: p.mkdir(), "it is a folder, not a regular file"),
        (os.mkfifo, "it is a FIFO, not a regular file"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "it is not UTF-8 text"),
        (lambda p: p.write_text("#" * (1 << 21)), "it has more than 1 MiB"),
        (lambda p: p.symlink_to(p), "Too many levels of symbolic links"),
    ],
)
def test_an_unreadable_file_is_reported_and_kvtui_starts(tmp_path: Path, make: object, why: str) -> None:
    file = tmp_path / "c.toml"
    make(file)  # type: ignore[operator]
    assert read({"KVTUI_CONFIG": str(file)}).problems == (f"{file} cannot be read and is ignored: {why}",)


def test_deep_nesting_does_not_crash_kvtui() -> None:
    entries, problems = parsed("x = " + "[" * 100_000)
    assert entries == {}
    assert problems


def test_text_of_a_file_has_no_control_characters(home: Path) -> None:
    problem = reading(home, '"\\u001b[31mx" = 1\ntheme = "\\u001b]0;x"\n').problems
    assert len(problem) == 2
    assert all("\x1b" not in p for p in problem)


def test_lines_of_keys_in_every_notation() -> None:
    text = '[keys]\nact.drain = "D"\n"act.reload" = "R"\n  act . undo="U"\n[ keys . view ]\nvips = "0"\n'
    assert located(text) == {
        "keys.act.drain": 2,
        "keys.act.reload": 3,
        "keys.act.undo": 4,
        "keys.view.vips": 6,
    }


def test_triage_settings() -> None:
    assert Config().triage == TriageSettings(1.0, frozenset())


def test_triage_settings_from_a_file(home: Path) -> None:
    found = reading(home, '[triage]\nhold_factor = 2.5\nignore = ["priority-tie"]\n')
    assert found.triage == TriageSettings(2.5, frozenset({"priority-tie"}))
