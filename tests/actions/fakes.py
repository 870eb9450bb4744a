"""A step that writes a file, and actions made of such steps."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kvtui.actions.core.plan import ActionKind, Plan
from kvtui.actions.core.runner import Action, Verification
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.step_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.journal import Journal
    from kvtui.actions.core.plan import Note
    from kvtui.actions.core.step import Json, Step

KINDS["note"] = "tests.actions.fakes:WriteNote"


@dataclass(frozen=True)
class WriteNote:
    """Writes a word into a file."""

    kind: ClassVar[str] = "note"

    path: Path
    before: str
    after: str
    fails: str = ""  # the method that fails: "do", "undo", "state"; "bug" raises in do
    dies: str = ""  # "before do", "after do": this process is killed there

    def describe(self) -> str:
        return f"write {self.after} into {self.path.name}"

    def describe_undo(self) -> str:
        return f"restore {self.before} in {self.path.name}"

    def state(self) -> StepState:
        if self.fails == "state":
            raise StepError(f"{self.path.name} cannot be read")
        now = self.path.read_text()
        return (
            StepState.PENDING if now == self.before else StepState.APPLIED if now == self.after else StepState.CONFLICT
        )

    def do(self) -> None:
        if self.dies == "before do":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fails == "do":
            raise StepError(f"{self.path.name} cannot be written")
        if self.fails == "bug":
            raise RuntimeError("a bug")
        self.path.write_text(self.after)
        if self.dies == "after do":
            os.kill(os.getpid(), signal.SIGKILL)

    def undo(self) -> None:
        if self.fails == "undo":
            raise StepError(f"{self.path.name} cannot be put back")
        self.path.write_text(self.before)

    def to_json(self) -> Json:
        return {"path": str(self.path), "before": self.before, "after": self.after}

    @classmethod
    def from_json(cls, data: Json) -> WriteNote:
        return cls(Path(data["path"]), data["before"], data["after"])


def note(folder: Path, name: str, after: str = "new", before: str = "old", **changes: Any) -> WriteNote:
    """Returns a step and writes its file as it is before."""
    path = folder / name
    if not path.exists():
        path.write_text(before)
    return WriteNote(path, before, after, **changes)


def words(folder: Path, *names: str) -> list[str]:
    """Returns the content of the files."""
    return [(folder / name).read_text() for name in names]


def action(
    *steps: Step,
    ok: bool | None = True,
    notes: tuple[Note, ...] = (),
    kind: ActionKind = ActionKind.DRAIN,
    **changes: Any,
) -> Action:
    """Returns an action with these steps; its verification returns ``ok``."""

    async def verify(say: Callable[[str], None]) -> Verification:
        say("looking")
        return Verification(ok=ok, detail="as seen", facts={"saw": 1})

    plan = Plan(kind, "the notes", "write the notes", notes=notes)
    return Action(plan, steps, verify, **changes)


def hanging(*steps: Step, at: asyncio.Event) -> Action:
    """Returns an action whose verification never ends; ``at`` is set when it begins."""

    async def verify(_say: Callable[[str], None]) -> Verification:
        at.set()
        await asyncio.Event().wait()
        raise AssertionError

    return Action(Plan(ActionKind.DRAIN, "the notes", "write the notes"), steps, verify)


def results(journal: Journal) -> list[str | None]:
    return [e.result for e in journal.entries()]
