"""A kill at each moment of an action on all nodes: it ends on all nodes or on none, and the journals record it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.journal import Entry, Journal
from kvtui.actions.core.runner import Runner, Verification
from kvtui.backend.remote import hold as held_here
from kvtui.backend.remote.hold import Hold
from tests.actions.fakes import WriteNote, action
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTS = ("a", "b", "c")
PROGRAM = f"{sys.executable} -m tests.cluster.real_kvtui"
SECONDS = 300


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the hosts' words and journals; the config of kvtui names the hosts."""
    for host in HOSTS:
        (tmp_path / host).mkdir()
        (tmp_path / host / "word").write_text("old")
    config = tmp_path / "kvtui.toml"
    config.write_text(f'[cluster]\nhosts = ["a", "b", "c"]\nssh = "{PROGRAM} {tmp_path}"\n')
    monkeypatch.setenv("KVTUI_CONFIG", str(config))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


@pytest.fixture
def coordinator(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A running `kvtui drain --all-nodes`."""
    argv = [sys.executable, "-m", "kvtui", "--yes", "--reason", "update", "drain", "10.2.0.1", "--all-nodes"]
    with subprocess.Popen(argv, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def words(folder: Path) -> set[str]:
    return {(folder / host / "word").read_text() for host in HOSTS}


def entries(folder: Path) -> list[Entry]:
    return [e for host in HOSTS for e in Journal(folder / host / "state").entries() if not e.undoes]


def wait_at(folder: Path, moment: str) -> None:
    """Waits until the kvtui on b reaches the moment."""
    (folder / "b" / "moment").write_text(moment)
    poll((folder / "b" / "there").exists, SECONDS, f"b at {moment}")


def wait_for_the_end(folder: Path) -> None:
    poll(lambda: all(e.result for e in entries(folder)), SECONDS, "all journals say how it ended")
    poll(lambda: not any(Journal(folder / host / "state").busy() for host in HOSTS), SECONDS, "no kvtui acts any more")


@pytest.mark.parametrize(
    ("moment", "stopped"),
    [
        pytest.param("plan", False, marks=pytest.mark.long),
        pytest.param("step", False, marks=pytest.mark.long),
        pytest.param("applied", False, marks=pytest.mark.long),
        pytest.param("verify", False, marks=pytest.mark.long),
        ("verify", True),  # stopped, so that all nodes have acted when it is killed
    ],
)
def test_no_node_keeps_the_action_after_a_kill_before_the_commit(
    folder: Path, coordinator: subprocess.Popen[str], moment: str, stopped: bool
) -> None:
    wait_at(folder, moment)
    if stopped:
        coordinator.send_signal(signal.SIGSTOP)
        (folder / "go").touch()
        poll(lambda: words(folder) == {"new"}, SECONDS, "done on all nodes")
    coordinator.kill()
    coordinator.wait()
    (folder / "go").touch()
    poll(lambda: words(folder) == {"old"}, SECONDS, "put back on all nodes")
    wait_for_the_end(folder)
    if moment == "plan":
        assert entries(folder) == []
    for entry in entries(folder):
        assert entry.reason.startswith("[cluster-")
        assert entry.result == "put back"
        assert "the connection ended before its commit; everything was put back" in entry.detail


@pytest.mark.long
def test_all_nodes_keep_the_action_after_a_kill_after_the_commit(
    folder: Path, coordinator: subprocess.Popen[str]
) -> None:
    poll(lambda: any(e.result for e in entries(folder)), SECONDS, "the commit has arrived")
    coordinator.kill()
    coordinator.wait()
    wait_for_the_end(folder)
    assert words(folder) == {"new"}
    assert [e.result for e in entries(folder)] == ["done"] * 3


@pytest.mark.long
def test_no_node_keeps_the_action_after_a_kill_of_one_nodes_kvtui(
    folder: Path, coordinator: subprocess.Popen[str]
) -> None:
    (folder / "b" / "moment").write_text("dies")
    _out, errors = coordinator.communicate(timeout=SECONDS)
    assert coordinator.returncode == 1, errors
    assert "all that was done is put back" in errors
    assert words(folder) == {"old"}
    assert [e.result for e in entries(folder)] == ["put back"] * 3


def test_a_silent_coordinator_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_here, "SILENCE_TIMEOUT", 0.05)
    read, write = os.pipe()

    async def lost() -> str:
        hold, cancelled = Hold(lambda _text: None, read), asyncio.Event()
        hold.begin(cancelled.set)
        await asyncio.wait_for(cancelled.wait(), SECONDS)
        return hold.lost

    assert "was silent for 0.05 s before its commit" in asyncio.run(lost())
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("received", [b"", b"abort\n", b"go\nabort\n"])
def test_a_plan_does_not_start_when_the_coordinator_ends_before_its_go(received: bytes) -> None:
    read, write = os.pipe()
    os.write(write, received)
    os.close(write)
    shown: list[str] = []

    async def started() -> tuple[bool, str]:
        hold = Hold(shown.append, read)
        return await asyncio.wait_for(hold.started("{}\n"), SECONDS), hold.lost

    done, why = asyncio.run(started())
    assert (done, bool(why), shown) == (False, True, ["kvtui: planned {}\n"])
    os.close(read)


def test_the_loss_of_the_coordinator_during_verification_puts_the_action_back(tmp_path: Path) -> None:
    """`watch_outcome` ends when it is interrupted; other verifications may even report success."""
    (tmp_path / "word").write_text("old")
    read, write = os.pipe()

    async def verify(_say: object) -> Verification:
        os.close(write)
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.sleep(SECONDS)
        except asyncio.CancelledError:
            task.uncancel()
        return Verification(ok=True, detail="seen")

    made = replace(action(WriteNote(tmp_path / "word", "old", "new")), verify=verify)
    journal = Journal(tmp_path / "state")
    outcome = asyncio.run(Runner(journal, hold=Hold(lambda _text: None, read)).run(made))
    os.close(read)
    assert (outcome.code, (tmp_path / "word").read_text()) == (130, "old")
    (entry,) = journal.entries()
    assert (entry.result, entry.detail) == (
        "put back",
        "the kvtui that coordinates all nodes is gone: the connection ended before its commit; everything was put back",
    )
