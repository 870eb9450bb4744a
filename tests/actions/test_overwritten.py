"""A controller overwrites a priority that kvtui wrote: kvtui reports it with the running priority."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.journal import Entry, Journal
from kvtui.actions.core.step import StepError
from kvtui.actions.journal_findings import JournalFindings
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.priority.overwritten import PriorityOverwrite, found_overwrites, overwrites, seen_overwrites, written
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep, When
from kvtui.backend.demo import Demo
from kvtui.cli.findings import triage
from kvtui.cli.invocation import Invocation
from kvtui.cli.output import Format
from kvtui.cli.views import show
from kvtui.model.config import TriageSettings
from kvtui.model.finding import Severity
from kvtui.model.keepalived import Controller
from kvtui.observer import Observer
from kvtui.presenters.schema import schema
from tests.actions.preflights import CONF
from tests.kit import NOW, VIP, conf, instance, keepalived, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kvtui.actions.core.step import Step
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.snapshot import Snapshot

PATH = "/etc/keepalived/keepalived.conf"
HERE = keepalived()
DAEMON = Daemon(HERE.pid, 1, PATH, HERE.mntns, HERE.netns)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def entry(identity: str, before: int, after: int, name: str = "vips", **changes: Any) -> Entry:
    """Returns a journal entry of an action in force that wrote the config."""
    write = ReplaceFile(DAEMON, PATH, name, (before, after), ("a", "b"))
    return made(identity, (ReloadStep(DAEMON, When.UNDO), write, ReloadStep(DAEMON, When.DO)), target=name, **changes)


def made(identity: str, steps: tuple[Step, ...], **changes: Any) -> Entry:
    data = tuple({"kind": s.kind, **s.to_json()} for s in steps)
    base = Entry(identity, NOW - 60, "priority", "vips", {"user": "anna"}, "", "", data, result="done")
    return replace(base, **changes)


def on_disk(priority: int | None, modified: float = NOW - 30) -> Conf:
    base = conf(modified=modified)
    (one,) = base.instances
    return replace(base, instances=() if priority is None else (replace(one, priority=priority),))


def found(
    *entries: Entry, disk: Conf | None, runs: int | None = None, by: Keepalived = HERE, now: float = NOW
) -> tuple[PriorityOverwrite, ...]:
    return overwrites(written(entries), by, disk, {} if runs is None else {"vips": runs}, now)


CONTROLLED = keepalived(controller=Controller(812, "kube-keepalived-vip", ("x",)))


def test_the_sentence_names_the_controller_and_the_running_priority() -> None:
    (one,) = found(entry("e1", 100, 110), disk=on_disk(100), runs=110, by=CONTROLLED)
    assert one.pending
    assert one.sentence == (
        "the controller kube-keepalived-vip (812) overwrote /etc/keepalived/keepalived.conf at 13:21:10 UTC: it has "
        "priority 100, not 110 of e1 for vips; keepalived runs with priority 110 until the next SIGHUP or restart"
    )


def test_the_priority_is_lost_after_the_reload() -> None:
    (one,) = found(entry("e1", 100, 110), disk=on_disk(100), runs=100)
    assert not one.pending
    assert one.sentence.startswith("something else overwrote")
    assert one.sentence.endswith("; keepalived was reloaded or restarted since and runs with 100")


def test_the_running_priority_is_unknown() -> None:
    (one,) = found(entry("e1", 100, 110), disk=on_disk(100))
    assert (one.pending, one.runs) == (True, None)
    assert one.sentence.endswith(
        "keepalived runs with 110 until the next SIGHUP or restart (unknown whether there was one)"
    )


def test_an_instance_that_was_removed_from_the_file() -> None:
    (one,) = found(entry("e1", 100, 110), disk=on_disk(None), runs=110)
    assert (one.found, one.sentence.count("it has no vips, not 110 of e1")) == (None, 1)


def test_there_is_no_finding_while_the_file_has_the_priority() -> None:
    assert found(entry("e1", 100, 110), disk=on_disk(110), runs=110) == ()
    assert found(entry("e1", 100, 110), disk=on_disk(110), runs=100) == ()


def test_there_is_no_finding_while_the_file_is_written_or_unreadable() -> None:
    half = on_disk(None, modified=NOW - 0.1)
    assert found(entry("e1", 100, 110), disk=half, runs=110) == ()
    assert len(found(entry("e1", 100, 110), disk=half, runs=110, now=NOW + 0.3)) == 1
    assert found(entry("e1", 100, 110), disk=None, runs=110) == ()


def test_the_newest_action_that_was_not_undone_counts() -> None:
    assert [o.entry for o in found(entry("e1", 100, 110), entry("e2", 110, 120), disk=on_disk(110), runs=120)] == ["e2"]
    undone = entry("e2", 110, 120, result="undone")
    assert found(entry("e1", 100, 110), undone, disk=on_disk(110), runs=110) == ()


@pytest.mark.parametrize(
    "changes",
    [{"result": r} for r in ("undone", "put back", "failed", "left", None)]
    + [{"undoes": "e0"}, {"finishes": "e0"}, {"steps": ({"kind": "file"},)}],
)
def test_an_action_that_is_not_in_force_does_not_count(changes: dict[str, Any]) -> None:
    assert written([replace(entry("e1", 100, 110), **changes)]) == {}


def test_an_unverified_action_is_in_force() -> None:
    assert list(written([entry("e1", 100, 110, result="unverified")])) == ["e1"]


def test_setting_the_priority_of_the_controller_ends_the_finding() -> None:
    """`priority vips 100` finds 100 in the file and only reloads."""
    reload = made("e2", (ReloadStep(DAEMON, When.DO, shown="x", alone=True),))
    assert found(entry("e1", 100, 110), reload, disk=on_disk(100), runs=100) == ()
    assert list(written([entry("e1", 100, 110), replace(reload, target="other")])) == ["e1"]


@pytest.mark.parametrize(("changes", "count"), [({"netns": 7}, 0), ({"conf": "/other"}, 0), ({"netns": None}, 1)])
def test_only_actions_on_this_keepalived_count(changes: dict[str, Any], count: int) -> None:
    assert len(found(entry("e1", 100, 110), disk=on_disk(100), by=keepalived(**changes))) == count


def test_an_include_has_no_known_time() -> None:
    written_priority = entry("e1", 100, 110)
    steps = tuple(
        {**s, "path": "/etc/keepalived/more.conf"} if s["kind"] == "file" else s for s in written_priority.steps
    )
    (one,) = found(replace(written_priority, steps=steps), disk=on_disk(100), runs=110)
    assert one.at is None
    assert "something else overwrote /etc/keepalived/more.conf: it has" in one.sentence


def test_the_running_config_counts_before_the_dump() -> None:
    base = snapshot(
        keepalived=(HERE,), chosen=HERE.pid, conf=on_disk(100), instances=(instance(base_priority=110),), running=None
    )
    journal = [entry("e1", 100, 110)]
    assert [o.runs for o in seen_overwrites(journal, base)] == [110]
    assert [o.runs for o in seen_overwrites(journal, replace(base, running=on_disk(100)))] == [100]
    assert seen_overwrites(journal, replace(base, chosen=None)) == ()


def test_the_journal_view_reads_only_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keepalived.conf"
    file.write_text(CONF)
    here = keepalived(root=str(tmp_path), conf="/keepalived.conf")
    written_priority = entry("e1", 100, 110)
    steps = tuple({**s, "daemon": {**s["daemon"], "conf": "/keepalived.conf"}} for s in written_priority.steps)
    journal = [replace(written_priority, steps=steps)]
    monkeypatch.setattr(Daemon, "found", lambda _self: here)
    monkeypatch.setattr(LiveBackend, "running_conf", lambda *_: on_disk(110))
    (one,) = found_overwrites(journal, time.time() + 1, backend=LIVE)
    assert (one.found, one.runs, one.path) == (100, 110, PATH)
    assert found_overwrites([], time.time(), backend=LIVE) == ()

    def gone(_self: Daemon) -> Keepalived:
        raise StepError("it does not run any more")

    monkeypatch.setattr(Daemon, "found", gone)
    assert found_overwrites(journal, time.time() + 1, backend=LIVE) == ()


def journal_in(folder: Path, *entries: Entry) -> None:
    """Writes a journal with these entries, each with the result "done"."""
    journal = Journal(folder)
    for one in entries:
        journal.begin(one)
        journal.end(one.id, "done", "seen")


def lost(runs: int | None = 110) -> Snapshot:
    """Returns a snapshot whose file has priority 100 again."""
    return snapshot(keepalived=(CONTROLLED,), chosen=HERE.pid, conf=on_disk(100), running=on_disk(runs))


def test_the_finding_has_the_id_of_the_journal_entry(tmp_path: Path) -> None:
    state = JournalFindings(tmp_path)
    assert state(lost()) == ()
    journal_in(tmp_path, entry("e1", 100, 110))
    (one,) = state(lost())
    assert (one.id, one.severity, one.object, one.vips) == ("priority-overwritten", Severity.WARNING, "vips", (VIP,))
    assert one.title == "kube-keepalived-vip (812) has overwritten priority 110 of vips, which kvtui wrote"
    assert one.evidence[0].startswith("the controller kube-keepalived-vip (812) overwrote /etc/keepalived/keepalived")
    assert one.evidence[1] == "journal entry e1"
    assert one.command == "kvtui priority vips 110"
    (one,) = state(lost(runs=100))
    assert (one.id, one.command) == ("priority-undone", "kvtui priority vips 110")
    journal_in(tmp_path, entry("e2", 110, 100))  # written meanwhile
    assert state(lost()) == ()


def test_an_unreadable_journal_is_not_a_finding(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").mkdir()
    assert JournalFindings(tmp_path)(lost()) == ()


class FixedSource(Demo):
    """A source that shows one snapshot."""

    async def read(self) -> Snapshot:
        return lost()


@pytest.mark.parametrize(("command", "code"), [(("status",), 0), (("triage", "--listen", "0"), 1)])
def test_status_and_triage_have_the_finding_in_their_documents(
    command: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    journal_in(tmp_path, entry("e1", 100, 110))
    monkeypatch.setenv("KVTUI_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(Invocation, "source", lambda _self: FixedSource())
    invocation = Invocation()
    if command[0] == "status":
        show(replace(invocation, form=Format.JSON), "status", watch=False, listen=0.0)
    else:
        assert triage(replace(invocation, form=Format.JSON), watch=False, listen=0.0) == code
    out, err = capsys.readouterr()
    document = json.loads(out)
    if command[0] == "status":
        jsonschema.validate(document, schema())
    reported = [f for f in document["findings"] if f["id"] == "priority-overwritten"]
    assert [(f["object"], f["evidence"][1]) for f in reported] == [("vips", "journal entry e1")]
    assert ("overwrote /etc/keepalived/keepalived.conf" in err) is (command[0] == "status")


def test_an_ignored_finding_is_not_reported(tmp_path: Path) -> None:
    journal_in(tmp_path, entry("e1", 100, 110))

    async def seen(*ignore: str) -> set[str]:
        settings = TriageSettings(ignore=frozenset(ignore))
        observer = Observer(FixedSource(), triage=True, triage_settings=settings, also=JournalFindings(tmp_path))
        observation = await observer.observe()
        await observer.close()
        return {f.id for f in observation.findings or ()}

    assert "priority-overwritten" in asyncio.run(seen())
    assert "priority-overwritten" not in asyncio.run(seen("priority-overwritten"))
