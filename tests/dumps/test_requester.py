"""Asking a process that answers as keepalived does, or does not."""

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
class Speaker:
    """The process, what it was told to answer, and what it was asked."""

    folder: Path
    keepalived: Keepalived

    def says(self, steps: Steps) -> None:
        (self.folder / "script").write_text(json.dumps(steps))

    def heard(self) -> list[int]:
        log = self.folder / "signals"
        return [int(line) for line in log.read_text().splitlines()] if log.exists() else []

    def dumper(self, **options: object) -> DumpRequester:
        return DumpRequester(self.keepalived, **options)  # type: ignore[arg-type]  # options of mixed types


Start = Callable[..., Speaker]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def begin(*numbers: int, children: Children | None = None) -> Speaker:
        script = str(Path(__file__).parent / "speaker.py")
        argv = [sys.executable, script, str(tmp_path), *map(str, numbers)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        seen = read_process(process.pid)
        assert seen is not None
        keepalived = Keepalived(
            pid=process.pid,
            ns_pid=process.pid,
            argv=seen.argv,
            version=None,
            conf="",
            root="",
            netns=None,
            mntns=None,
            own_netns=True,
            children=Children(vrrp=process.pid) if children is None else children,
            started=seen.started,
            start_ticks=seen.start_ticks,
            tmpdir=str(tmp_path),
            dumps_json=seen.handles(JSON),
            uid=os.getuid(),
        )
        speaker = Speaker(tmp_path, keepalived)
        speaker.says({})
        return speaker

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def speaker(start: Start) -> Speaker:
    return start(JSON, USR1)


def alive(speaker: Speaker) -> bool:
    process = read_process(speaker.keepalived.pid)
    return process is not None and not process.zombie


def test_json_is_asked_for_and_nothing_else(speaker: Speaker) -> None:
    speaker.says({JSON: {"keepalived.json": [(0, JSON_TEXT)]}})
    dump = speaker.dumper().read(time.time())
    assert ([i.name for i in dump.instances], dump.checks, dump.how, dump.detail) == (
        ["VI_1", "VI_6"],
        None,
        "json",
        "",
    )
    assert dump.read_at == (speaker.folder / "keepalived.json").stat().st_mtime_ns / 1e9
    assert speaker.heard() == [JSON]


def test_an_old_file_is_no_answer(speaker: Speaker) -> None:
    (speaker.folder / "keepalived.json").write_text(sample("example-2.4.3.json"))
    speaker.says({JSON: {"keepalived.json": [(0.05, JSON_TEXT)]}})
    assert [i.vrid for i in speaker.dumper().read(time.time()).instances] == [51, 61]


def test_a_half_written_answer_is_waited_for(speaker: Speaker) -> None:
    speaker.says({JSON: {"keepalived.json": [(0, ""), (0.05, JSON_TEXT[:700]), (0.05, JSON_TEXT)]}})
    assert len(speaker.dumper(timeout=20).read(time.time()).instances) == 2


def test_a_half_written_data_dump_is_waited_for(start: Start) -> None:
    speaker = start(USR1)
    half = DATA_TEXT[: DATA_TEXT.index(" VRRP Instance = VI_6")]  # ends well: only its growing tells
    steps = [(0.0, ""), (0.0, half), (0.005, DATA_TEXT)]
    speaker.says({USR1: {"keepalived.data": steps}})
    dump = speaker.dumper(timeout=20).read(time.time())
    assert [i.name for i in dump.instances] == ["VI_1", "VI_6"]


def test_the_full_dump_joins_text_json_and_checks(start: Start) -> None:
    speaker = start(JSON, USR1, children=Children(vrrp=7, checker=8))
    texts = {"keepalived.data": [(0, DATA_TEXT)], "keepalived_check.data": [(0.02, CHECK_TEXT)]}
    speaker.says({USR1: texts, JSON: {"keepalived.json": [(0, JSON_TEXT)]}})  # type: ignore[dict-item]  # int and float pauses
    dump = speaker.dumper(timeout=20).read(time.time(), full=True)
    first = dump.instances[0]
    assert (first.master_address, first.counters["advert_rcvd"], first.track_files[0].name) == ("10.99.0.1", 28, "tf")
    assert dump.checks is not None
    assert [c.address for c in dump.checks] == ["10.77.0.11", "10.77.0.12"]
    assert (dump.how, dump.detail, speaker.heard()) == ("data", "", [USR1, JSON])


def test_a_silent_checker_is_said(start: Start) -> None:
    speaker = start(USR1, children=Children(vrrp=7, checker=8))
    speaker.says({USR1: {"keepalived.data": [(0, DATA_TEXT)]}})
    dump = speaker.dumper(timeout=0.3).read(time.time(), full=True)
    assert (len(dump.instances), dump.checks) == (2, None)
    assert dump.detail == "the checker did not write keepalived_check.data in time"


def test_the_name_of_an_instance_is_in_the_file_name(start: Start) -> None:
    speaker = start(USR1)
    speaker.says({USR1: {"keepalived.bar.data": [(0, DATA_TEXT)]}})
    assert len(speaker.dumper(timeout=20).read(time.time()).instances) == 2


def test_without_json_support_text_is_asked_for(start: Start) -> None:
    speaker = start(USR1)
    speaker.says({USR1: {"keepalived.data": [(0, DATA_TEXT)]}})
    dump = speaker.dumper(timeout=20).read(time.time())
    assert (len(dump.instances), dump.how, dump.checks, speaker.heard()) == (2, "data", (), [USR1])


def test_no_json_and_a_data_dump_without_instances_means_none(speaker: Speaker) -> None:
    (speaker.folder / "keepalived.json").write_text(JSON_TEXT)  # stays, as it does when a reload removes all instances
    speaker.says({USR1: {"keepalived.data": [(0, EMPTY_TEXT)]}})
    dump = speaker.dumper(timeout=0.3).read(time.time())
    assert (dump.instances, dump.how, speaker.heard()) == ((), "data", [JSON, USR1])


def test_no_vrrp_child_means_no_instances_and_no_question(start: Start) -> None:
    speaker = start(JSON, USR1, children=Children(checker=8))
    assert speaker.dumper().read(time.time()).instances == ()
    assert speaker.heard() == []
    speaker.says({USR1: {"keepalived_check.data": [(0, CHECK_TEXT)]}})
    dump = speaker.dumper(timeout=20).read(time.time(), full=True)
    assert (dump.instances, len(dump.checks or ())) == ((), 2)


def test_silence_is_said(speaker: Speaker) -> None:
    with pytest.raises(DumpError, match=r"keepalived \d+ wrote no dump within 0.1 s: see its log"):
        speaker.dumper(timeout=0.1).read(time.time())
    assert speaker.heard() == [JSON, USR1]


def test_a_signal_that_would_end_the_process_is_not_sent(start: Start) -> None:
    speaker = start()
    with pytest.raises(DumpError, match="does not handle signal 10"):
        speaker.dumper().read(time.time())
    assert alive(speaker)


def test_another_process_with_the_same_number_is_not_signalled(speaker: Speaker) -> None:
    speaker.keepalived = replace(speaker.keepalived, start_ticks=speaker.keepalived.start_ticks - 1)
    with pytest.raises(DumpError, match="has ended"):
        speaker.dumper().read(time.time())
    assert speaker.heard() == []


def test_a_vanished_keepalived_is_said(speaker: Speaker) -> None:
    speaker.keepalived = replace(speaker.keepalived, pid=2**22 + 1)
    with pytest.raises(DumpError, match="has ended"):
        speaker.dumper().read(time.time())


def test_missing_rights_to_signal_are_said(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "no")

    monkeypatch.setattr(signal, "pidfd_send_signal", refuse)
    with pytest.raises(DumpError, match="run kvtui as root or with CAP_KILL"):
        speaker.dumper().read(time.time())


def test_missing_rights_to_read_are_said(speaker: Speaker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **_options: object) -> None:
        raise PermissionError(13, "no")

    monkeypatch.setattr("kvtui.backend.keepalived.dumps.file.stat_path", refuse)
    with pytest.raises(DumpError, match=r"keepalived.json cannot be read: run kvtui as root"):
        speaker.dumper().read(time.time())


def test_somebody_elses_file_is_not_believed(speaker: Speaker) -> None:
    path = speaker.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    stranger = 65534
    if os.geteuid() == 0:
        os.chown(path, stranger, stranger)
    else:
        speaker.keepalived = replace(speaker.keepalived, uid=stranger)
    with pytest.raises(DumpError, match="not to keepalived, and is not trusted"):
        speaker.dumper(signals=False).read(time.time())


def test_links_and_pipes_are_not_believed(speaker: Speaker, tmp_path: Path) -> None:
    path = tmp_path / "keepalived.json"
    os.mkfifo(path)
    with pytest.raises(DumpError, match="is not a regular file"):
        speaker.dumper(signals=False).read(time.time())
    path.unlink()
    (tmp_path / "elsewhere").write_text(JSON_TEXT)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DumpError, match="cannot be opened: Too many levels of symbolic links"):
        speaker.dumper(signals=False).read(time.time())


