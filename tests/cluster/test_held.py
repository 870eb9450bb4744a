"""Planning on several nodes: a node with another version of kvtui, and a node without a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.backend.remote.command import COORDINATED, OTHER_VERSION, HeldCommands
from kvtui.model.settings import ClusterSettings

if TYPE_CHECKING:
    from pathlib import Path

OLDER = f'echo "Error: No such option: {COORDINATED} (Possible options: --config)" >&2; exit 2'


@pytest.mark.parametrize(
    ("script", "seconds", "error"),
    [
        (OLDER, 60.0, OTHER_VERSION),
        ("exec cat", 0.2, "no plan within 0.2 s: the node or its kvtui hangs"),
        ("echo refused >&2; exit 1", 60.0, "refused"),
    ],
    ids=["older", "hangs", "ends"],
)
async def test_a_node_without_a_plan_has_an_error(tmp_path: Path, script: str, seconds: float, error: str) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\n{script}\n")
    ssh.chmod(0o700)
    commands = HeldCommands(ClusterSettings(hosts=("node-a",), ssh=str(ssh)), ["node-a"])
    try:
        answer = await commands.plan("node-a", (COORDINATED, "--yes", "reload"), seconds)
    finally:
        await commands.close()
    assert (answer.document, answer.error) == (None, error)
