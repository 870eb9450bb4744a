"""A program in place of ssh: a real kvtui on each host, with journal and runner, whose actions write a file.

    real_kvtui.py FOLDER … -- HOST COMMAND

Every action writes "new" into FOLDER/HOST/word. FOLDER/HOST/moment names a moment: ``plan``, ``step``, ``applied``,
``verify``. At that moment the action creates FOLDER/HOST/there and waits for FOLDER/go. At ``dies`` it is killed after
the step.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions import registry
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.live import LiveBackend
from kvtui.cli import act, journal
from kvtui.cli.main import run
from tests.actions.fakes import WriteNote, action

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.intent import Intent
    from kvtui.actions.core.runner import Action, Verification
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation

FOLDER = Path(sys.argv[1], sys.argv[-2])


def reach(moment: str) -> None:
    """Waits if this is the chosen moment."""
    if (FOLDER / "moment").exists() and (FOLDER / "moment").read_text() == moment:
        (FOLDER / "there").touch()
        while not (FOLDER.parent / "go").exists():
            time.sleep(0.02)


class Slow(WriteNote):
    """Waits before and after it writes."""

    def do(self) -> None:
        reach("step")
        super().do()
        reach("applied")


class Here(LiveBackend):
    """The live backend, with the host's journal."""

    @cached_property
    def journal(self) -> Journal:
        return Journal(FOLDER / "state")


async def plan(intent: Intent, seen: Observation, watch: Watch, backend: ActionBackend) -> Action:
    """Plans to write the word."""
    reach("plan")
    if intent.kind is ActionKind.UNDO:
        return await registry.plan(intent, seen, watch, backend)
    dies = "after do" if (FOLDER / "moment").exists() and (FOLDER / "moment").read_text() == "dies" else ""
    made = action(Slow(FOLDER / "word", "old", "new", dies=dies))

    async def verify(say: Callable[[str], None]) -> Verification:
        reach("verify")
        return await made.verify(say)

    return replace(made, verify=verify)


if __name__ == "__main__":
    words = shlex.split(sys.argv[-1])[1:]
    if "--watch" in words:
        while True:  # until the reader is gone
            print('{"schema": 1, "comparison": {"kvtui": "1"}}', flush=True)
            time.sleep(0.5)
    os.environ["KVTUI_DEMO"] = "1"  # the observation is not used
    vars(act).update(plan=plan, backend_for=lambda _source: Here())
    vars(journal).update(backend_for=lambda _source: Here())
    sys.exit(run(lambda _invocation: None, words))