def test_without_signals_an_earlier_dump_is_read_with_its_age(speaker: Speaker) -> None:
    path = speaker.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    written = speaker.keepalived.started + 100
    os.utime(path, (written, written))
    dump = speaker.dumper(signals=False).read(time.time())
    assert (len(dump.instances), dump.how, round(dump.read_at, 3)) == (2, "file", round(written, 3))
    assert dump.detail == "an earlier dump; none was requested"
    assert speaker.heard() == []


def test_without_signals_the_newest_dump_counts(speaker: Speaker) -> None:
    for name, text, age in (("keepalived.json", JSON_TEXT, 100), ("keepalived.data", EMPTY_TEXT, 200)):
        (speaker.folder / name).write_text(text)
        written = speaker.keepalived.started + age
        os.utime(speaker.folder / name, (written, written))
    assert speaker.dumper(signals=False).read(time.time(), full=True).instances == ()


def test_a_dump_of_an_earlier_keepalived_is_not_this_ones(speaker: Speaker) -> None:
    path = speaker.folder / "keepalived.json"
    path.write_text(JSON_TEXT)
    os.utime(path, (speaker.keepalived.started - 10, speaker.keepalived.started - 10))
    with pytest.raises(DumpError, match="has no dump since keepalived started"):
        speaker.dumper(signals=False).read(time.time())


