"""A killed action is found, and put back, finished or left; undo is refused where it is impossible."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.core.journal import Journal
from kvtui.actions.core.recovery import finish, inspect, leave, put_back, undo
from kvtui.actions.core.runner import ExitCode, Runner, guarded
from kvtui.actions.core.step import StepState
from kvtui.actions.live import LIVE
from tests.actions.fakes import action, hanging, note, results, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from kvtui.actions.core.runner import Action

PROJECT = Path(__file__).parents[2]


# --- killed

RUN = """
import sys
import time
from itertools import pairwise
from pathlib import Path
from kvtui.actions.core.journal import Journal
import asyncio
from kvtui.actions.core.runner import Runner, guarded
from tests.actions.fakes import results, action, note
folder, where, dies = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
steps = [note(folder, name, dies=dies if number == where else "") for number, name in enumerate("abc")]
asyncio.run(guarded(Runner(Journal(folder / "state")), action(*steps)))
"""


REPAIR = """
import os, signal, sys
from pathlib import Path
import tests.actions.fakes as fakes
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.recovery import put_back
import asyncio
from kvtui.actions.core.runner import Runner, guarded
from kvtui.actions.live import LIVE
undo = fakes.WriteNote.undo
def die(self):
    undo(self)
    if self.path.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
fakes.WriteNote.undo = die
journal = Journal(Path(sys.argv[1]) / "state")
asyncio.run(guarded(Runner(journal), put_back(journal.unfinished()[0], LIVE)))
"""


def run_and_kill(folder: Path, where: int = 0, dies: str = "", code: str = RUN) -> None:
    """Runs an action of three steps in a process that is killed at one of them."""
    argv = [sys.executable, "-c", code, str(folder), str(where), dies]
    done = subprocess.run(argv, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


EVERYWHERE = [(where, dies) for where in range(3) for dies in ("before do", "after do")]


@pytest.mark.parametrize(("where", "dies"), EVERYWHERE)
async def test_an_action_killed_at_any_step_is_found_and_put_back(tmp_path: Path, where: int, dies: str) -> None:
    run_and_kill(tmp_path, where, dies)
    journal = Journal(tmp_path / "state")
    (entry,) = journal.unfinished()
    assert journal.undoable() is None
    recovery = inspect(entry, backend=LIVE)
    done = where + (dies == "after do")
    assert [s.state for s in recovery.steps] == [StepState.APPLIED] * done + [StepState.PENDING] * (3 - done)
    assert words(tmp_path, "a", "b", "c") == ["new"] * done + ["old"] * (3 - done)
    assert (recovery.can_finish, recovery.can_put_back) == (True, True)
    expected = {0: "nothing was done, or all of it was put back", 3: "everything was done"}
    follow = f"{done} of 3 steps are done; next: write new into {'abc'[min(done, 2)]}"
    assert recovery.sentence == expected.get(done, follow)
    refused = await Runner(journal).run(action(note(tmp_path, "d")))
    assert refused.code is ExitCode.REFUSED
    assert f'an earlier action was interrupted: {entry.id} "write the notes"' in refused.detail
    outcome = await Runner(journal).run(put_back(entry, backend=LIVE))
    assert outcome.code is ExitCode.DONE
    assert words(tmp_path, "a", "b", "c") == ["old"] * 3
    assert results(journal) == ["put back", "done"]
    assert journal.unfinished() == ()


@pytest.mark.parametrize(("where", "dies"), EVERYWHERE)
async def test_an_action_killed_at_any_step_can_be_finished_and_undone(tmp_path: Path, where: int, dies: str) -> None:
    run_and_kill(tmp_path, where, dies)
    journal = Journal(tmp_path / "state")
    (entry,) = journal.unfinished()
    assert (await Runner(journal).run(finish(entry, backend=LIVE))).code is ExitCode.DONE
    assert words(tmp_path, "a", "b", "c") == ["new"] * 3
    assert results(journal) == ["done", "done"]
    whole = journal.undoable()
    assert whole is not None
    assert (whole.id, whole.detail) == (entry.id, f"finished by {journal.entries()[1].id}")
    assert (await Runner(journal).run(undo(whole, backend=LIVE))).code is ExitCode.DONE
    assert words(tmp_path, "a", "b", "c") == ["old"] * 3
    assert results(journal) == ["undone", "done", "done"]


async def test_an_action_that_cannot_be_finished_or_put_back_can_be_left(tmp_path: Path) -> None:
    run_and_kill(tmp_path, 1, "after do")
    (tmp_path / "a").write_text("somebody else's")
    journal = Journal(tmp_path / "state")
    (entry,) = journal.unfinished()
    recovery = inspect(entry, backend=LIVE)
    assert (recovery.can_finish, recovery.can_put_back) == (False, False)
    assert "write new into a: it was changed by something else since" in recovery.sentence
    for way, name in ((put_back(entry, backend=LIVE), "undone"), (finish(entry, backend=LIVE), "finished")):
        refused = await Runner(journal).run(way, force=True)
        assert refused.code is ExitCode.REFUSED
        assert (
            f"{entry.id} cannot be {name}: write new into a: it was changed by something else since" in refused.detail
        )
    assert (await Runner(journal).run(leave(entry, backend=LIVE))).code is ExitCode.DONE
    assert words(tmp_path, "a", "b", "c") == ["somebody else's", "new", "old"]
    assert results(journal) == ["left", "done"]
    assert journal.unfinished() == ()


async def test_a_killed_recovery_can_be_recovered(tmp_path: Path) -> None:
    run_and_kill(tmp_path, 2, "after do")
    journal = Journal(tmp_path / "state")
    (first,) = journal.unfinished()
    repair = put_back(first, backend=LIVE)
    run_and_kill(tmp_path, code=REPAIR)
    assert words(tmp_path, "a", "b", "c") == ["new", "old", "old"]
    oldest, second = journal.unfinished()
    assert oldest.id == first.id
    assert (second.undoes, second.resolution) == (first.id, "put back")
    blocked = await Runner(journal).run(repair)
    assert blocked.code is ExitCode.REFUSED
    assert second.id in blocked.detail
    assert (await Runner(journal).run(finish(second, backend=LIVE))).code is ExitCode.DONE
    assert words(tmp_path, "a", "b", "c") == ["old"] * 3
    assert results(journal) == ["put back", "done", "done"]


# --- undo


async def run_one(runner: Runner, todo: Action) -> str:
    outcome = await runner.run(todo)
    assert outcome.code is ExitCode.DONE
    return outcome.id


async def test_undo_is_refused_when_the_node_changed_since(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    identity = await run_one(runner, action(note(tmp_path, "a"), note(tmp_path, "b")))
    (tmp_path / "b").write_text("somebody else's")
    entry = journal.entry(identity)
    assert entry is not None
    refused = await runner.run(undo(entry, backend=LIVE), force=True)
    assert refused.code is ExitCode.REFUSED
    assert "write new into b: it was changed by something else since" in refused.detail
    assert "write new into a" not in refused.detail
    assert words(tmp_path, "a", "b") == ["new", "somebody else's"]


async def test_undo_of_a_change_that_was_reverted_writes_nothing(
    tmp_path: Path, runner: Runner, journal: Journal
) -> None:
    identity = await run_one(runner, action(note(tmp_path, "a")))
    (tmp_path / "a").write_text("old")
    entry = journal.entry(identity)
    assert entry is not None
    assert undo(entry, backend=LIVE).steps == ()
    await run_one(runner, undo(entry, backend=LIVE))
    assert results(journal) == ["undone", "done"]


async def test_undo_twice_and_undo_of_an_undo_are_refused(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    await run_one(runner, action(note(tmp_path, "a")))
    entry = journal.undoable()
    assert entry is not None
    await run_one(runner, undo(entry, backend=LIVE))
    undone, undoing = journal.entries()
    assert "was already undone" in (undo(undone, backend=LIVE).plan.refusal(force=True) or "")
    assert f"{undoing.id} undid, finished or closed {undone.id}" in (
        undo(undoing, backend=LIVE).plan.refusal(force=True) or ""
    )
    assert "has ended: done" in (finish(undoing, backend=LIVE).plan.refusal(force=True) or "")


@pytest.mark.parametrize("where", [1, 2, 3, 4])
async def test_steps_on_the_same_object_are_inspected_together(
    tmp_path: Path, runner: Runner, journal: Journal, where: int
) -> None:
    """A slow drain lowers one weight in steps; after the third step, the weight has neither value of the first step."""
    values = ["100", "75", "50", "25", "0"]
    steps = [note(tmp_path, "weight", b, a) for a, b in pairwise(values)]
    await run_one(runner, action(*steps))
    (entry,) = journal.entries()
    (tmp_path / "weight").write_text(values[where])
    recovery = inspect(entry, backend=LIVE)
    assert [s.state for s in recovery.steps] == [StepState.APPLIED] * where + [StepState.PENDING] * (4 - where)
    await run_one(runner, undo(entry, backend=LIVE))
    assert words(tmp_path, "weight") == ["100"]


async def test_a_step_of_another_version_is_named(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    await run_one(runner, action(note(tmp_path, "a")))
    journal.file.write_text(journal.file.read_text().replace('"kind":"note"', '"kind":"spell"'))
    recovery = inspect(journal.entries()[0], backend=LIVE)
    assert "does not know steps of kind 'spell'" in recovery.sentence
    assert not recovery.can_put_back


async def test_a_step_that_cannot_read_its_state_fails_with_the_reason(
    tmp_path: Path, runner: Runner, journal: Journal
) -> None:
    outcome = await runner.run(action(note(tmp_path, "a", fails="state")))
    assert (outcome.code, outcome.detail) == (ExitCode.FAILED, "failed: a cannot be read; nothing had been changed")
    assert results(journal) == ["put back"]


# --- signals


@pytest.fixture
def default_signals() -> Iterator[None]:
    """Restores the default handlers, because a shell starts background processes with ignored signals."""
    defaults: dict[signal.Signals, Callable[[int, FrameType | None], Any] | signal.Handlers] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_and_puts_back(tmp_path: Path, number: signal.Signals) -> None:
    todo = hanging(note(tmp_path, "a"), at=asyncio.Event())

    def progress(text: str) -> None:
        if text.startswith("write"):
            os.kill(os.getpid(), number)

    outcome = asyncio.run(guarded(Runner(Journal(tmp_path / "state"), progress=progress), todo))
    assert outcome.code is ExitCode.INTERRUPTED
    assert words(tmp_path, "a") == ["old"]
