"""Writing keepalived's files: byte for byte, and atomically."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.obstacle import obstacle_in
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.step_kinds import make
from kvtui.actions.steps import file as file_module
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.track_value import SetTrackValue, value_of
from kvtui.backend.linux.place import open_place
from tests.actions.preflights import CONF

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = CONF.replace("nopreempt", "authentication {\n auth_type PASS\n auth_pass hunter2\n }")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A keepalived in the mount namespace of the test."""
    monkeypatch.setattr(Daemon, "root", lambda _self: "")
    return Daemon(1, 1, "/c", 1, 1)


@pytest.fixture
def conf(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "keepalived.conf"
    path.write_bytes(SECRET.encode() + b"# caf\xe9\r\n")
    path.chmod(0o640)
    yield path
    assert [p.name for p in tmp_path.iterdir()] == ["keepalived.conf"]  # no temp file is left


def write(path: Path, *, create: bool = False) -> None:
    with open_place(str(path)) as place:
        place.write(b"new", create=create)


def step(here: Daemon, conf: Path) -> ReplaceFile:
    text = conf.read_bytes().decode("utf-8", "surrogateescape")
    return ReplaceFile.plan(here, str(conf), text, "vips", (100, 42))


def test_do_and_undo_change_one_line(here: Daemon, conf: Path) -> None:
    before = conf.read_bytes()
    change = step(here, conf)
    assert change.state() is StepState.PENDING
    change.do()
    assert change.state() is StepState.APPLIED
    assert conf.read_bytes() == before.replace(b"priority 100", b"priority 42")
    assert conf.stat().st_mode & 0o7777 == 0o640
    change.undo()
    assert conf.read_bytes() == before


def test_the_journal_restores_the_step_and_has_no_text_of_the_file(here: Daemon, conf: Path) -> None:
    before = conf.read_bytes()
    data = json.loads(json.dumps({"kind": "file", **step(here, conf).to_json()}))
    assert "hunter2" not in json.dumps(data)
    again = make(data)
    again.do()
    assert again.state() is StepState.APPLIED
    make(data).undo()
    assert conf.read_bytes() == before


def test_a_file_that_something_else_changed_is_left_alone(here: Daemon, conf: Path) -> None:
    change = step(here, conf)
    conf.write_text("theirs")
    assert change.state() is StepState.CONFLICT
    for act in (change.do, change.undo):
        with pytest.raises(StepError, match="was changed by something else"):
            act()
    assert conf.read_text() == "theirs"


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EROFS, errno.ENOSPC])
def test_a_failed_write_leaves_the_old_file(
    here: Daemon, conf: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(_old: str, _new: str, **_folders: int) -> None:
        raise OSError(number, os.strerror(number))

    before = conf.read_bytes()
    change = step(here, conf)
    monkeypatch.setattr(os, "rename", fails)
    monkeypatch.setattr(file_module, "obstacle", lambda _pid, path: f"{path} is a mount: change the ConfigMap")
    with pytest.raises(StepError) as caught:
        change.do()
    hint = os.strerror(number) if number == errno.ENOSPC else "change the ConfigMap"
    assert hint in str(caught.value)
    assert conf.read_bytes() == before


def test_a_write_of_the_controller_during_fsync_is_not_lost(
    here: Daemon, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, fsync = step(here, conf), os.fsync

    def slow(fd: int) -> None:
        fsync(fd)
        conf.write_text("theirs")  # in place, as keepalived-vip writes

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(StepError, match="was not written: it was changed by something else"):
        change.do()
    assert conf.read_text() == "theirs"


def test_one_attribute_that_cannot_be_set_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    held = {"security.theirs": b"1", "user.mine": b"2"}
    given: dict[str, bytes] = {}

    def give(_fd: int, name: str, value: bytes) -> None:
        if name.startswith("security"):
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        given[name] = value

    monkeypatch.setattr(os, "listxattr", lambda _path: list(held))
    monkeypatch.setattr(os, "getxattr", lambda _path, name: held[name])
    monkeypatch.setattr(os, "setxattr", give)
    write(path)
    assert (path.read_text(), given) == ("new", {"user.mine": b"2"})


def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    try:
        os.setxattr(path, "user.kvtui", b"1")
    except OSError as error:
        pytest.skip(f"this file system has no extended attributes: {error}")
    write(path)
    assert (path.read_text(), os.getxattr(path, "user.kvtui")) == ("new", b"1")


def test_a_missing_file_is_created_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with pytest.raises(FileNotFoundError):
        write(path)
    assert list(tmp_path.iterdir()) == []
    write(path, create=True)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o644)


ROOT = "1 0 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
C = "/etc/keepalived/keepalived.conf"
POD = "/var/lib/kubelet/pods/u"
OWN = f"{C} is itself a mount point and cannot be replaced: change"
READ_ONLY = f"{C} is mounted read-only: change"
VOLUME = "the ConfigMap (or other source) of the pod's volume 'conf' instead, and then reload"
HOST = "on the host's file system, and then reload"


@pytest.mark.parametrize(
    ("source", "point", "options", "expected"),
    [
        ("/", "/", "rw", None),
        ("/srv/k", "/etc/keepalived", "rw", None),
        ("/srv/k", "/etc/keep", "ro", None),
        ("/srv/k.conf", C, "rw", f"{OWN} the file that is mounted there, /srv/k.conf {HOST}"),
        (f"{POD}/volumes/kubernetes.io~configmap/conf", "/etc/keepalived", "ro", f"{READ_ONLY} {VOLUME}"),
        (f"{POD}/volume-subpaths/conf/keepalived/0", C, "ro", f"{OWN} {VOLUME}"),
        (
            "/srv/my\\040k",
            "/etc/keepalived",
            "ro",
            f"{READ_ONLY} the file that is mounted there, /srv/my k/keepalived.conf {HOST}",
        ),
    ],
)
def test_obstacles(source: str, point: str, options: str, expected: str | None) -> None:
    mount = f"2 1 8:1 {source} {point} {options} - ext4 /dev/sda1 rw\n"
    assert obstacle_in(ROOT + mount, C) == expected


@pytest.mark.parametrize(
    ("text", "value"), [("4\n", 4), (" -12 x", -12), ("+3", 3), ("", 0), ("abc", 0), ("1.9", 1), ("\n7", 7)]
)
def test_track_values(text: str, value: int) -> None:
    assert value_of(text) == value


def test_undo_removes_a_track_file_that_did_not_exist(here: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "offset"
    change = SetTrackValue(here, str(path), 0, 7, existed=False)
    assert change.state() is StepState.PENDING
    change.do()
    assert (change.state(), path.read_text()) == (StepState.APPLIED, "7\n")
    again = make({"kind": "track value", **json.loads(json.dumps(change.to_json()))})
    again.undo()
    assert not path.exists()
    path.write_text("3\n")
    assert again.state() is StepState.CONFLICT
