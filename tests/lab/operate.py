"""Plans and runs an action as an operator on a node would; prints what came of it as JSON. For lab tests.

python tests/lab/operate.py PID (reload | priority INSTANCE VALUE | track INSTANCE VALUE | reset INSTANCE |
                                 failover INSTANCE | undo ID) [--force] [--dry-run] [--listen SECONDS]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from kvtui.actions import recovery
from kvtui.actions.failover import plan_failover
from kvtui.actions.journal import Journal
from kvtui.actions.priority import plan_priority, plan_reset
from kvtui.actions.reload import plan_reload
from kvtui.actions.runner import Runner
from kvtui.actions.survey import survey
from kvtui.backend.node import Node
from kvtui.observer import Observer

if TYPE_CHECKING:
    from kvtui.actions.runner import Action


async def plan(observer: Observer, options: argparse.Namespace) -> Action:
    observation = await observer.observe(patience=options.listen)
    keepalived = observation.snapshot.chosen_keepalived
    assert keepalived is not None
    found = await asyncio.to_thread(survey, keepalived)
    verb, *rest = options.what
    if verb == "reload":
        return plan_reload(observation, found, observer.observe)
    if verb == "undo":
        entry = next(e for e in Journal().entries() if e.id == rest[0])
        return await asyncio.to_thread(recovery.undo, entry)
    if verb == "failover":
        return plan_failover(observation, found, rest[0], observer.observe)
    if verb == "reset":
        return plan_reset(observation, found, rest[0], Journal().entries(), observer.observe)
    return plan_priority(observation, found, rest[0], int(rest[1]), observer.observe, use_track_file=verb == "track")


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("pid", type=int)
    parser.add_argument("what", nargs="+")
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--listen", type=float, default=2.0)
    options = parser.parse_args()
    observer = Observer(Node(pid=options.pid))
    try:
        action = await plan(observer, options)
        shown = action.plan
        report: dict[str, Any] = {
            "summary": shown.summary,
            "remarks": [[r.grade.name, r.text] for r in shown.remarks],
            "diff": shown.diff,
            "steps": shown.steps,
            "effects": shown.effects,
            "changes": [[c.what, c.before, c.after] for c in shown.changes],
        }
        if not options.dry_run:
            said: list[str] = []
            outcome = await Runner(Journal(), progress=said.append).run(action, force=options.force)
            report |= {
                "code": int(outcome.code),
                "detail": outcome.detail,
                "id": outcome.id,
                "facts": dict(outcome.facts),
                "said": said,
            }
        print(json.dumps(report))
    finally:
        await observer.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
