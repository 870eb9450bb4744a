"""Hostile configs: special files, too many or too large files, endless macros. Tests count work, not time."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.conf import expand, groups, includes, macros
from kvtui.backend.conf.copies import saved_lines
from kvtui.backend.conf.reader import read
from kvtui.model.conf import ProblemKind
from tests.conf.reading import instance, read_conf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import FrameType

    from kvtui.model.conf import Conf


def work_of(run: Callable[[], object]) -> int:
    """Returns the number of Python function calls."""
    count = 0

    def count_call(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(count_call)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


def messages(conf: Conf) -> list[str]:
    return [p.message for p in conf.problems]


# --- files


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def procfs(path: Path) -> None:
    path.symlink_to("/proc/kmsg")


def sysfs(path: Path) -> None:
    path.symlink_to("/sys/kernel/uevent_seqnum")


KINDS = {
    fifo: "it is a FIFO",
    unix_socket: "it is a socket",
    device: "it is a device",
    procfs: "it is a file of the kernel",
    sysfs: "it is a file of the kernel",
    os.mkdir: "it is a folder",
}


@pytest.mark.parametrize(("make", "why"), KINDS.items())
def test_a_config_that_is_not_a_regular_file(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    make(tmp_path / "x.conf")
    for run in (lambda: read(str(tmp_path / "x.conf"), now=0), lambda: saved_lines(str(tmp_path / "x.conf"))):
        with pytest.raises(OSError, match=why):
            run()


@pytest.mark.parametrize(("make", "why"), KINDS.items())
def test_an_include_that_is_not_a_regular_file(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    make(tmp_path / "x.conf")
    conf = read_conf(tmp_path, f"include x.conf\n{instance('')}")
    (problem,) = [p for p in conf.problems if p.kind is ProblemKind.INCLUDE]
    assert why in problem.message or "not a regular file" in problem.message
    assert (problem.at.line, [i.name for i in conf.instances]) == (1, ["V"])


def test_a_symlink_to_a_regular_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(instance(""))
    (tmp_path / "x.conf").symlink_to("real")  # as Kubernetes mounts a ConfigMap
    assert [i.name for i in read(str(tmp_path / "x.conf"), now=0).instances] == ["V"]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "x.conf").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="it has more than 4 MiB"):
        read(str(tmp_path / "x.conf"), now=0)
    conf = read_conf(tmp_path, f"include x.conf\n{instance('')}")
    assert messages(conf) == [f"'{tmp_path}/x.conf' cannot be read: it has more than 4 MiB"]
    assert [i.name for i in conf.instances] == ["V"]


def test_includes_that_are_too_many_or_too_deep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(includes, "MAX_FILES", 20)
    monkeypatch.setattr(includes, "MAX_DEPTH", 5)
    for number in range(30):
        (tmp_path / f"many-{number:02}.conf").write_text(f"vrrp_sync_group M{number:02} {{\n}}\n")
        (tmp_path / f"deep-{number}.conf").write_text(
            f"vrrp_sync_group D{number} {{\n}}\ninclude deep-{number + 1}.conf\n"
        )
    many = read_conf(tmp_path, f"include many-*.conf\n{instance('')}")
    assert [g.name for g in many.sync_groups] == [f"M{n:02}" for n in range(20)]
    assert messages(many) == ["More than 20 files are included: kvtui skips the rest of 'many-*.conf'"]
    deep = read_conf(tmp_path, f"include deep-0.conf\n{instance('')}")
    assert [g.name for g in deep.sync_groups] == [f"D{n}" for n in range(5)]
    assert messages(deep) == ["Includes are more than 5 files deep: kvtui skips 'deep-5.conf'"]
    assert [i.name for i in (*many.instances, *deep.instances)] == ["V", "V"]


def test_a_pattern_that_matches_the_whole_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(includes, "MAX_ENTRIES", 500)
    for number in range(40):
        (tmp_path / f"{number:02}" / "x").mkdir(parents=True)
    found: list[Conf] = []
    assert work_of(lambda: found.append(read_conf(tmp_path, f"include {'/*' * 12}\n{instance('')}"))) < 100_000
    assert [i.name for i in found[0].instances] == ["V"]


def test_nested_double_includes_are_limited(tmp_path: Path) -> None:
    for number in range(30):
        line = f"include {number + 1}.conf\n"
        (tmp_path / f"{number}.conf").write_text(line * 2 if number < 29 else "")
    conf = read_conf(tmp_path, f"include 0.conf\n{instance('')}")
    assert len(conf.files) <= 31
    assert any(m.startswith("More than 1000 files are included") for m in messages(conf))


# --- macros


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("$IF=${IF}\nx $IF\n", "IF", 2),
        ("$IF=a${IF}\nx ${IF} y\n", "IF", 2),
        ("$A=$B\n$B=$C\n$C=$A\nx $B\n", "", 4),
        ("$A= \\\nx 1 \\\n$A\n\n$A\n", "A", 5),
    ],
)
def test_a_macro_that_refers_to_itself(tmp_path: Path, text: str, name: str, line: int) -> None:
    """keepalived loops forever on it. kvtui reports it with its location and reads the rest."""
    conf = read_conf(tmp_path, text + instance("priority 7"))
    (problem,) = [p for p in conf.problems if p.kind is ProblemKind.SYNTAX]
    assert problem.at.line == line
    assert f"{name}}} never ends: it refers to itself, and keepalived loops for ever on it" in problem.message
    assert [i.priority for i in conf.instances] == [7]


EXPLOSIONS = {
    "itself": "$A=$A\n" + "x $A\n" * 4_000,
    "itself, again and again": "$A=$A\nx $A\n" * 2_000,
    "itself, on several lines": "$A= \\\n$A\\\n$A\n\n" + "x $A\n" * 4_000,
    "doubled": "".join(f"${chr(65 + n)}=${chr(66 + n)}${chr(66 + n)}\n" for n in range(20)) + "$U=\n" + "$A\n" * 4_000,
    "sequences of sequences": "~SEQ(A,1,99999999) ~SEQ(B,1,99999999) ~SEQ(C,1,99999999) x\n" * 400,
    "many sequences": "~SEQ(A,1,100000) x $A\n" * 1_000,
    "a list": "~LST(A, " + "x," * 10_000 + "y) $A\n",
    "groups": "".join(
        f"virtual_server_group G{n} {{\n10.0.0.1-255 80\n}}\n"
        f"virtual_server group G{n} {{\nreal_server 1.1.1.1 1 {{\n}}\n}}\n"
        for n in range(240)
    ),
    "braces": "{\n" * 12_000,
    "ends": "}\n" * 12_000,
    "unknown": "abc\n" * 5_000,
    "quotes": '"' * 20_000,
    "alternatives": f"include {'{a,b}' * 180}\n" * 20,
    "conditions": "@x " * 6_600,
    "real servers": "virtual_server 1.1.1.1 80 {\n" + "real_server 1.1.1.2 80 {\n}\n" * 700 + "}\n",
    "addresses": "vrrp_instance V {\nvirtual_ipaddress {\n" + "10.0.0.1 dev eth0\n" * 1_000 + "}\n}\n",
}


LIMITS = {
    expand: {"MAX_GENERATED_LINES": 5_000, "MAX_STATEMENTS": 12_000},
    macros: {"MAX_ALL_REPLACEMENTS": 20_000, "MAX_LINES": 2_000},
    groups: {"MAX_REAL_SERVERS": 10_000, "MAX_MEMBERS": 5_000},
}
"""A tenth of the real limits, for a fifth of the text. A typical config of 20 KB takes 260,000 calls."""


@pytest.mark.parametrize("kind", EXPLOSIONS)
def test_the_work_is_bounded(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, limits in LIMITS.items():
        for name, limit in limits.items():
            monkeypatch.setattr(module, name, limit)
    text = EXPLOSIONS[kind]
    found: list[Conf] = []
    work = work_of(lambda: found.append(read_conf(tmp_path, text + instance("priority 7"))))
    assert work < 800_000, f"{work} calls for {len(text)} bytes"
    assert len(found[0].problems) <= 200
    assert sum(len(v.real_servers) for v in found[0].virtual_servers) <= 10_000


def test_limits_are_far_above_real_configs(tmp_path: Path) -> None:
    """1,000 virtual servers with 10 real servers each, with macros."""
    real = "real_server 10.9.0.${R} $PORT {\nweight $W\nTCP_CHECK {\nconnect_timeout 3\n}\n}\n"
    reals = "".join(real.replace("${R}", str(n)) for n in range(1, 11))
    servers = "".join(f"virtual_server 10.{n >> 8}.{n & 255}.1 $PORT {{\n{reals}}}\n" for n in range(1_000))
    conf = read_conf(tmp_path, f"$PORT=80\n$W=3\n{servers}")
    assert conf.problems == ()
    assert [len(v.real_servers) for v in conf.virtual_servers] == [10] * 1_000
    assert macros.MAX_REPLACEMENTS < expand.MAX_GENERATED_LINES < expand.MAX_STATEMENTS
