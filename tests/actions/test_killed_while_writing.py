"""Killed in the middle of a change of the config: what is left beside the file, and what runs where none can see."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from kvtui.actions import recovery
from kvtui.actions.journal import Entry, Journal
from kvtui.actions.runner import Code, Runner
from kvtui.actions.step import Side
from kvtui.actions.steps import hangup
from kvtui.actions.steps.daemon import Daemon
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.hangup import HangUp, When
from kvtui.actions.steps.reversed import Reversed
from kvtui.actions.steps.track_value import SetTrackValue
from tests.actions.surveys import CONF
from tests.build import NOW, keepalived

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kvtui.actions.runner import Action
    from kvtui.actions.step import Step

HERE = Daemon(820, 1, "/c", 1, 1)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A keepalived of before 2.2.0 that shares our files: what it runs cannot be read. A word for each signal."""
    words: list[str] = []

    def reload(self: HangUp) -> None:
        words.append(self.when.value)

    monkeypatch.setattr(Daemon, "outside", lambda _self, path: path)
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr(HangUp, "_reload", reload)
    monkeypatch.setattr(hangup, "read_running", lambda _pid, **_k: None)
    return words


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "keepalived.conf"
    path.parent.mkdir()
    path.write_text(CONF)
    return path


def steps(file: Path) -> tuple[HangUp, ReplaceFile, HangUp]:
    write = ReplaceFile.plan(HERE, str(file), file.read_text(), "vips", (100, 42))
    return HangUp(HERE, When.UNDO), write, HangUp(HERE, When.DO)


def begun(journal: Journal, made: Sequence[Step], done: int = 0) -> Entry:
    """The journal of an action that was killed after so many steps."""
    data = tuple({"kind": s.kind, **s.to_json()} for s in made)
    entry = Entry("0101-000000-aa", NOW, "priority", "vips", {"user": "anna"}, "", "priority of vips", data)
    with journal.locked("priority of vips"):
        journal.begin(entry)
        for index in range(done):
            journal.step_done(entry.id, index)
    (found,) = journal.unfinished()
    return found


@pytest.mark.parametrize(
    ("journaled", "world", "sides", "to_finish", "to_put_back"),
    [
        (0, 0, "bbb", ["do"], []),  # before anything
        (1, 1, "abb", ["do"], ["undo"]),  # a reload too many on the way back does no harm
        (1, 2, "aab", ["do"], ["undo"]),  # the file is written
        (2, 3, "aab", ["do"], ["undo"]),  # the signal was sent, and is not in the journal: once more
        (3, 3, "aaa", [], ["undo"]),
    ],
)
def test_where_what_runs_cannot_be_read_the_journal_counts(
    tmp_path: Path,
    file: Path,
    sent: list[str],
    journaled: int,
    world: int,
    sides: str,
    to_finish: list[str],
    to_put_back: list[str],
) -> None:
    marker, write, reload = steps(file)
    changed = CONF.replace("priority 100", "priority 42")
    for way, text, signals in ((recovery.put_back, CONF, to_put_back), (recovery.finish, changed, to_finish)):
        if world > 1:
            write.do()
        journal = Journal(tmp_path / way.__name__)
        entry = begun(journal, (marker, write, reload), journaled)
        assert [f.side for f in recovery.inspect(entry).steps] == [
            Side.AFTER if side == "a" else Side.BEFORE for side in sides
        ]
        sent.clear()
        outcome = asyncio.run(Runner(journal).run(way(entry)))
        assert outcome.code is Code.DONE, outcome.detail
        assert (file.read_text(), sent) == (text, signals)
        assert journal.unfinished() == ()
    file.write_text(CONF)


def killed_before_the_rename(step: Step) -> None:
    """The step, in a process that is killed when its draft is whole and the file is the old one."""
    child = os.fork()
    if child == 0:
        os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)  # noqa: ARG005 - as it is called
        try:
            step.do()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("way", [recovery.put_back, recovery.finish, recovery.leave])
def test_a_draft_is_reported_and_removed(tmp_path: Path, file: Path, way: Callable[[Entry], Action]) -> None:
    made = steps(file)
    journal = Journal(tmp_path / "journal")
    entry = begun(journal, made, 1)
    killed_before_the_rename(made[1])
    (draft,) = (p for p in file.parent.iterdir() if p != file)
    assert draft.name.startswith(".keepalived.conf.kvtui-")
    found = recovery.inspect(entry)
    assert found.sentence == (
        "1 of 3 steps are done; next would come: "
        f"write {file} with priority 42 instead of 100 for vips; and {file} has a draft beside it, of a write that was "
        "cut short"
    )
    outcome = asyncio.run(Runner(journal).run(way(entry)))
    assert outcome.code is Code.DONE, outcome.detail
    assert list(file.parent.iterdir()) == [file]


def test_a_draft_of_a_track_file_too_also_when_an_undo_was_killed(tmp_path: Path) -> None:
    knob = tmp_path / "etc" / "knob"
    knob.parent.mkdir()
    step = SetTrackValue(HERE, str(knob), 0, 7, existed=False)
    killed_before_the_rename(step)
    assert [p.name.startswith(".knob.kvtui-") for p in knob.parent.iterdir()] == [True]  # and no empty knob
    journal = Journal(tmp_path / "journal")
    entry = begun(journal, (Reversed(step),))
    assert recovery.inspect(entry).sentence.startswith("everything was done; and ")
    asyncio.run(Runner(journal).run(recovery.leave(entry)))
    assert list(knob.parent.iterdir()) == []
