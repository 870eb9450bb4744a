"""Tail reads the end of a growing file, each line once, and never reads from a pipe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.keepalived.log.reader import MAX_BYTES, MAX_FIRST_BYTES, Tail

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "keepalived.log"
    path.write_text("one\ntwo\nthr")
    return path


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_each_complete_line_is_read_once(log: Path) -> None:
    tail = Tail(str(log))
    assert tail.read() == ["one", "two"]
    assert tail.read() == []
    append(log, "ee\nfour\n\n")
    assert tail.read() == ["three", "four", ""]


def test_only_the_last_complete_lines_of_a_long_file_are_read(log: Path) -> None:
    log.write_text("".join(f"{n:09}\n" for n in range(MAX_FIRST_BYTES)))
    found = Tail(str(log)).read()
    assert found[-1] == f"{MAX_FIRST_BYTES - 1:09}"
    assert MAX_FIRST_BYTES - 20 <= 10 * len(found) <= MAX_FIRST_BYTES
    assert all(len(line) == 9 for line in found)


def test_only_the_end_of_much_new_text_is_read_and_the_skipped_bytes_are_counted(log: Path) -> None:
    tail = Tail(str(log))
    tail.read()
    append(log, "\n" + "x" * 99 + "\n" + "y" * (MAX_BYTES - 5) + "\nend\n")
    found = tail.read()
    assert found == ["(101 bytes were skipped)", "end"]


def test_rotated_and_truncated_files_are_read_from_their_beginning(log: Path) -> None:
    tail = Tail(str(log))
    tail.read()
    log.rename(log.with_suffix(".1"))
    log.write_text("new\n")
    assert tail.read() == ["new"]
    log.write_text("")
    assert tail.read() == []
    append(log, "newer\n")
    assert tail.read() == ["newer"]


def test_invalid_utf_8_is_replaced(log: Path) -> None:
    log.write_bytes(b"a\xffb\x1b[2J\n")
    assert Tail(str(log)).read() == ["a\N{REPLACEMENT CHARACTER}b\x1b[2J"]


def test_a_pipe_is_not_read_and_a_missing_file_is_an_error(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="not a regular file"):
        Tail(str(fifo)).read()
    with pytest.raises(FileNotFoundError):
        Tail(str(tmp_path / "none")).read()
