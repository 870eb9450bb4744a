"""``kvtui --demo --yes ACTION``: planned, applied and verified within one process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def kvtui(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs kvtui with a state folder that must stay empty."""
    env = {**os.environ, "KVTUI_STATE_DIR": str(folder / "state")}
    return subprocess.run(
        [sys.executable, "-m", "kvtui", "--demo", *arguments], capture_output=True, text=True, check=False, env=env
    )


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("--yes", "drain", "10.4.0.61"), 0, "seen in the kernel: 10.4.0.61:443 in 10.4.0.51:443: weight 0"),
        (("--yes", "failover", "vips"), 0, "10.4.0.4 is master and has 10.4.0.50"),
        (("--yes", "reload"), 0, "reloaded: the config that runs is the file"),
        (("--dry-run", "priority", "vips", "90"), 0, "dry run: nothing was written"),
        (("--yes", "--read-only", "failover", "vips"), 3, "--read-only forbids every write"),
        (("--yes", "failover", "vips6"), 3, "vips6 is BACKUP here"),
        (("--yes", "undo"), 2, "the journal in the demo's memory has nothing to undo"),
        (("--yes", "check", "10.4.0.61:443"), 0, "TCP_CHECK of 10.4.0.61:443 in 10.4.0.51:443 passes"),
        (("check", "10.4.0.61:443"), 3, "there is no terminal to ask on; use --yes"),
        (("check", "nowhere"), 2, "no check nowhere: the config has 10.2.68.5:8080"),
        (("journal",), 0, "the demo keeps its journal in memory"),
    ],
)
def test_an_action_on_the_demo(tmp_path: Path, arguments: tuple[str, ...], code: int, expected: str) -> None:
    done = kvtui(tmp_path, *arguments)

    assert (done.returncode, expected in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "state").exists()