def test_a_stopped_process_is_named_and_gets_no_signal(start: Start) -> None:
    speaker = start(JSON, USR1)
    speaker.says({JSON: {"keepalived.json": [(0, JSON_TEXT)]}})
    os.kill(speaker.keepalived.pid, signal.SIGSTOP)
    poll(lambda: procfs.vitals(speaker.keepalived.pid)[1] == "T", 30, "it stops")
    with pytest.raises(DumpError, match=f"process {speaker.keepalived.pid} is stopped .*kill -CONT"):
        speaker.dumper().read(time.time())
    os.kill(speaker.keepalived.pid, signal.SIGCONT)
    poll(lambda: procfs.vitals(speaker.keepalived.pid)[1] == "S", 30, "it goes on")
    assert speaker.heard() == []
    assert speaker.dumper().read(time.time()).instances
    assert speaker.heard() == [JSON]


def test_without_json_support_the_counters_come_from_the_stats(start: Start) -> None:
    keepalived = start(USR1, int(signal.SIGUSR2))
    stats = "VRRP Instance: VI_1\n  Advertisements:\n    Received: 7\n  Priority Zero:\n    Received: 1\n    Sent: 2\n"
    keepalived.says(
        {USR1: {"keepalived.data": [(0.0, DATA_TEXT)]}, int(signal.SIGUSR2): {"keepalived.stats": [(0.0, stats)]}}
    )
    dump = keepalived.dumper().read(time.time(), full=True)
    assert [i.counters for i in dump.instances] == [{"advert_rcvd": 7, "pri_zero_rcvd": 1, "pri_zero_sent": 2}, {}]
    assert keepalived.heard() == [USR1, int(signal.SIGUSR2)]
