"""Whatever happens to an action, the world is as after it or as before it, and the journal says which."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal, JournalError
from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.actions.core.recovery import finish, inspect, leave, put_back, undo
from kvtui.actions.core.runner import ExitCode, Outcome, Runner, run_to_end
from kvtui.actions.core.step import StepState
from kvtui.actions.live import LIVE
from tests.actions.fakes import WriteNote, action, hanging, note, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.runner import Action

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "state")


@pytest.fixture
def runner(journal: Journal) -> Runner:
    return Runner(journal)


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def results(journal: Journal) -> list[str | None]:
    return [e.result for e in journal.entries()]


async def test_it_is_done_seen_and_written_down(tmp_path: Path, journal: Journal) -> None:
    said: list[str] = []
    todo = action(note(tmp_path, "a"), note(tmp_path, "b"))
    outcome = await Runner(journal, progress=said.append).run(todo, reason="disk")
    (entry,) = journal.entries()
    assert outcome == Outcome(ExitCode.DONE, "as seen", entry.id, {"saw": 1})
    assert words(tmp_path, "a", "b") == ["new", "new"]
    assert said == ["write new into a", "write new into b", "looking"]
    assert (entry.result, entry.done, entry.reason, entry.facts) == ("done", (0, 1), "disk", {"saw": 1})
    assert entry.steps[0] == {"kind": "note", "path": str(tmp_path / "a"), "before": "old", "after": "new"}
    assert entry.process[0] == os.getpid()


async def test_what_is_done_already_is_not_done_again(tmp_path: Path, runner: Runner) -> None:
    (tmp_path / "a").write_text("new")
    outcome = await runner.run(action(note(tmp_path, "a", fails="do"), note(tmp_path, "b")))
    assert outcome.code is ExitCode.DONE


async def test_read_only_touches_nothing(tmp_path: Path, journal: Journal) -> None:
    outcome = await Runner(journal, read_only=True).run(action(note(tmp_path, "a")))
    assert outcome.code is ExitCode.REFUSED
    assert words(tmp_path, "a") == ["old"]
    assert not journal.folder.exists()


@pytest.mark.parametrize(
    ("severity", "force", "code"),
    [
        (NoteSeverity.WARNING, False, ExitCode.DONE),
        (NoteSeverity.UNSAFE, False, ExitCode.REFUSED),
        (NoteSeverity.UNSAFE, True, ExitCode.DONE),
        (NoteSeverity.IMPOSSIBLE, True, ExitCode.REFUSED),
    ],
)
async def test_refusals(
    tmp_path: Path, runner: Runner, journal: Journal, severity: NoteSeverity, force: bool, code: ExitCode
) -> None:
    todo = action(note(tmp_path, "a"), notes=(Note(severity, "the last one"),))
    outcome = await runner.run(todo, force=force)
    assert outcome.code is code
    if code is ExitCode.REFUSED:
        assert "the last one" in outcome.detail
        assert words(tmp_path, "a") == ["old"]
        assert not journal.folder.exists()


async def test_a_step_that_fails_puts_the_others_back(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b"), note(tmp_path, "c", fails="do")))
    assert (outcome.code, outcome.detail) == (ExitCode.FAILED, "failed: c cannot be written; everything was put back")
    assert words(tmp_path, "a", "b", "c") == ["old"] * 3
    assert results(journal) == ["put back"]


async def test_a_world_that_changed_since_the_plan_stops_it(tmp_path: Path, runner: Runner) -> None:
    steps = (note(tmp_path, "a"), note(tmp_path, "b"))
    (tmp_path / "b").write_text("somebody else's")
    outcome = await runner.run(action(*steps))
    assert outcome.code is ExitCode.FAILED
    assert "the node changed since the plan was made: write new into b: check it and try again" in outcome.detail
    assert words(tmp_path, "a", "b") == ["old", "somebody else's"]


async def test_what_is_seen_to_be_wrong_is_put_back(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), ok=False))
    assert (outcome.code, outcome.detail) == (ExitCode.FAILED, "failed: as seen; everything was put back")
    assert words(tmp_path, "a") == ["old"]
    assert results(journal) == ["put back"]


async def test_what_is_not_seen_in_time_stays(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), ok=None))
    assert (outcome.code, outcome.detail) == (ExitCode.UNVERIFIED, "as seen")
    assert words(tmp_path, "a") == ["new"]
    assert results(journal) == ["unverified"]


async def test_what_cannot_be_put_back_is_said(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b", fails="undo"), ok=False))
    assert outcome.detail == "failed: as seen; NOT put back: b cannot be put back"
    assert words(tmp_path, "a", "b") == ["old", "new"]
    assert results(journal) == ["failed"]


async def test_what_somebody_else_changed_meanwhile_is_left_alone(tmp_path: Path, runner: Runner) -> None:
    class Meddler(WriteNote):
        def do(self) -> None:
            (tmp_path / "a").write_text("somebody else's")
            super().do()

    (tmp_path / "b").write_text("old")
    outcome = await runner.run(action(note(tmp_path, "a"), Meddler(tmp_path / "b", "old", "new"), ok=False))
    assert "NOT put back: write new into a: changed by something else since, left alone" in outcome.detail
    assert words(tmp_path, "a", "b") == ["somebody else's", "old"]


async def test_a_fault_of_kvtui_puts_back_and_is_not_hidden(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b", fails="bug")))
    assert words(tmp_path, "a", "b") == ["old", "old"]
    assert results(journal) == ["put back"]


@pytest.mark.parametrize("event", ["begin", "step_done", "end"])
async def test_a_journal_that_fails_half_way(
    tmp_path: Path, runner: Runner, journal: Journal, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise JournalError("the disk is full")

    monkeypatch.setattr(journal, event, fail)
    outcome = await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b")))
    assert "the disk is full" in outcome.detail
    if event == "begin":
        assert outcome.code is ExitCode.REFUSED
    elif event == "step_done":
        assert outcome.code is ExitCode.FAILED
    assert words(tmp_path, "a", "b") == (["new", "new"] if event == "end" else ["old", "old"])


async def test_a_journal_that_cannot_be_read(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    journal.file.mkdir(parents=True)
    outcome = await runner.run(action(note(tmp_path, "a")))
    assert outcome.code is ExitCode.REFUSED
    assert "journal.jsonl cannot be read: Is a directory" in outcome.detail
    assert words(tmp_path, "a") == ["old"]


@pytest.mark.parametrize("ended", [0, 1, 2])
async def test_cancelled_after_any_step_it_is_put_back(
    tmp_path: Path, runner: Runner, journal: Journal, ended: int
) -> None:
    names = ["a", "b", "c"]
    pauses = tuple(60.0 if number == ended else 0.0 for number in range(3))
    task = asyncio.ensure_future(runner.run(action(*(note(tmp_path, n) for n in names), pauses=pauses)))
    await until(lambda: words(tmp_path, *names) == ["new"] * (ended + 1) + ["old"] * (2 - ended))
    task.cancel()
    outcome = await task
    assert (outcome.code, outcome.detail) == (ExitCode.INTERRUPTED, "interrupted; everything was put back")
    assert words(tmp_path, *names) == ["old"] * 3
    assert results(journal) == ["put back"]


async def test_cancelled_while_it_is_verified_it_is_put_back(tmp_path: Path, runner: Runner) -> None:
    begun = asyncio.Event()
    task = asyncio.ensure_future(runner.run(hanging(note(tmp_path, "a"), at=begun)))
    await begun.wait()
    assert words(tmp_path, "a") == ["new"]
    task.cancel()
    assert (await task).code is ExitCode.INTERRUPTED
    assert words(tmp_path, "a") == ["old"]


async def test_ctrl_c_again_and_again_does_not_stop_the_putting_back(tmp_path: Path, journal: Journal) -> None:
    release, begun = tmp_path / "fifo", asyncio.Event()
    os.mkfifo(release)

    class Slow(WriteNote):
        def undo(self) -> None:
            release.read_text()  # until somebody writes
            super().undo()

    (tmp_path / "b").write_text("old")
    todo = hanging(note(tmp_path, "a"), Slow(tmp_path / "b", "old", "new"), note(tmp_path, "c"), at=begun)
    said: list[str] = []
    task = asyncio.ensure_future(Runner(journal, progress=said.append).run(todo))
    await begun.wait()
    async with asyncio.timeout(10):
        while "putting back: restore old in b" not in said:
            task.cancel()
            await asyncio.sleep(0.01)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
    release.write_text("go")
    outcome = await task
    assert (outcome.code, outcome.detail) == (ExitCode.INTERRUPTED, "interrupted; everything was put back")
    assert words(tmp_path, "a", "b", "c") == ["old"] * 3
    assert results(journal) == ["put back"]


async def test_a_terminal_that_went_away_does_not_stop_it(tmp_path: Path, journal: Journal) -> None:
    def gone(_text: str) -> None:
        raise OSError(5, "Input/output error")

    outcome = await Runner(journal, progress=gone).run(action(note(tmp_path, "a")))
    assert outcome.code is ExitCode.DONE
    assert words(tmp_path, "a") == ["new"]


async def test_two_operators_at_once(tmp_path: Path, journal: Journal) -> None:
    begun = asyncio.Event()
    first = asyncio.ensure_future(Runner(journal).run(hanging(note(tmp_path, "a"), at=begun)))
    await begun.wait()
    second = await Runner(Journal(journal.folder)).run(action(note(tmp_path, "b")))
    assert second.code is ExitCode.REFUSED
    assert 'is running "write the notes" on this node since' in second.detail
    assert words(tmp_path, "b") == ["old"]
    first.cancel()
    await first


# --- killed

RUN = """
import sys
import time
from itertools import pairwise
from pathlib import Path
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.runner import Runner, run_to_end
from tests.actions.fakes import action, note
folder, where, dies = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
steps = [note(folder, name, dies=dies if number == where else "") for number, name in enumerate("abc")]
run_to_end(Runner(Journal(folder / "state")), action(*steps))
"""


REPAIR = """
import os, signal, sys
from pathlib import Path
import tests.actions.fakes as fakes
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.recovery import put_back
from kvtui.actions.core.runner import Runner, run_to_end
from kvtui.actions.live import LIVE
undo = fakes.WriteNote.undo
def die(self):
    undo(self)
    if self.path.name == "b":
        os.kill(os.getpid(), signal.SIGKILL)
