"""The journal survives torn lines, full disks, two operators and kill -9."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.journal import Entry, Journal, JournalError, JournalLockedError, new_id, operator
from kvtui.actions.core.state_folder import folder, host_root, state_note

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from kvtui.actions.core.journal import Journal
with Journal(Path(sys.argv[1])).locked("drain 10.2.68.5:80"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "state")
    with made.locked("setup"):
        pass
    return made


@pytest.fixture
def holder(journal: Journal) -> Iterator[subprocess.Popen[str]]:
    """Another kvtui process that holds the lock."""
    env = {**os.environ, "SUDO_USER": "anna", "SSH_CLIENT": "192.0.2.7 4711 22"}
    argv = [sys.executable, "-c", HOLD, str(journal.folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, env=env, cwd=PROJECT) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def entry(identity: str = "1124-120000-ab", **changes: object) -> Entry:
    base = {
        "id": identity,
        "at": 1.5,
        "verb": "drain",
        "target": "10.2.68.5:80",
        "who": {"user": "anna"},
        "reason": "disk",
        "summary": "drain it",
        "steps": ({"kind": "note"},),
        "process": (1, 2),
    }
    return Entry(**{**base, **changes})  # type: ignore[arg-type] # fields by name


def test_an_action_is_read_as_it_was_written(journal: Journal) -> None:
    journal.begin(entry())
    journal.step_done("1124-120000-ab", 0)
    assert journal.entries() == (entry(done=(0,)),)
    journal.end("1124-120000-ab", "done", "seen", {"weight": 0})
    assert journal.entries() == (entry(done=(0,), result="done", detail="seen", facts={"weight": 0}),)
    assert journal.entry("1124-120000-ab") == journal.entries()[0]
    assert journal.entry("nobody") is None


def test_each_event_is_one_json_line_for_owner_and_group(journal: Journal) -> None:
    journal.begin(entry(reason="two\nlines \u2028 and \x1b[31m"))
    journal.end("1124-120000-ab", "done", "")
    lines = journal.file.read_bytes().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["begin", "end"]
    assert lines[0].isascii()
    assert stat.S_IMODE(journal.file.stat().st_mode) & 0o007 == 0
    assert journal.entries()[0].reason == "two\nlines \u2028 and \x1b[31m"


def test_a_torn_last_line_loses_only_that_line(journal: Journal) -> None:
    journal.begin(entry("a"))
    journal.begin(entry("b"))
    whole = journal.file.read_bytes()
    journal.file.write_bytes(whole[:-25])  # power was lost
    assert [e.id for e in journal.entries()] == ["a"]
    journal.begin(entry("c"))
    assert [e.id for e in journal.entries()] == ["a", "c"]


@pytest.mark.parametrize(
    "noise", [b"null", b"[]", b"{}", b'{"event":"end","id":"nobody"}', b"\xff\x00", b'{"id":"x","event":"begin"}', b""]
)
def test_an_invalid_line_of_the_journal_is_skipped(journal: Journal, noise: bytes) -> None:
    journal.begin(entry("a"))
    journal.file.write_bytes(noise + b"\n" + journal.file.read_bytes() + noise + b"\n")
    assert journal.entries() == (entry("a"),)


def test_no_journal_yet(tmp_path: Path) -> None:
    fresh = Journal(tmp_path / "nowhere")
    assert fresh.entries() == ()
    assert fresh.unfinished() == ()
    assert fresh.undoable() is None
    assert not fresh.busy()
    assert not fresh.folder.exists()


def test_the_error_of_a_locked_journal_names_the_first_operator(
    journal: Journal, holder: subprocess.Popen[str]
) -> None:
    words = r'anna.*192\.0\.2\.7.*is running "drain 10\.2\.68\.5:80" on this node since .* UTC'
    with pytest.raises(JournalLockedError, match=words), journal.locked("mine"):
        pass
    assert journal.busy()
    holder.kill()
    holder.wait()
    assert not journal.busy()
    with journal.locked("mine"):
        assert journal.busy()


def test_two_journals_of_one_process_lock_each_other_out(journal: Journal) -> None:
    second = Journal(journal.folder).locked("second")
    with journal.locked("first"), pytest.raises(JournalLockedError, match='is running "first"'), second:
        pass


def test_an_action_that_another_process_runs_is_not_unfinished(journal: Journal, holder: subprocess.Popen[str]) -> None:
    journal.begin(entry("cut short"))
    journal.begin(entry("being done"))
    assert [e.id for e in journal.unfinished()] == ["cut short"]
    holder.kill()
    holder.wait()
    assert [e.id for e in journal.unfinished()] == ["cut short", "being done"]


def test_the_holder_of_the_lock_sees_unfinished_actions(journal: Journal) -> None:
    journal.begin(entry("cut short"))
    with journal.locked("now"):
        assert [e.id for e in journal.unfinished()] == ["cut short"]


def test_an_action_of_this_process_is_not_unfinished(journal: Journal) -> None:
    """Otherwise a slow start of the terminal UI would offer to recover the action that has just begun."""
    with journal.locked("drain"):
        journal.begin(entry("being done"))
        assert journal.unfinished() == ()
    assert [e.id for e in journal.unfinished()] == ["being done"]


def test_undo_takes_the_newest_action_in_force(journal: Journal) -> None:
    for identity, result in (("a", "done"), ("b", "unverified"), ("c", "put back"), ("d", "failed")):
        journal.begin(entry(identity))
        journal.end(identity, result, "")
    journal.begin(entry("e", steps=()))  # changed nothing
    journal.end("e", "done", "")
    journal.begin(entry("f", undoes="x"))
    journal.end("f", "done", "")
    newest = journal.undoable()
    assert newest is not None
    assert newest.id == "b"
    journal.begin(entry("g", undoes="b"))
    journal.end("g", "done", "", closes=[("b", "undone")])
    assert [(e.id, e.result, e.detail) for e in journal.entries() if e.id == "b"] == [("b", "undone", "undone by g")]
    newest = journal.undoable()
    assert newest is not None
    assert newest.id == "a"


def test_the_error_of_an_unwritable_folder_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = Journal(tmp_path / "file" / "state")
    words = "so nothing is done: run kvtui as root, or set KVTUI_STATE_DIR"
    with pytest.raises(JournalError, match=words), blocked.locked("anything"):
        pass


def test_a_full_disk_is_an_error_and_the_next_line_is_complete(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, data: write(fd, data[:10]))
        with pytest.raises(JournalError, match="No space left on device"):
            journal.begin(entry("a"))
    journal.begin(entry("b"))
    assert [e.id for e in journal.entries()] == ["b"]


def test_the_operator_is_read_from_the_environment() -> None:
    assert operator({"SUDO_USER": "anna", "USER": "root", "SSH_CLIENT": "192.0.2.7 1 2"})["user"] == "anna"
    assert operator({"USER": "root", "SSH_CONNECTION": "192.0.2.7 1 192.0.2.1 2"})["ssh_client"] == "192.0.2.7"
    assert operator({"POD_NAME": "kvtui-x"})["pod"] == "kvtui-x"
    assert operator({})["host"] == os.uname().nodename


def test_the_operator_is_the_user_id_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert operator({})["user"] == "root"
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_001)  # not in passwd
    assert operator({})["user"] == "uid 4000000001"


def test_ids_sort_by_time() -> None:
    ids = [new_id(1_795_526_500.0 + n) for n in range(5)]
    assert ids == sorted(ids)
    assert ids[0].startswith("1124-")


def test_ids_are_unique() -> None:
    taken = {f"0101-000000-{number:02x}" for number in range(256)}
    last = "0101-000000-5a"
    assert new_id(0.0, taken - {last}) == last


# --- the state folder


def test_the_state_folder_is_kvtui_state_dir_or_the_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KVTUI_STATE_DIR", str(tmp_path))
    assert folder() == tmp_path
    monkeypatch.delenv("KVTUI_STATE_DIR")
    assert folder(fake_proc(tmp_path, "pid:[4026532000]")) == Path("/var/lib/kvtui")


def fake_proc(path: Path, pid_namespace: str, *, other_root: bool = True) -> Path:
    proc, host, pod = path / "proc", path / "host", path / "pod"
    for made in (proc / "self/ns", proc / "1", host, pod):
        made.mkdir(parents=True)
    (proc / "self/ns/pid").symlink_to(pid_namespace)
    (proc / "self/root").symlink_to(pod)
    (proc / "1/root").symlink_to(host if other_root else pod)
    return proc


def test_a_pod_that_shares_the_hosts_pids_uses_the_hosts_folder(tmp_path: Path) -> None:
    proc = fake_proc(tmp_path, "pid:[4026531836]")
    assert host_root(proc) == str(proc / "1/root")


def test_the_state_folder_on_the_host_has_no_prefix(tmp_path: Path) -> None:
    assert host_root(fake_proc(tmp_path, "pid:[4026531836]", other_root=False)) == ""


def test_pid_1_of_another_pid_namespace_is_not_the_host(tmp_path: Path) -> None:
    assert host_root(fake_proc(tmp_path, "pid:[4026532000]")) == ""


MOUNTS = """\
600 1 0:50 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a
601 600 8:1 /var/lib/kvtui /var/lib/kvtui rw - ext4 /dev/sda1 rw
602 600 0:51 / /run rw - tmpfs tmpfs rw
603 600 8:1 /x /with\\040space rw - ext4 /dev/sda1 rw
damaged
"""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/var/lib/kvtui", None),
        ("/var/lib/kvtui/deeper", None),
        ("/with space/state", None),
        ("/var/lib/kvtui2", "is in the container's own file system and is gone with the pod: mount a hostPath there"),
        ("/run/kvtui", "is in memory (tmpfs) and is gone after a reboot"),
    ],
)
def test_a_journal_that_does_not_persist_is_reported(tmp_path: Path, path: str, words: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    reported = state_note(Path(path), mounts)
    assert reported is None if words is None else words in (reported or "")


def test_there_is_no_note_without_mountinfo(tmp_path: Path) -> None:
    assert state_note(tmp_path, tmp_path / "nothing") is None
