"""Runs an action on a node by the real command line; returns its plan, exit code, output and journal entry."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from kvtui.actions.core.journal import Journal
from tests.lab.zygote import ZYGOTE

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.lab.node import Node


def kvtui(node: Node, state: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs `kvtui WORDS` on that node. `state` is the folder of its journal, `env` are more variables."""
    return ZYGOTE.run(node.netns, list(words), {**os.environ, "KVTUI_STATE_DIR": str(state), **env}, 300)


def succeed(node: Node, state: Path, *words: str) -> str:
    """Runs `kvtui WORDS`, which must succeed, and returns what it printed."""
    ran = kvtui(node, state, *words)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def operate(node: Node, *words: str, dry_run: bool = False) -> dict[str, Any]:
    """Runs an action on that node and returns its report.

    Args:
        node: The node.
        words: The command and its options.
        dry_run: Passes ``--dry-run`` instead of ``--yes``.

    Returns:
        The plan (``summary``, ``remarks``, ``diff``, ``changes``), the exit ``code``, the lines on stderr as
        ``printed``, the last of them as ``detail``, and from the journal ``id`` and ``facts``, both empty if the action
        did not start.
    """
    state = node.folder / "state"
    done = kvtui(node, state, "-o", "json", "--dry-run" if dry_run else "--yes", *words)
    assert done.stdout, f"{done.returncode}\n{done.stderr}"
    document = json.loads(done.stdout)
    plan, outcome, entry = document["plan"], document["outcome"], document["journal"]
    assert outcome["exit_code"] == done.returncode
    assert plan is not None, outcome["detail"]
    printed = done.stderr.splitlines()
    found = Journal(state).entry(entry) if entry else None
    return {
        "summary": plan["summary"],
        "remarks": [[r["grade"].upper(), r["text"]] for r in plan["remarks"]],
        "diff": plan["diff"],
        "changes": [[c["what"], c["before"], c["after"]] for c in plan["changes"]],
        "code": done.returncode,
        "printed": printed,
        "detail": printed[-1],
        "id": found.id if found else "",
        "outcome": outcome,
        "facts": dict(found.facts) if found else {},
    }


def graded(report: dict[str, Any], severity: str) -> list[str]:
    """Returns the texts of the plan's remarks of one grade."""
    return [text for g, text in report["remarks"] if g == severity]
