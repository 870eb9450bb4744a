"""An action as an operator on a node does it: by the real command line; its plan, exit code, words and journal."""

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
    """`kvtui WORDS`, as an operator on that node types it; `state` is where its journal is, `env` more variables."""
    return ZYGOTE.run(node.netns, list(words), {**os.environ, "KVTUI_STATE_DIR": str(state), **env}, 300)


def succeed(node: Node, state: Path, *words: str) -> str:
    """Run `kvtui WORDS`, which must succeed, and return what it printed."""
    ran = kvtui(node, state, *words)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def operate(node: Node, *words: str, dry_run: bool = False) -> dict[str, Any]:
    """What came of ``kvtui WORDS`` on that node.

    Args:
        node: where.
        words: the command and its options, as typed.
        dry_run: ``--dry-run`` instead of ``--yes``.

    Returns:
        The plan (``summary``, ``remarks``, ``diff``, ``changes``), the exit ``code``, the last line of what was said as
        ``detail`` (all of it: ``said``), and by the journal ``id`` and ``facts``; both empty where nothing was begun.
    """
    state = node.folder / "state"
    done = kvtui(node, state, "-o", "json", "--dry-run" if dry_run else "--yes", *words)
    assert done.stdout, f"{done.returncode}\n{done.stderr}"
    document = json.loads(done.stdout)
    plan, outcome, entry = document["plan"], document["outcome"], document["journal"]
    assert outcome["exit_code"] == done.returncode
    assert plan is not None, outcome["detail"]
    said = done.stderr.splitlines()
    found = Journal(state).entry(entry) if entry else None
    return {
        "summary": plan["summary"],
        "remarks": [[r["grade"].upper(), r["text"]] for r in plan["remarks"]],
        "diff": plan["diff"],
        "changes": [[c["what"], c["before"], c["after"]] for c in plan["changes"]],
        "code": done.returncode,
        "said": said,
        "detail": said[-1],
        "id": found.id if found else "",
        "outcome": outcome,
        "facts": dict(found.facts) if found else {},
    }


def graded(report: dict[str, Any], severity: str) -> list[str]:
    """The plan's remarks of one grade."""
    return [text for g, text in report["remarks"] if g == severity]
