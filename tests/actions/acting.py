"""Runs kvtui with an action on real files in a separate process: ``python -m tests.actions.acting FOLDER``.

The screens are the demo's. With ``--yes`` after FOLDER it runs as a command line instead. Every action has the same
plan: it writes two notes into FOLDER, with a long pause between them. A test can close the terminal during the pause.
"""

from __future__ import annotations

import os
import sys
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui import terminal
from kvtui.actions import registry
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.live import LiveBackend
from kvtui.app import KvtuiApp
from kvtui.backend.demo import Demo
from kvtui.cli import act
from kvtui.cli.invocation import Invocation
from kvtui.cli.output import Format, own_streams
from kvtui.model.settings import UiSettings
from kvtui.observer import Observer
from kvtui.screens import plan_panel
from tests.actions.fakes import WriteNote, action

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation

NOTES = ("a", "b")
PAUSE = 600.0
"""Seconds between the two steps: longer than any test."""


class Here(LiveBackend):
    """The live backend, with a journal in the folder."""

    @cached_property
    def journal(self) -> Journal:
        return Journal(Path(sys.argv[1], "state"))


HERE = Here()


class Acting(KvtuiApp):
    """kvtui, with actions on notes."""

    @cached_property
    def backend(self) -> ActionBackend:
        return HERE


async def plan(intent: Intent, seen: Observation, watch: Watch, backend: ActionBackend) -> Action:
    """Plans to write the notes; an undo is planned by kvtui."""
    if intent.kind is ActionKind.UNDO:
        return await registry.plan(intent, seen, watch, backend)
    steps = [WriteNote(Path(sys.argv[1], name), "old", "new") for name in NOTES]
    return action(*steps, kind=intent.kind, pauses=(float(os.environ.get("PAUSE", PAUSE)),))


def command_line() -> int:
    """Runs ``kvtui --yes failover vips``; the argument ``json`` adds ``-o json``."""
    form = Format.JSON if "json" in sys.argv else Format.TEXT
    vars(act).update(plan=plan, backend_for=lambda _source: HERE)
    with own_streams():
        return act.act(Invocation(demo=True, yes=True, form=form), Intent(ActionKind.FAILOVER, "vips"))


if __name__ == "__main__":
    if "--yes" in sys.argv:
        sys.exit(command_line())
    vars(plan_panel)["plan"] = plan
    vars(sys.modules["kvtui.app"])["KvtuiApp"] = Acting
    terminal.run(Observer(Demo(), interval=0.2), UiSettings(source_label="demo"))
