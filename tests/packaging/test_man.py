"""The manual page: generated from the commands, accepted by mandoc and groff, and complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kvtui.cli.command_tree import command_tree
from kvtui.model.config import SETTINGS

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of kvtui.1."""
    path = tmp_path_factory.mktemp("man") / "kvtui.1"
    env = {k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")}
    subprocess.run(
        [sys.executable, str(PROJECT / "packaging/man/generate.py"), str(path)],
        check=True, env={**env, "PYTHONPATH": str(PROJECT), "SOURCE_DATE_EPOCH": "1700000000"},
    )  # fmt: skip
    return path


def test_mandoc_reports_nothing(page: Path) -> None:
    done = subprocess.run(["mandoc", "-Tlint", "-Wstyle", str(page)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)


def test_it_is_reproducible_and_plain_ascii(page: Path) -> None:
    text = page.read_text("ascii")
    assert ".TH KVTUI 1 2023-11-14" in text


def test_it_is_complete(page: Path) -> None:
    shown = subprocess.run(["mandoc", "-Tascii", str(page)], capture_output=True, text=True, check=True).stdout
    text = " ".join(re.sub(".\b", "", shown).split())
    for command in command_tree().all():
        assert " ".join(command.path) in text
        for option in command.options:
            assert option.usage in text
            assert option.help in text
    for setting in SETTINGS:
        assert setting.key in text
    assert "VIPs, their owners and chains (view.vips)" in text
