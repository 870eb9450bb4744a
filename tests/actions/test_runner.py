"""The node is in the state before or after an action in every case, and the journal records which."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Journal, JournalError
from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.actions.core.runner import ExitCode, Outcome, Runner
from tests.actions.fakes import WriteNote, action, hanging, note, results, words

if TYPE_CHECKING:
    from collections.abc import Callable


PROJECT = Path(__file__).parents[2]


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_an_action_is_done_verified_and_journaled(tmp_path: Path, journal: Journal) -> None:
    reported: list[str] = []
    todo = action(note(tmp_path, "a"), note(tmp_path, "b"))
    outcome = await Runner(journal, progress=reported.append).run(todo, reason="disk")
    (entry,) = journal.entries()
    assert outcome == Outcome(ExitCode.DONE, "as seen", entry.id, {"saw": 1})
    assert words(tmp_path, "a", "b") == ["new", "new"]
    assert reported == ["write new into a", "write new into b", "looking"]
    assert (entry.result, entry.done, entry.reason, entry.facts) == ("done", (0, 1), "disk", {"saw": 1})
    assert entry.steps[0] == {"kind": "note", "path": str(tmp_path / "a"), "before": "old", "after": "new"}
    assert entry.process[0] == os.getpid()


async def test_an_applied_step_is_not_done_again(tmp_path: Path, runner: Runner) -> None:
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


async def test_a_change_of_the_node_since_the_plan_stops_the_action(tmp_path: Path, runner: Runner) -> None:
    steps = (note(tmp_path, "a"), note(tmp_path, "b"))
    (tmp_path / "b").write_text("somebody else's")
    outcome = await runner.run(action(*steps))
    assert outcome.code is ExitCode.FAILED
    assert "the node changed since the plan was made: write new into b: check it and try again" in outcome.detail
    assert words(tmp_path, "a", "b") == ["old", "somebody else's"]


async def test_a_failed_verification_puts_the_steps_back(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), ok=False))
    assert (outcome.code, outcome.detail) == (ExitCode.FAILED, "failed: as seen; everything was put back")
    assert words(tmp_path, "a") == ["old"]
    assert results(journal) == ["put back"]


async def test_an_action_that_is_not_verified_in_time_stays(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), ok=None))
    assert (outcome.code, outcome.detail) == (ExitCode.UNVERIFIED, "as seen")
    assert words(tmp_path, "a") == ["new"]
    assert results(journal) == ["unverified"]


async def test_a_step_that_cannot_be_put_back_is_reported(tmp_path: Path, runner: Runner, journal: Journal) -> None:
    outcome = await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b", fails="undo"), ok=False))
    assert outcome.detail == "failed: as seen; NOT put back: b cannot be put back"
    assert words(tmp_path, "a", "b") == ["old", "new"]
    assert results(journal) == ["failed"]


async def test_undo_leaves_what_something_else_changed(tmp_path: Path, runner: Runner) -> None:
    class Meddler(WriteNote):
        def do(self) -> None:
            (tmp_path / "a").write_text("somebody else's")
            super().do()

    (tmp_path / "b").write_text("old")
    outcome = await runner.run(action(note(tmp_path, "a"), Meddler(tmp_path / "b", "old", "new"), ok=False))
    assert "NOT put back: write new into a: something else changed it since; kvtui did not restore it" in outcome.detail
    assert words(tmp_path, "a", "b") == ["somebody else's", "old"]


async def test_a_crash_of_kvtui_puts_the_steps_back_and_is_raised(
    tmp_path: Path, runner: Runner, journal: Journal
) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        await runner.run(action(note(tmp_path, "a"), note(tmp_path, "b", fails="bug")))
    assert words(tmp_path, "a", "b") == ["old", "old"]
    assert results(journal) == ["put back"]


@pytest.mark.parametrize("event", ["begin", "step_done", "end"])
async def test_a_journal_that_fails_during_the_action(
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
    assert "journal.jsonl cannot be read: journal.jsonl is not a regular file" in outcome.detail
    assert words(tmp_path, "a") == ["old"]


@pytest.mark.parametrize("ended", [0, 1, 2])
async def test_an_action_cancelled_after_any_step_is_put_back(
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


async def test_an_action_cancelled_during_verification_is_put_back(tmp_path: Path, runner: Runner) -> None:
    begun = asyncio.Event()
    task = asyncio.ensure_future(runner.run(hanging(note(tmp_path, "a"), at=begun)))
    await begun.wait()
    assert words(tmp_path, "a") == ["new"]
    task.cancel()
    assert (await task).code is ExitCode.INTERRUPTED
    assert words(tmp_path, "a") == ["old"]


async def test_repeated_ctrl_c_does_not_stop_the_undo(tmp_path: Path, journal: Journal) -> None:
    release, begun = tmp_path / "fifo", asyncio.Event()
    os.mkfifo(release)

    class Slow(WriteNote):
        def undo(self) -> None:
            release.read_text()  # until the test writes
            super().undo()

    (tmp_path / "b").write_text("old")
    todo = hanging(note(tmp_path, "a"), Slow(tmp_path / "b", "old", "new"), note(tmp_path, "c"), at=begun)
    reported: list[str] = []
    task = asyncio.ensure_future(Runner(journal, progress=reported.append).run(todo))
    await begun.wait()
    async with asyncio.timeout(60):
        while "putting back: restore old in b" not in reported:
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


async def test_a_closed_terminal_does_not_stop_the_action(tmp_path: Path, journal: Journal) -> None:
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
