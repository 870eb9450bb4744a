"""Includes, read through the root of another mount namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.backend.conf.reader import read
from kvtui.model.conf import Conf, Location, ProblemKind

if TYPE_CHECKING:
    from pathlib import Path

MAIN = "/etc/keepalived/keepalived.conf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/keepalived/conf.d").mkdir(parents=True)
    return tmp_path


def write(root: Path, name: str, text: str) -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def conf(root: Path) -> Conf:
    return read(MAIN, root=str(root), config_id="node", now=0)


def group(name: str) -> str:
    return f"vrrp_sync_group {name} {{\n group {{ X }}\n}}\n"


def names(root: Path) -> list[str]:
    return [g.name for g in conf(root).sync_groups]


def problems(root: Path) -> list[tuple[str, Location]]:
    problems = conf(root).problems
    assert all(p.kind is ProblemKind.INCLUDE for p in problems)
    return [(p.message, p.at) for p in problems]


def test_relative_absolute_and_globbed(root: Path) -> None:
    write(root, MAIN, "include conf.d/*.conf\n" + group("main") + "include /opt/abs.conf\n")
    write(root, "/etc/keepalived/conf.d/b.conf", group("b"))
    write(root, "/etc/keepalived/conf.d/a.conf", group("a1") + "include deep/x.conf\n" + group("a2"))
    write(root, "/etc/keepalived/conf.d/deep/x.conf", "include ../../y.conf\n" + group("x"))
    write(root, "/etc/keepalived/y.conf", group("y"))
    write(root, "/opt/abs.conf", group("abs"))
    assert names(root) == ["a1", "y", "x", "a2", "b", "main", "abs"]
    assert conf(root).files == (
        MAIN,
        "/etc/keepalived/conf.d/a.conf",
        "/etc/keepalived/conf.d/deep/x.conf",
        "/etc/keepalived/y.conf",
        "/etc/keepalived/conf.d/b.conf",
        "/opt/abs.conf",
    )
    assert problems(root) == []


def test_locations_name_the_included_file(root: Path) -> None:
    write(root, MAIN, "include v.conf\n")
    write(root, "/etc/keepalived/v.conf", "\nvrrp_instance V {\n  priority 9\n}\n")
    (found,) = conf(root).instances
    assert found.at == Location("/etc/keepalived/v.conf", 2)
    assert found.priority_at == Location("/etc/keepalived/v.conf", 3, 12)


def test_an_include_inside_a_block(root: Path) -> None:
    write(root, MAIN, "vrrp_sync_group G {\n group {\n  A\n  include more.conf\n  D\n }\n}\n")
    write(root, "/etc/keepalived/more.conf", "B\nC\n")
    assert conf(root).sync_groups[0].members == ("A", "B", "C", "D")


def test_macros_cross_files_and_pwd_is_the_folder_of_each_file(root: Path) -> None:
    write(root, MAIN, "$N=one\ninclude conf.d/t.conf\nvrrp_sync_group $AFTER {\n}\n")
    write(root, "/etc/keepalived/conf.d/t.conf", "track_file $N {\n file ${_PWD}/t\n}\n$AFTER=${_INSTANCE}\n")
    found = conf(root)
    assert (found.track_files[0].name, found.track_files[0].path) == ("one", "/etc/keepalived/conf.d/t")
    assert found.sync_groups[0].name == "node"


def test_braces(root: Path) -> None:
    write(root, MAIN, "include conf.d/{b,a}.conf\n")
    write(root, "/etc/keepalived/conf.d/a.conf", group("a"))
    write(root, "/etc/keepalived/conf.d/b.conf", group("b"))
    assert names(root) == ["b", "a"]


def test_a_missing_file(root: Path) -> None:
    write(root, MAIN, "\n  include no.conf # x\n")
    assert problems(root) == [("No file matches 'no.conf'", Location(MAIN, 2, 3))]


def test_a_wildcard_may_match_nothing_with_include_but_not_with_includea(root: Path) -> None:
    write(root, MAIN, "include conf.d/*.conf\nincludea conf.d/*.conf\n")
    assert problems(root) == [("No file matches 'conf.d/*.conf'", Location(MAIN, 2))]


def test_a_cycle(root: Path) -> None:
    write(root, MAIN, "include a.conf\n" + group("main"))
    write(root, "/etc/keepalived/a.conf", group("a") + f"include {MAIN}\ninclude ./a.conf\n")
    assert names(root) == ["a", "main"]
    assert problems(root) == [
        (f"'{MAIN}' includes itself", Location("/etc/keepalived/a.conf", 4)),
        ("'/etc/keepalived/a.conf' includes itself", Location("/etc/keepalived/a.conf", 5)),
    ]


def test_the_same_file_twice_is_not_a_cycle(root: Path) -> None:
    write(root, MAIN, "$N=1\ninclude a.conf\n$N=2\ninclude a.conf\n")
    write(root, "/etc/keepalived/a.conf", "vrrp_sync_group G${N} {\n}\n")
    assert names(root) == ["G1", "G2"]
    assert conf(root).files == (MAIN, "/etc/keepalived/a.conf")


def test_folders_and_executable_files_are_skipped(root: Path) -> None:
    write(root, MAIN, "include run.sh\ninclude conf.d\n")
    write(root, "/etc/keepalived/run.sh", group("no")).chmod(0o755)
    assert [message for message, _ in problems(root)] == [
        "keepalived skips '/etc/keepalived/run.sh': not a regular file, or executable",
        "keepalived skips '/etc/keepalived/conf.d': not a regular file, or executable",
    ]


def test_symlinks_stay_within_the_root(root: Path) -> None:
    write(root, "/data/real.conf", "include beside.conf\n" + group("real"))
    write(root, "/etc/keepalived/beside.conf", group("beside"))
    (root / "etc/keepalived/keepalived.conf").symlink_to("/data/real.conf")
    assert names(root) == ["beside", "real"]


def test_an_include_on_a_conditional_line(root: Path) -> None:
    write(root, MAIN, "@node include a.conf\n@other include b.conf\n")
    write(root, "/etc/keepalived/a.conf", group("a"))
    assert names(root) == ["a"]
    assert problems(root) == []
