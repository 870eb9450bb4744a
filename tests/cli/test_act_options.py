"""A wrong option of an action is a usage error that names the option."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


def kvtui(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "kvtui", "--demo", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["drain", "10.2.68.5", "--over", "abc"],
            "Invalid value for '--over': \"abc\" is not a duration; write 60s or 2m",
        ),
        (["priority", "vips"], "Invalid value for 'VALUE': give either a number from 1 to 255 or --reset"),
        (["priority", "vips", "300"], "300 is not in the range 1<=x<=255"),
        (["priority", "vips", "abc"], "'abc' is not a whole number from 1 to 255"),
        (["drain", "10.2.68.5", "--timeout", "nan"], "nan is not a finite number"),
        (["vips", "--interval", "x"], "'x' is not a number of at least 0.2"),
        (["vips", "-o", "xml", "--ascii"], "'xml' is not one of 'text', 'wide', 'name', 'json', 'yaml'"),
        (["failover"], "Missing argument 'instance'. This node has vips, vips6"),
        (["undo", "--finish", "--leave"], "Invalid value for '--leave': give either --finish or --leave"),
        (["drain", "10.2.68.5:808O"], "'10.2.68.5:808O' is not a real server: write ADDRESS or ADDRESS:PORT"),
        (["drain", "10.2.68.5:"], "'10.2.68.5:' is not a real server"),
        (["trace", "10.4.0.50:99999"], "'10.4.0.50:99999' is not a virtual server: write VIP:PORT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage(words: list[str], message: str) -> None:
    done = kvtui(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr


def test_an_action_without_changes_asks_no_question() -> None:
    done = kvtui("undrain", "10.2.68.5:8080")
    assert done.returncode == 0
    assert "already has its weight" in done.stdout
    assert re.fullmatch(r"kvtui: nothing had to be changed  \(journal: \S+\)\n", done.stderr)


@pytest.mark.parametrize("command", ["reload", "drain", "undrain", "priority", "failover", "undo"])
def test_help_lists_the_exit_codes(command: str) -> None:
    words = kvtui(command, "--help").stdout.split()
    assert "Exit code: 0 done and verified, 1 failed and put back, 2 usage, 3 refused" in " ".join(words)