fakes.WriteNote.undo = die
journal = Journal(Path(sys.argv[1]) / "state")
run_to_end(Runner(journal), put_back(journal.unfinished()[0], LIVE))
"""


def killed(folder: Path, where: int = 0, dies: str = "", code: str = RUN) -> None:
    """Run an action of three steps in a process that dies at one of them."""
    argv = [sys.executable, "-c", code, str(folder), str(where), dies]
    done = subprocess.run(argv, cwd=PROJECT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


EVERYWHERE = [(where, dies) for where in range(3) for dies in ("before do", "after do")]


@pytest.mark.parametrize(("where", "dies"), EVERYWHERE)
async def test_killed_at_any_step_it_is_found_and_put_back(tmp_path: Path, where: int, dies: str) -> None:
    killed(tmp_path, where, dies)
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
async def test_killed_at_any_step_it_can_be_finished_and_undone(tmp_path: Path, where: int, dies: str) -> None:
    killed(tmp_path, where, dies)
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


async def test_where_neither_way_is_open_things_can_be_left(tmp_path: Path) -> None:
    killed(tmp_path, 1, "after do")
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


async def test_a_repair_that_is_killed_too_can_be_repaired(tmp_path: Path) -> None:
    killed(tmp_path, 2, "after do")
    journal = Journal(tmp_path / "state")
    (first,) = journal.unfinished()
    repair = put_back(first, backend=LIVE)
    killed(tmp_path, code=REPAIR)
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


async def test_undo_refuses_when_the_world_has_changed_since(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    identity = await run_one(runner, action(note(tmp_path, "a"), note(tmp_path, "b")))
    (tmp_path / "b").write_text("somebody else's")
    entry = journal.entry(identity)
    assert entry is not None
    refused = await runner.run(undo(entry, backend=LIVE), force=True)
    assert refused.code is ExitCode.REFUSED
    assert "write new into b: it was changed by something else since" in refused.detail
    assert "write new into a" not in refused.detail
    assert words(tmp_path, "a", "b") == ["new", "somebody else's"]


async def test_undo_of_what_somebody_put_back_writes_nothing(tmp_path: Path, runner: Runner, journal: Journal) -> None:
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
    assert f"{undoing.id} took care of {undone.id}" in (undo(undoing, backend=LIVE).plan.refusal(force=True) or "")
    assert "has ended: done" in (finish(undoing, backend=LIVE).plan.refusal(force=True) or "")


@pytest.mark.parametrize("where", [1, 2, 3, 4])
async def test_one_thing_in_many_steps_is_judged_as_a_whole(tmp_path: Path, runner: Runner, where: int) -> None:
    """A slow drain lowers one weight again and again; killed at the third step, the first finds neither side."""
    values = ["100", "75", "50", "25", "0"]
    steps = [note(tmp_path, "weight", b, a) for a, b in pairwise(values)]
    journal = runner._journal
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


async def test_a_step_that_cannot_look_says_why(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a", fails="state")))
    assert (outcome.code, outcome.detail) == (ExitCode.FAILED, "failed: a cannot be read; nothing had been changed")
    assert results(journal) == ["put back"]


# --- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_interrupts_and_puts_back(tmp_path: Path, number: signal.Signals) -> None:
    todo = hanging(note(tmp_path, "a"), at=asyncio.Event())

    def progress(text: str) -> None:
        if text.startswith("write"):
            os.kill(os.getpid(), number)

    outcome = run_to_end(Runner(Journal(tmp_path / "state"), progress=progress), todo)
    assert outcome.code is ExitCode.INTERRUPTED
    assert words(tmp_path, "a") == ["old"]
