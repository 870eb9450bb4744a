"""DumpRequester requests dumps from a process that answers as keepalived does, or does not answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from kvtui.backend.keepalived.dumps import requester
from kvtui.backend.keepalived.dumps.file import DumpError
from kvtui.backend.keepalived.dumps.requester import DumpRequester
from kvtui.backend.linux import procfs
from kvtui.backend.linux.process import read_process
from kvtui.model.keepalived import Children, Keepalived
from tests.dumps.samples import sample
from tests.lab.poll import poll

JSON, USR1 = 36, int(signal.SIGUSR1)
JSON_TEXT = sample("example-2.2.7-backup.json")
DATA_TEXT = sample("example-2.2.7-backup.data")
CHECK_TEXT = sample("example-2.2.7-check.data")
EMPTY_TEXT = sample("example-2.2.7-parent.data")
Steps = dict[int, dict[str, list[tuple[float, str]]]]


@dataclass
class FakeKeepalived:
    """The process, its script of answers, and the signals that it received."""

    folder: Path
    keepalived: Keepalived

    def set_answers(self, steps: Steps) -> None:
        (self.folder / "script").write_text(json.dumps(steps))

    def received_signals(self) -> list[int]:
        log = self.folder / "signals"
        return [int(line) for line in log.read_text().splitlines()] if log.exists() else []

    def dumper(self, **options: object) -> DumpRequester:
        return DumpRequester(self.keepalived, **options)  # type: ignore[arg-type]  # options of mixed types


Start = Callable[..., FakeKeepalived]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*numbers: int, children: Children | None = None) -> FakeKeepalived:
        script = str(Path(__file__).parent / "fake_keepalived.py")
        argv = [sys.executable, script, str(tmp_path), *map(str, numbers)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        known = read_process(process.pid)
        assert known is not None
        keepalived = Keepalived(
            pid=process.pid,
            ns_pid=process.pid,
            argv=known.argv,
            version=None,
            conf="",
            root="",
            netns=None,
            mntns=None,
            own_netns=True,
            children=Children(vrrp=process.pid) if children is None else children,
            started=known.started,
            start_ticks=known.start_ticks,
            tmpdir=str(tmp_path),
            dumps_json=known.handles(JSON),
            uid=os.getuid(),
        )
        fake = FakeKeepalived(tmp_path, keepalived)
        fake.set_answers({})
        return fake

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def fake(start: Start) -> FakeKeepalived:
    return start(JSON, USR1)


def alive(fake: FakeKeepalived) -> bool:
    process = read_process(fake.keepalived.pid)
    return process is not None and not process.zombie


def test_only_the_json_dump_is_requested(fake: FakeKeepalived) -> None:
    fake.set_answers({JSON: {"keepalived.json": [(0, JSON_TEXT)]}})
    dump = fake.dumper().read(time.time())
    assert ([i.name for i in dump.instances], dump.checks, dump.how, dump.detail) == (
        ["VI_1", "VI_6"],
        None,
        "json",
        "",
    )
    assert dump.read_at == (fake.folder / "keepalived.json").stat().st_mtime_ns / 1e9
    assert fake.received_signals() == [JSON]


def test_an_old_file_is_not_an_answer(fake: FakeKeepalived) -> None:
    (fake.folder / "keepalived.json").write_text(sample("example-2.4.3.json"))
    fake.set_answers({JSON: {"keepalived.json": [(0.05, JSON_TEXT)]}})
    assert [i.vrid for i in fake.dumper().read(time.time()).instances] == [51, 61]


def test_a_half_written_json_dump_is_completed(fake: FakeKeepalived) -> None:
    fake.set_answers({JSON: {"keepalived.json": [(0, ""), (0.05, JSON_TEXT[:700]), (0.05, JSON_TEXT)]}})
    assert len(fake.dumper(timeout=20).read(time.time()).instances) == 2


def test_a_half_written_data_dump_is_completed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requester, "POLL_SECONDS", 0.3)  # on a busy machine the writer's pause of 5 ms takes longer
    fake = start(USR1)
    half = DATA_TEXT[: DATA_TEXT.index(" VRRP Instance = VI_6")]  # its end looks complete
    steps = [(0.0, ""), (0.0, half), (0.005, DATA_TEXT)]
    fake.set_answers({USR1: {"keepalived.data": steps}})
    dump = fake.dumper(timeout=20).read(time.time())
    assert [i.name for i in dump.instances] == ["VI_1", "VI_6"]


def test_the_full_dump_joins_text_json_and_checks(start: Start) -> None:
    fake = start(JSON, USR1, children=Children(vrrp=7, checker=8))
    texts = {"keepalived.data": [(0, DATA_TEXT)], "keepalived_check.data": [(0.02, CHECK_TEXT)]}
    fake.set_answers({USR1: texts, JSON: {"keepalived.json": [(0, JSON_TEXT)]}})  # type: ignore[dict-item]  # int and float pauses
    dump = fake.dumper(timeout=20).read(time.time(), full=True)
    first = dump.instances[0]
    assert (first.master_address, first.counters["advert_rcvd"], first.track_files[0].name) == ("10.99.0.1", 28, "tf")
    assert dump.checks is not None
    assert [c.address for c in dump.checks] == ["10.77.0.11", "10.77.0.12"]
    assert (dump.how, dump.detail, fake.received_signals()) == ("data", "", [USR1, JSON])


def test_a_checker_without_a_dump_is_reported(start: Start) -> None:
    fake = start(USR1, children=Children(vrrp=7, checker=8))
    fake.set_answers({USR1: {"keepalived.data": [(0, DATA_TEXT)]}})
    dump = fake.dumper(timeout=0.3).read(time.time(), full=True)
    assert (len(dump.instances), dump.checks) == (2, None)
    assert dump.detail == "the checker did not write keepalived_check.data in time"


def test_the_name_of_a_keepalived_instance_is_in_the_file_name(start: Start) -> None:
    fake = start(USR1)
    fake.set_answers({USR1: {"keepalived.bar.data": [(0, DATA_TEXT)]}})
    assert len(fake.dumper(timeout=20).read(time.time()).instances) == 2


def test_without_json_support_the_text_dump_is_requested(start: Start) -> None:
    fake = start(USR1)
    fake.set_answers({USR1: {"keepalived.data": [(0, DATA_TEXT)]}})
    dump = fake.dumper(timeout=20).read(time.time())
    assert (len(dump.instances), dump.how, dump.checks, fake.received_signals()) == (2, "data", (), [USR1])


def test_no_json_dump_and_a_data_dump_without_instances_means_no_instances(fake: FakeKeepalived) -> None:
    (fake.folder / "keepalived.json").write_text(JSON_TEXT)  # remains when a reload removes all instances
    fake.set_answers({USR1: {"keepalived.data": [(0, EMPTY_TEXT)]}})
    dump = fake.dumper(timeout=0.3).read(time.time())
    assert (dump.instances, dump.how, fake.received_signals()) == ((), "data", [JSON, USR1])


def test_no_vrrp_child_means_no_instances_and_no_request(start: Start) -> None:
    fake = start(JSON, USR1, children=Children(checker=8))
    assert fake.dumper().read(time.time()).instances == ()
    assert fake.received_signals() == []
    fake.set_answers({USR1: {"keepalived_check.data": [(0, CHECK_TEXT)]}})
    dump = fake.dumper(timeout=20).read(time.time(), full=True)
    assert (dump.instances, len(dump.checks or ())) == ((), 2)


def test_a_missing_dump_is_reported(fake: FakeKeepalived) -> None:
    with pytest.raises(DumpError, match=r"keepalived \d+ wrote no dump within 0.1 s: see its log"):
        fake.dumper(timeout=0.1).read(time.time())
    assert fake.received_signals() == [JSON, USR1]


def test_a_signal_that_would_end_the_process_is_not_sent(start: Start) -> None:
    fake = start()
    with pytest.raises(DumpError, match="does not handle signal 10"):
        fake.dumper().read(time.time())
    assert alive(fake)


def test_another_process_with_the_same_number_is_not_signalled(fake: FakeKeepalived) -> None:
    fake.keepalived = replace(fake.keepalived, start_ticks=fake.keepalived.start_ticks - 1)
    with pytest.raises(DumpError, match="has ended"):
        fake.dumper().read(time.time())
    assert fake.received_signals() == []


def test_a_keepalived_that_has_ended_is_reported(fake: FakeKeepalived) -> None:
    fake.keepalived = replace(fake.keepalived, pid=2**22 + 1)
    with pytest.raises(DumpError, match="has ended"):
        fake.dumper().read(time.time())


def test_missing_rights_to_signal_are_reported(fake: FakeKeepalived, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    with pytest.raises(DumpError, match="run kvtui as root or with CAP_KILL"):
        fake.dumper().read(time.time())


def test_missing_rights_to_read_are_reported(fake: FakeKeepalived, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **_options: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr("kvtui.backend.keepalived.dumps.file.stat_path", refuse)
    with pytest.raises(DumpError, match=r"keepalived.json cannot be read: run kvtui as root"):
        fake.dumper().read(time.time())


def test_a_file_of_another_user_is_not_trusted(fake: FakeKeepalived) -> None:
    path = fake.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    other_user = 65534
    if os.geteuid() == 0:
        os.chown(path, other_user, other_user)
    else:
        fake.keepalived = replace(fake.keepalived, uid=other_user)
    with pytest.raises(DumpError, match="not to keepalived, and is not trusted"):
        fake.dumper(signals=False).read(time.time())


def test_symlinks_and_pipes_are_not_trusted(fake: FakeKeepalived, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.json"
    os.mkfifo(path)
    with pytest.raises(DumpError, match="is not a regular file"):
        fake.dumper(signals=False).read(time.time())
    path.unlink()
    (tmp_path / "elsewhere").write_text(JSON_TEXT)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DumpError, match="cannot be opened: Too many levels of symbolic links"):
        fake.dumper(signals=False).read(time.time())


def test_without_signals_an_earlier_dump_is_read_with_its_age(fake: FakeKeepalived) -> None:
    path = fake.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    written = fake.keepalived.started + 100
    os.utime(path, (written, written))
    dump = fake.dumper(signals=False).read(time.time())
    assert (len(dump.instances), dump.how, round(dump.read_at, 3)) == (2, "file", round(written, 3))
    assert dump.detail == "an earlier dump; none was requested"
    assert fake.received_signals() == []


def test_without_signals_the_newest_dump_is_used(fake: FakeKeepalived) -> None:
    for name, text, age in (("keepalived.json", JSON_TEXT, 100), ("keepalived.data", EMPTY_TEXT, 200)):
        (fake.folder / name).write_text(text)
        written = fake.keepalived.started + age
        os.utime(fake.folder / name, (written, written))
    assert fake.dumper(signals=False).read(time.time(), full=True).instances == ()


def test_a_dump_of_an_earlier_keepalived_is_not_used(fake: FakeKeepalived) -> None:
    path = fake.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    os.utime(path, (fake.keepalived.started - 10, fake.keepalived.started - 10))
    with pytest.raises(DumpError, match="has no dump since keepalived started"):
        fake.dumper(signals=False).read(time.time())


def test_a_stopped_process_is_named_and_gets_no_signal(start: Start) -> None:
    fake = start(JSON, USR1)
    fake.set_answers({JSON: {"keepalived.json": [(0, JSON_TEXT)]}})
    os.kill(fake.keepalived.pid, signal.SIGSTOP)
    poll(lambda: procfs.vitals(fake.keepalived.pid)[1] == "T", 30, "it stops")
    with pytest.raises(DumpError, match=f"process {fake.keepalived.pid} is stopped .*kill -CONT"):
        fake.dumper().read(time.time())
    os.kill(fake.keepalived.pid, signal.SIGCONT)
    poll(lambda: procfs.vitals(fake.keepalived.pid)[1] == "S", 30, "it goes on")
    assert fake.received_signals() == []
    assert fake.dumper().read(time.time()).instances
    assert fake.received_signals() == [JSON]


def test_without_json_support_the_counters_come_from_the_stats(start: Start) -> None:
    keepalived = start(USR1, int(signal.SIGUSR2))
    stats = "VRRP Instance: VI_1\n  Advertisements:\n    Received: 7\n  Priority Zero:\n    Received: 1\n    Sent: 2\n"
    keepalived.set_answers(
        {USR1: {"keepalived.data": [(0.0, DATA_TEXT)]}, int(signal.SIGUSR2): {"keepalived.stats": [(0.0, stats)]}}
    )
    dump = keepalived.dumper().read(time.time(), full=True)
    assert [i.counters for i in dump.instances] == [{"advert_rcvd": 7, "pri_zero_rcvd": 1, "pri_zero_sent": 2}, {}]
    assert keepalived.received_signals() == [USR1, int(signal.SIGUSR2)]
