"""A program in place of ssh: a fake kvtui on each host, with a journal.

    fake_kvtui.py FOLDER … -- HOST COMMAND

FOLDER/HOST.json has its journal. FOLDER/HOST.fails names the failure of the host: ``plan``, ``apply``, ``lost``
(applied, but the connection is lost after the commit), ``hangs`` (applied, but it does not answer the commit), ``slow``
(applied once the file FOLDER/go exists).
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Any

HELD = "kvtui: done, waits for the commit of all nodes"
PLANNED = "kvtui: planned "


def write(journal: Path, entries: list[dict[str, Any]]) -> None:
    """Writes the journal atomically, because a test may read it at any moment."""
    temp = journal.with_suffix(".temp")
    temp.write_text(json.dumps(entries))
    temp.replace(journal)


def next_word() -> str:
    """Returns the next word of the coordinating kvtui."""
    return next((line for line in iter(sys.stdin.readline, "") if line.strip()), "abort").strip()


def may_start(plan: dict[str, Any] | None) -> bool:
    """Prints the plan and waits for "go"."""
    print(f"{PLANNED}{json.dumps({'plan': plan, 'outcome': {'exit_code': 0, 'detail': 'planned'}})}", flush=True)
    return next_word() == "go"


def main() -> int:
    """Returns the exit code."""
    folder, host, words = Path(sys.argv[1]), sys.argv[-2], shlex.split(sys.argv[-1])[1:]
    journal = folder / f"{host}.json"
    entries: list[dict[str, Any]] = json.loads(journal.read_text()) if journal.exists() else []
    fails = (folder / f"{host}.fails").read_text() if (folder / f"{host}.fails").exists() else ""
    reason = words[words.index("--reason") + 1] if "--reason" in words else ""
    code, detail = 0, "done"
    plan = (
        {"summary": f"set weight 0 ({' '.join(words[words.index('drain') :])})", "remarks": []}
        if "drain" in words
        else None
    )
    if "--watch" in words:
        print(json.dumps({"schema": 1, "node": {"name": host}, "comparison": {"kvtui": "1"}}), flush=True)
        time.sleep(600)
    if "journal" in words:
        print(json.dumps({"journal": entries}))
        return 0
    if "--dry-run" in words or fails == "plan":
        code, detail = (3, "refused: no such real server") if fails == "plan" else (0, "dry run")
    elif "undo" in words:
        next(e for e in entries if e["id"] == words[-1])["result"] = "undone"
        entries.append({"id": "u", "reason": reason, "result": "done", "undoes": words[-1]})
    elif not may_start(plan):
        code, detail = 130, "nothing had been changed"
    elif fails == "apply":
        code, detail = 1, "failed, and put back"
        entries.append({"id": "f", "reason": reason, "result": "put back", "undoes": None})
    else:
        while fails == "slow" and not (folder / "go").exists():
            time.sleep(0.05)
        entries.append({"id": f"id-{len(entries)}", "reason": reason, "result": None, "undoes": None})
        write(journal, entries)
        print(HELD, flush=True)
        word = next_word()
        if fails == "hangs":
            time.sleep(600)
        code, detail = (0, "done") if word == "commit" else (130, "put back")
        entries[-1]["result"] = detail
    write(journal, entries)
    if fails == "lost" and "--yes" in words and "undo" not in words:
        print("client_loop: send disconnect: Broken pipe", file=sys.stderr)
        return 255
    print(json.dumps({"plan": plan, "outcome": {"exit_code": code, "detail": detail}, "journal": None}))
    return code


if __name__ == "__main__":
    sys.exit(main())
