"""The writer behind all output: whole texts, in order, and no outdated ones."""

from __future__ import annotations

import os
from threading import Event
from typing import TYPE_CHECKING

import pytest

from kvtui.backend.output_writer import OutputWriter
from tests.output.unread import PAGE, TIMEOUT, Pipe, until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    full = Pipe()
    yield full
    os.close(full.writer)
    full.close()


def read(pipe: Pipe, size: int) -> bytes:
    """Returns what follows the page that filled the pipe."""
    data = b""
    while len(data) < PAGE + size:
        data += os.read(pipe.reader, PAGE)
    return data[PAGE:]


def test_only_the_started_one_of_the_outdated_texts_is_written(pipe: Pipe) -> None:
    writer = OutputWriter(pipe.writer)
    writer.put(b"begun\n")
    assert not writer.wait(0.05)
    for number in range(10_000):
        writer.put_latest(b"%05d\n" % number)

    assert read(pipe, 12) == b"begun\n09999\n"
    assert writer.wait(TIMEOUT)


def test_above_its_limit_the_oldest_text_is_dropped_as_a_whole(pipe: Pipe) -> None:
    writer = OutputWriter(pipe.writer, max_queued_bytes=20)
    writer.put(b"begun\n")
    until(lambda: writer.queued == 0, "it is begun")
    for number in range(100):
        writer.put(b"%05d\n" % number)
    assert writer.queued <= 20

    assert read(pipe, 24).endswith(b"00097\n00098\n00099\n")


def test_a_skipped_frame_is_requested_when_the_reader_has_caught_up(pipe: Pipe) -> None:
    drained = Event()
    writer = OutputWriter(pipe.writer, on_drained=drained.set)
    assert not writer.skips_frame(10)
    writer.put(b"a frame of more than ten\n")
    assert writer.skips_frame(10)
    assert not drained.is_set()

    read(pipe, 25)
    assert drained.wait(TIMEOUT)
    assert not writer.skips_frame(10)


def test_a_reader_that_is_gone_is_reported_once(pipe: Pipe) -> None:
    writer = OutputWriter(pipe.writer)
    writer.put(b"for nobody")
    os.close(pipe.reader)
    assert writer.wait(TIMEOUT)
    with pytest.raises(BrokenPipeError):
        writer.raise_error()
    writer.raise_error()
    pipe.reader = os.open(os.devnull, os.O_RDONLY)


def test_a_shared_non_blocking_descriptor_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    writer = OutputWriter(pipe.writer)
    writer.put(b"x" * 10 * PAGE)

    assert read(pipe, 10 * PAGE) == b"x" * 10 * PAGE
