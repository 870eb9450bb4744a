"""The disk of the state folder is full or read-only before an action or during it; the tests mount a real one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, ClassVar

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.plan import ActionKind, Plan
from kvtui.actions.core.runner import Action, ExitCode, Runner, Verification
from kvtui.actions.core.step import StepState
from tests.small_disk import fill, make_read_only, small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(bool(os.geteuid()), reason="only root may mount")


class Switch:
    """A step that calls ``then`` when it is done."""

    kind: ClassVar[str] = "switch"

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.is_on, self._then = False, then

    def state(self) -> StepState:
        return StepState.APPLIED if self.is_on else StepState.PENDING

    def do(self) -> None:
        self.is_on = True
        self._then()

    def undo(self) -> None:
        self.is_on = False

    def describe(self) -> str:
        return "switch it on"

    def describe_undo(self) -> str:
        return "switch it off"

    def to_json(self) -> dict[str, str]:
        return {}


async def verified(_say: Callable[[str], None]) -> Verification:
    return Verification(ok=True, detail="on")


def action(*steps: Switch) -> Action:
    return Action(Plan(ActionKind.DRAIN, "it", "switch it on"), steps, verified)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    with small_disk(folder):
        yield folder


@pytest.mark.parametrize(("how", "why"), [(fill, "No space left"), (make_read_only, "Read-only file system")])
async def test_no_action_begins_where_the_journal_cannot_be_written(
    state: Path, how: Callable[[Path], None], why: str
) -> None:
    how(state)
    switch = Switch()
    outcome = await Runner(Journal(state)).run(action(switch))
    assert (outcome.code, switch.is_on) == (ExitCode.REFUSED, False)
    assert why in outcome.detail
    assert str(state) in outcome.detail


@pytest.mark.parametrize("at", [0, 1])
async def test_a_disk_that_becomes_full_puts_the_action_back(state: Path, at: int) -> None:
    """The journal has no end of the action, and the outcome reports that; the next start finds the action."""
    steps = [Switch(), Switch()]
    steps[at] = Switch(lambda: fill(state))
    outcome = await Runner(Journal(state)).run(action(*steps))
    assert outcome.code is ExitCode.FAILED
    assert [s.is_on for s in steps] == [False, False]
    assert "No space left on device; everything was put back (this result is not in the journal: " in outcome.detail
    (state / "full").unlink()
    (left,) = Journal(state).unfinished()
    assert left.id == outcome.id
