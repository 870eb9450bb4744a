"""set_priority changes one number and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvtui.backend.conf.editor import EditError, InstanceNotFoundError, NotLiteralError, set_priority
from kvtui.backend.conf.reader import read
from kvtui.backend.linux.files import read_text
from tests.shared import SHARED

if TYPE_CHECKING:
    from pathlib import Path

CONFS = SHARED / "confs"

before = st.sampled_from(["", "# priority 3\n", "\udcff ! x\r\n", "vrrp_instance W {\n priority 9\n}\n", "a {\n}\n"])
noise = st.sampled_from(
    ["", "  state BACKUP\n", "\t# priority 7 }\n", " x { priority 8 }\n", ' notify "{ priority 1"\n', "\r\n"]
)


@given(
    before,
    st.lists(noise),
    st.sampled_from(["", "priority 4\n"]),
    st.integers(1, 255),
    st.integers(1, 255),
    st.lists(noise),
    st.sampled_from(["", " # why", "!why", "\r", "\t"]),
)
def test_every_other_byte_stays_the_same(
    head: str, above: list[str], earlier: str, old: int, new: int, below: list[str], tail: str
) -> None:
    start = f"{head}vrrp_instance V{{\n" + earlier + "".join(above) + "  priority\t"
    end = tail + "\n" + "".join(below) + "}\n"
    assert set_priority(f"{start}{old}{end}", "V", new) == f"{start}{new}{end}"


@pytest.mark.parametrize("path", sorted(CONFS.glob("golden-*.conf")), ids=lambda p: p.stem)
def test_real_files(path: Path) -> None:
    conf = read(str(path), config_id="node", now=0)
    text = read_text(str(path))
    for instance in conf.instances:
        assert instance.priority_literal
        assert instance.priority_at is not None
        lines = text.split("\n")
        line, column = instance.priority_at.line - 1, instance.priority_at.column - 1
        assert lines[line][column:] == "100"
        lines[line] = lines[line][:column] + "7"
        assert set_priority(text, instance.name, 7) == "\n".join(lines)


def test_a_quoted_name() -> None:
    assert set_priority('vrrp_instance "V 2" { priority 5 }', "V 2", 250) == 'vrrp_instance "V 2" { priority 250 }'


def test_the_last_priority_counts() -> None:
    text = "vrrp_instance V {\npriority 5\npriority 6\n}"
    assert set_priority(text, "V", 9) == "vrrp_instance V {\npriority 5\npriority 9\n}"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("priority $P", "not a plain number"),
        ("priority ${P}0", "not a plain number"),
        ("priority 100 \\", "not a plain number"),
        ('priority "100"', "not a plain number"),
        ("priority", "not a plain number"),
        ("@low priority 5", "'@low' line"),
        ("priority 5\n@^low priority 6", "'@^low' line"),
        ("priority 5\n$MORE", "a macro"),
        ("priority 5\ninclude more.conf", "include"),
        ("priority 5\n~SEQ(I,1,2) priority ${I}", "~SEQ"),
        ("state BACKUP", "no priority line"),
        ("track_interface {\npriority 5\n}", "no priority line"),
    ],
)
def test_a_priority_that_is_not_literal_is_refused(body: str, reason: str) -> None:
    with pytest.raises(NotLiteralError, match="V") as raised:
        set_priority(f"vrrp_instance V {{\n{body}\n}}\n", "V", 5)
    assert reason in str(raised.value)


@pytest.mark.parametrize("text", ["@low vrrp_instance V {\npriority 5\n}\n", "@low a {\n@high b {\n}\n"])
def test_conditional_blocks_are_refused(text: str) -> None:
    with pytest.raises(NotLiteralError):
        set_priority(text, "V", 5)


def test_a_missing_instance() -> None:
    with pytest.raises(InstanceNotFoundError, match="no vrrp_instance W"):
        set_priority("vrrp_instance V {\npriority 5\n}\n# vrrp_instance W {", "W", 5)


def test_a_broken_file_is_not_touched() -> None:
    with pytest.raises(EditError, match="Line 1: The block 'vrrp_instance V' is not closed"):
        set_priority("vrrp_instance V {\npriority 5\n", "V", 5)


@pytest.mark.parametrize("value", [0, 256, -1])
def test_a_priority_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="not between 1 and 255"):
        set_priority("vrrp_instance V { priority 5 }", "V", value)
