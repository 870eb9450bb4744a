"""A kill while the config is written: temp files, and a running config that cannot be read."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core import recovery
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.journal import Entry, Journal
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.core.step import StepState
from kvtui.actions.core.step_kinds import Reversed
from kvtui.actions.live import LIVE
from kvtui.actions.steps import reload as reload_step
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep, When
from kvtui.actions.steps.track_value import SetTrackValue
from tests.actions.preflights import CONF
from tests.kit import NOW, keepalived

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.step import Step

HERE = Daemon(820, 1, "/c", 1, 1)


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The signals sent to a keepalived older than 2.2.0, whose running config cannot be read."""
    words: list[str] = []

    def reload(self: ReloadStep) -> None:
        words.append(self.when.value)

    monkeypatch.setattr(Daemon, "root", lambda _self: "")
    monkeypatch.setattr(Daemon, "why_not_its_file", lambda _self, _path: "")  # test_forged_journal.py
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived())
    monkeypatch.setattr(ReloadStep, "reload_once", reload)
    monkeypatch.setattr(reload_step, "running_conf", lambda _keepalived: None)
    return words


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "keepalived.conf"
    path.parent.mkdir()
    path.write_text(CONF)
    return path


def steps(file: Path) -> tuple[ReloadStep, ReplaceFile, ReloadStep]:
    write = ReplaceFile.plan(HERE, str(file), file.read_text(), "vips", (100, 42))
    return ReloadStep(HERE, When.UNDO), write, ReloadStep(HERE, When.DO)


def journal_entry(journal: Journal, made: Sequence[Step], done: int = 0) -> Entry:
    """Returns the journal entry of an action that was killed after ``done`` steps."""
    data = tuple({"kind": s.kind, **s.to_json()} for s in made)
    entry = Entry("0101-000000-aa", NOW, "priority", "vips", {"user": "anna"}, "", "priority of vips", data)
    with journal.locked("priority of vips"):
        journal.begin(entry)
        for index in range(done):
            journal.step_done(entry.id, index)
    (found,) = journal.unfinished()
    return found


@pytest.mark.parametrize(
    ("journaled", "carried_out", "states", "to_finish", "to_put_back"),
    [
        (0, 0, "bbb", ["do"], []),  # before the first step
        (1, 1, "abb", ["do"], ["undo"]),  # an additional reload at the undo is harmless
        (1, 2, "aab", ["do"], ["undo"]),  # the file is written
        (2, 3, "aab", ["do"], ["undo"]),  # the signal was sent but is not in the journal: it is sent again
        (3, 3, "aaa", [], ["undo"]),
    ],
)
def test_the_journal_decides_where_the_running_config_cannot_be_read(
    tmp_path: Path,
    file: Path,
    sent: list[str],
    journaled: int,
    carried_out: int,
    states: str,
    to_finish: list[str],
    to_put_back: list[str],
) -> None:
    marker, write, reload = steps(file)
    changed = CONF.replace("priority 100", "priority 42")
    for way, text, signals in ((recovery.put_back, CONF, to_put_back), (recovery.finish, changed, to_finish)):
        if carried_out > 1:
            write.do()
        journal = Journal(tmp_path / way.__name__)
        entry = journal_entry(journal, (marker, write, reload), journaled)
        assert [f.state for f in recovery.inspect(entry, backend=LIVE).steps] == [
            StepState.APPLIED if state == "a" else StepState.PENDING for state in states
        ]
        sent.clear()
        outcome = asyncio.run(Runner(journal).run(way(entry, LIVE)))
        assert outcome.code is ExitCode.DONE, outcome.detail
        assert (file.read_text(), sent) == (text, signals)
        assert journal.unfinished() == ()
    file.write_text(CONF)


def kill_before_the_rename(step: Step) -> None:
    """Does the step in a process that is killed when its temp file is complete, before the rename."""
    child = os.fork()
    if child == 0:
        os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGKILL)  # noqa: ARG005 - as it is called
        try:
            step.do()
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("way", [recovery.put_back, recovery.finish, recovery.leave])
def test_a_temp_file_is_reported_and_removed(
    tmp_path: Path, file: Path, way: Callable[[Entry, ActionBackend], Action]
) -> None:
    made = steps(file)
    journal = Journal(tmp_path / "journal")
    entry = journal_entry(journal, made, 1)
    kill_before_the_rename(made[1])
    (temp,) = (p for p in file.parent.iterdir() if p != file)
    assert temp.name.startswith(".keepalived.conf.kvtui-")
    found = recovery.inspect(entry, backend=LIVE)
    assert found.sentence == (
        "nothing was done, or all of it was put back; still to do: remove the temp file that an interrupted write left "
        f"beside {file}"
    )
    outcome = asyncio.run(Runner(journal).run(way(entry, LIVE)))
    assert outcome.code is ExitCode.DONE, outcome.detail
    assert list(file.parent.iterdir()) == [file]


def test_the_temp_file_of_a_killed_undo_of_a_track_file_is_removed(tmp_path: Path) -> None:
    control = tmp_path / "etc" / "offset"
    control.parent.mkdir()
    step = SetTrackValue(HERE, str(control), 0, 7, existed=False)
    kill_before_the_rename(step)
    assert [p.name.startswith(".offset.kvtui-") for p in control.parent.iterdir()] == [True]  # no empty "offset"
    journal = Journal(tmp_path / "journal")
    entry = journal_entry(journal, (Reversed(step),))
    assert recovery.inspect(entry, backend=LIVE).sentence.startswith(
        "everything was done; still to do: remove the temp file"
    )
    asyncio.run(Runner(journal).run(recovery.leave(entry, backend=LIVE)))
    assert list(control.parent.iterdir()) == []
