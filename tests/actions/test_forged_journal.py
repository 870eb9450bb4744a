"""A forged journal: kvtui skips invalid lines, and undo changes only keepalived's own files."""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import to_builtins

from kvtui.actions.core import journal as journal_module
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.journal import Journal, JournalError, passed_over_note
from kvtui.actions.core.recovery import finish, undo
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.live import LIVE
from tests.actions.preflights import CONF
from tests.kit import keepalived

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.runner import Action, Outcome

TRACKED = CONF + "track_file allowed {\n file %s\n}\n"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return Journal(folder)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A keepalived in the mount namespace of the test; its config names one track file."""
    conf = tmp_path / "keepalived.conf"
    conf.write_text(TRACKED % (tmp_path / "allowed"))
    monkeypatch.setattr(Daemon, "found", lambda _self: keepalived(conf=str(conf), root=""))
    monkeypatch.setattr(Daemon, "root", lambda _self: "")
    return Daemon(820, 1, str(conf), 1, 1)


def begin(**more: Any) -> str:
    entry = {"id": "f", "at": 1.0, "verb": "failover", "target": "x", "who": {}, "reason": "", "summary": "forged"}
    return json.dumps({"event": "begin", **entry, "steps": [], **more})


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "null",
        "7",
        '{"event": "begin"}',
        '{"event": "something", "id": "f"}',
        '{"event": "step", "id": "nobody", "index": 0}',
        "[" * 100_000,
        '{"a":' * 100_000,
        begin(steps="x"),
        begin(at="now"),
        begin(who=[1]),
        begin(reason="x" * (5 << 20)),
        '{"event": "begin", "id": 7}',
        "\x00\x1b[2J",
    ],
    ids=range(14),
)
def test_an_invalid_line_is_skipped_and_counted(journal: Journal, line: str) -> None:
    whole = begin(id="mine")
    journal.file.write_text(f"{line}\n{whole}\n{line}\n")
    assert [e.id for e in journal.entries()] == ["mine"]
    assert journal.passed_over == 2
    assert passed_over_note(journal).startswith(f"passed over 2 lines of {journal.file}")


def test_only_the_end_of_an_endless_journal_is_read(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "MAX_BYTES", 1000)
    with journal.file.open("w") as file:
        file.truncate(1 << 40)
        file.seek(0, os.SEEK_END)
        file.write(f"\n{begin(id='mine')}\n")
    assert [e.id for e in journal.entries()] == ["mine"]


@pytest.mark.parametrize("name", ["journal.jsonl", "lock"])
def test_links_and_fifos_are_not_opened(journal: Journal, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    place = journal.folder / name
    for make in (
        partial(place.symlink_to, theirs),
        partial(os.mkfifo, place),
        partial(os.link, theirs, place),
        place.mkdir,
    ):
        make()
        with pytest.raises(JournalError), journal.locked("x"):
            journal.step_done("x", 0)
        place.rmdir() if place.is_dir() else place.unlink()
    assert theirs.read_text() == "theirs"


def test_a_folder_that_others_can_write_or_redirect_is_refused(tmp_path: Path) -> None:
    loose, link, shared = tmp_path / "loose", tmp_path / "shared" / "link", tmp_path / "shared"
    loose.mkdir()
    loose.chmod(0o777)
    shared.mkdir()
    shared.chmod(0o777)
    (tmp_path / "mine").mkdir(mode=0o700)
    link.symlink_to(tmp_path / "mine")
    for folder, why in (
        (loose, "others may write in .*chmod 700"),
        (link, "is a link that another user may have made"),
    ):
        with pytest.raises(JournalError, match=why), Journal(folder).locked("x"):
            pass
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.skipif(bool(os.geteuid()), reason="only root has folders of other users")
def test_a_folder_of_another_user_is_refused(journal: Journal) -> None:
    os.chown(journal.folder, 65534, 65534)
    with pytest.raises(JournalError, match="belongs to user 65534"), journal.locked("x"):
        pass
    with pytest.raises(JournalError, match="belongs to user 65534"):
        journal.entries()


def test_only_the_owner_can_read_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)
    journal = Journal(folder)
    journal.file.touch(mode=0o644)
    with journal.locked("x"):
        journal.step_done("x", 0)
    assert [oct(p.stat().st_mode & 0o777) for p in (folder, journal.file, folder / "lock")] == ["0o700"] + ["0o600"] * 2


FORGED: dict[str, dict[str, Any]] = {
    "track value": {"before": 0, "after": 1, "existed": True},
    "file": {"instance": "vips", "priority": [90, 100], "digests": ["0" * 64, "1" * 64]},
    "draft": {},
}


def forged(journal: Journal, daemon: Daemon, kind: str, path: Path, **more: Any) -> Entry:
    step = {"kind": kind, "daemon": to_builtins(daemon), "path": str(path), **FORGED[kind], **more}
    journal.file.write_text(begin(steps=[step]) + "\n")
    return journal.entries()[0]


async def carried_out(journal: Journal, action: Action) -> Outcome:
    return await Runner(journal).run(action, force=True)


@pytest.mark.parametrize("kind", FORGED)
async def test_a_forged_entry_changes_only_files_of_keepalived(
    journal: Journal, daemon: Daemon, tmp_path: Path, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("1\n")
    temp = tmp_path / ".victim.kvtui-0011"
    temp.touch()
    for plan in (undo, finish):
        outcome = await carried_out(journal, plan(forged(journal, daemon, kind, victim), LIVE))
        assert outcome.code is ExitCode.REFUSED
        assert f"{victim} is not in the config" in outcome.detail
    assert (victim.read_text(), temp.exists()) == ("1\n", True)


async def test_a_track_file_of_keepalived_is_put_back(journal: Journal, daemon: Daemon, tmp_path: Path) -> None:
    mine = tmp_path / "allowed"
    mine.write_text("1\n")
    outcome = await carried_out(journal, undo(forged(journal, daemon, "track value", mine), LIVE))
    assert (outcome.code, mine.read_text()) == (ExitCode.DONE, "0\n")


async def test_a_forged_address_is_not_removed(journal: Journal, daemon: Daemon) -> None:
    step = {"kind": "address", "daemon": to_builtins(daemon), "instance": "vips", "priority": 1}
    step |= {"address": "192.0.2.1", "prefixlen": 24, "interface": "eth0"}
    journal.file.write_text(begin(steps=[step]) + "\n")
    outcome = await carried_out(journal, finish(journal.entries()[0], LIVE))
    assert outcome.code is ExitCode.REFUSED
    assert "192.0.2.1 is not a VIP in the config" in outcome.detail


async def test_a_kept_config_is_found_only_by_its_digests(journal: Journal, daemon: Daemon, tmp_path: Path) -> None:
    step = {
        "kind": "config",
        "daemon": to_builtins(daemon),
        "kept": str(tmp_path / "evil"),
        "ran": "../x",
        "newer": "y",
    }
    journal.file.write_text(begin(steps=[step]) + "\n")
    outcome = await carried_out(journal, undo(journal.entries()[0], LIVE))
    assert outcome.code is ExitCode.REFUSED
    assert "no digest of a config" in outcome.detail


async def test_nested_steps_have_a_limit(journal: Journal, daemon: Daemon, tmp_path: Path) -> None:
    step: dict[str, Any] = {"kind": "track value", "daemon": to_builtins(daemon), "path": str(tmp_path / "victim")}
    step |= FORGED["track value"]
    for depth in range(40):
        journal.file.write_text(begin(steps=[step]) + "\n")
        entries = journal.entries()
        assert bool(entries) is (depth < 17)
        if entries:
            outcome = await carried_out(journal, undo(entries[0], LIVE))
            assert outcome.code is ExitCode.REFUSED
        step = {"kind": "reversed", "step": step}
