"""Every example of the README, of docs/ and of ``--help`` runs, on the demo."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kvtui.cli.command_tree import command_tree

PROJECT = Path(__file__).parents[2]
PAGES = "".join((PROJECT / page).read_text() for page in ("README.md", "docs/incidents.md", "docs/safety.md"))
EXPECTED_CODES = {"triage": 2, "undo": 2, "render": 1}
"""Exit codes on the demo: it has critical findings, nothing to undo, and a file that differs."""
STUBS = {
    "kvtui": f'exec {shlex.quote(sys.executable)} -m kvtui "$@"',
    "sudo": 'exec "$@"',
    "jq": "exec cat",
    "vi": "exit",
}


def examples() -> list[str]:
    """Returns the command lines of each command's help, of kvtui's own help, and of the README's console blocks."""
    commands = list(command_tree().all())
    found = [m[1] for c in commands for m in re.finditer(r"Example: ([^\n]+)", c.help)]
    found += [re.split(r"\s{3,}", line.strip())[0] for line in commands[0].epilog.split("\n\n")[1:]]
    for block in re.findall(r"```console\n(.*?)```", PAGES, re.DOTALL):
        typed = [re.split(r"\s+# ", line[2:])[0] for line in block.split("\n") if line.startswith("$ ")]
        found += [line for line in typed if "kvtui" in line]
    return sorted(set(found))


def subcommand(example: str) -> str:
    return next((word for word in example.split() if word in EXPECTED_CODES), "")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with the demo, plans only, and ``kvtui`` and the other programs on the PATH."""
    folder = tmp_path_factory.mktemp("examples")
    for name, script in STUBS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith("KVTUI_")}
    return env | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "KVTUI_DEMO": "1",
        "KVTUI_DRY_RUN": "1",
        "KVTUI_STATE_DIR": str(folder),
        "EDITOR": "vi",
    }


@pytest.mark.parametrize("example", examples())
def test_the_example_runs(example: str, environment: dict[str, str]) -> None:
    line = f"{example} | head -n 1" if "--watch" in example else f"set -o pipefail; {example}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == EXPECTED_CODES.get(subcommand(example), 0), done.stderr
    assert "Traceback" not in done.stderr


def test_the_configuration_of_the_docs_has_no_mistake(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "kvtui.toml"
    page = (PROJECT / "docs" / "configuration.md").read_text()
    found = re.search(r"```toml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    file.write_text(found[1])
    done = subprocess.run(
        ["kvtui", "config", "show"], env={**environment, "KVTUI_CONFIG": str(file)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
