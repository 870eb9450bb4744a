"""The consolidated copy of the config, in a memfd of this process as keepalived 2.2.7 writes it.

Real keepalived writes it in tests/lab/test_running_conf.py.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.conf.copies import read_running
from kvtui.backend.conf.reader import read
from kvtui.model.conf import Location, ProblemKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COPY = """# {folder}/keepalived.conf

global_defs {{
router_id  "a  b"
}}
$N=10.0.0.5

# conf.d/a.conf
vrrp_sync_group G {{
group {{ V }}
}}
track_file t {{
file ${{_PWD}}/t
}}
!

#! Config files missing 'no.conf'.
vrrp_instance V {{
interface eth0
virtual_router_id 5
@me priority 120
@^me{tab}priority 90
authentication {{
auth_pass hunter2
}}
virtual_ipaddress {{ $N }}
}}
!
"""
MAIN = """! what
global_defs {
\trouter_id  "a  b" # name
}
$N=10.0.0.5
include conf.d/*.conf
include no.conf
vrrp_instance V {
  interface   eth0
  virtual_router_id 5
@me priority 120
@^me\tpriority 90
  authentication {
    auth_pass hunter2
  }
  virtual_ipaddress { $N }
}"""
INCLUDED = "vrrp_sync_group G {\n group { V }\n}\ntrack_file t {\r\n file ${_PWD}/t\n}\n"


@contextmanager
def copy(text: str) -> Iterator[None]:
    descriptor = os.memfd_create("/keepalived/consolidated_configuration")
    try:
        os.write(descriptor, text.encode())
        yield
    finally:
        os.close(descriptor)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/a.conf").write_text(INCLUDED, newline="")
    (tmp_path / "keepalived.conf").write_text(MAIN)
    return tmp_path


@pytest.mark.parametrize("config_id", ["me", "other"])
def test_the_copy_and_its_files_have_the_same_content(folder: Path, config_id: str) -> None:
    with copy(COPY.format(folder=folder, tab="\t")):
        running = read_running(os.getpid(), now=3.0, config_id=config_id)
    saved = read(f"{folder}/keepalived.conf", config_id=config_id, now=3.0)
    assert running is not None
    assert running.digest == saved.digest
    assert (running.files, running.path, running.globals) == (saved.files, saved.path, saved.globals)
    assert (running.sync_groups, running.track_files) == (saved.sync_groups, saved.track_files)
    (in_copy,), (in_file,) = running.instances, saved.instances
    assert (in_copy.priority, in_copy.vips, in_copy.at) == (in_file.priority, in_file.vips, in_file.at)
    assert in_copy.priority == (120 if config_id == "me" else 90)
    assert (running.modified, running.read_at) == (None, 3.0)
    assert [(p.kind, p.message, p.at.line) for p in running.problems] == [
        (ProblemKind.INCLUDE, "Config files missing 'no.conf'.", 7)
    ]
    assert running.instances[0].priority_at == Location(
        f"{folder}/keepalived.conf", 11 if config_id == "me" else 12, 14 if config_id == "me" else 15
    )
    assert "hunter2" not in repr(running) + repr(saved)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("! what\n", "", True),
        ("  interface   eth0", "interface\teth0 # the first", True),
        ("virtual_router_id 5", "virtual_router_id 6", False),
        ("hunter2", "hunter3", False),
        ('"a  b"', '"a b"', False),
        ("include no.conf", "", True),
        ("include conf.d/*.conf", "", False),
        ("@me priority 120", "@me priority 121", False),
        ("$N=10.0.0.5", "$N=10.0.0.6", False),
    ],
)
def test_the_digest_changes_only_with_the_meaning(folder: Path, old: str, new: str, same: bool) -> None:
    path = folder / "keepalived.conf"
    before = read(str(path), config_id="me", now=0).digest
    assert old in MAIN
    path.write_text(MAIN.replace(old, new))
    assert (read(str(path), config_id="me", now=0).digest == before) is same


def test_the_digest_changes_with_an_include(folder: Path) -> None:
    before = read(f"{folder}/keepalived.conf", now=0).digest
    (folder / "conf.d/a.conf").write_text(INCLUDED.replace("{ V }", "{ W }"))
    assert read(f"{folder}/keepalived.conf", now=0).digest != before


def test_the_digest_changes_with_the_folder_of_pwd(folder: Path) -> None:
    before = read(f"{folder}/keepalived.conf", now=0).digest
    (folder / "conf.d/a.conf").rename(folder / "a.conf")
    (folder / "keepalived.conf").write_text(MAIN.replace("conf.d/*", "a"))
    assert read(f"{folder}/keepalived.conf", now=0).digest != before


def test_an_unfinished_copy_is_not_used() -> None:
    with copy("# /etc/keepalived/keepalived.conf\nglobal_defs {\n"):
        assert read_running(os.getpid(), now=0) is None


def test_no_copy(tmp_path: Path) -> None:
    assert read_running(os.getpid(), now=0) is None
    assert read_running(1, now=0, proc=str(tmp_path)) is None
