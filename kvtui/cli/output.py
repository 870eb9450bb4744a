"""Writes a command's result to stdout (text, JSON or YAML, once or repeatedly) and sentences to stderr.

A reader that stops reading must not hold up signals or actions: ``own_streams`` puts a thread between kvtui and both.
"""

from __future__ import annotations

import io
import os
import re
import sys
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from kvtui.backend.output_writer import OutputWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer

NOT_ASCII = re.compile(r"[^\x00-\x7e]+")

WRITE_TIMEOUT = 0.2
"""Seconds for which a write that must hold up nothing waits for its reader; this keeps stdout and stderr in order."""
EXIT_TIMEOUT = 0.3
"""Seconds that the reader has to take what is left after a signal, which must end kvtui within a second."""
STDERR_TIMEOUT = 3.0
"""Seconds without a byte taken after which the end does not wait for stderr any more: the exit code still tells."""
MAX_STDERR_BYTES = 1 << 18
"""Queued sentences; the oldest are dropped above this."""
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
FIRST_SIGNAL_CODE = 128


class Format(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


class _WriterFile(io.RawIOBase):
    """An ``OutputWriter`` as a file.

    Args:
        writer: does the writing.
        fd: what it writes to.
        timeout: how long a write waits for the reader; None for as long as it takes.
        raises: whether a write tells that the reader is gone.
    """

    def __init__(self, writer: OutputWriter, fd: int, timeout: float | None, *, raises: bool) -> None:
        self.writer = writer
        self._fd = fd
        self._timeout = timeout
        self._raises = raises
        self._stuck_at: int | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def write(self, data: Buffer, /) -> int:
        copy = bytes(data)
        self.writer.put(copy)
        self.settle(self._timeout)
        return len(copy)

    def settle(self, timeout: float | None) -> None:
        """Wait for the reader, but not again while it takes nothing."""
        if timeout is None or self._stuck_at != self.writer.taken:
            self._stuck_at = None if self.writer.wait(timeout) else self.writer.taken
        if self._raises:
            self.writer.raise_error()


class OutputStream(io.TextIOWrapper):
    """Stands in for ``sys.stdout`` or ``sys.stderr``.

    Args:
        file: the stream that it stands in for.
        timeout: how long a write waits for the reader; None for as long as it takes.
        max_queued_bytes: see ``OutputWriter``.
    """

    def __init__(self, file: TextIO, *, timeout: float | None = None, max_queued_bytes: int | None = None) -> None:
        fd = file.fileno()
        self.writer = OutputWriter(fd, max_queued_bytes=max_queued_bytes)
        self._file = _WriterFile(self.writer, fd, timeout, raises=max_queued_bytes is None)
        # TextIOWrapper asks for a buffered file only to collect small writes; these are collected nowhere
        super().__init__(
            self._file,  # type: ignore[arg-type]
            encoding=file.encoding,
            errors=file.errors,
            newline="\n",
            write_through=True,
        )

    def queue(self, text: str) -> None:
        """Write without waiting longer than ``WRITE_TIMEOUT``."""
        self.writer.put(text.encode(self.encoding, self.errors or "strict"))
        self._file.settle(WRITE_TIMEOUT)

    def write_latest(self, text: str) -> None:
        """Write without waiting, instead of an earlier text that is not begun.

        Raises:
            OSError: the reader is gone.
        """
        self.writer.raise_error()
        self.writer.put_latest(text.encode(self.encoding, self.errors or "strict"))


@contextmanager
def own_streams() -> Iterator[None]:
    """Let kvtui's own threads write stdout and stderr; streams that were replaced (by a test) stay."""
    stdout, stderr = sys.stdout, sys.stderr
    if isinstance(stdout, io.TextIOWrapper) and stdout is sys.__stdout__:
        sys.stdout = OutputStream(stdout)
    if isinstance(stderr, io.TextIOWrapper) and stderr is sys.__stderr__:
        sys.stderr = OutputStream(stderr, timeout=WRITE_TIMEOUT, max_queued_bytes=MAX_STDERR_BYTES)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = stdout, stderr


def finish(code: int) -> int:
    """Wait until what was printed is read; a signal ends this at once.

    Returns:
        The exit code: 130 for Ctrl+C, 1 when the reader went away, else ``code``.
    """
    try:
        wait_for_readers(EXIT_TIMEOUT if code >= FIRST_SIGNAL_CODE else None)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `kvtui status | head`
        return EXIT_FAILED
    except OSError as error:
        info(f"the output cannot be written: {error}")
        return EXIT_FAILED
    return code


def wait_for_readers(timeout: float | None) -> None:
    """Wait until what was printed is read, and forget it after the time, or when a signal comes.

    Raises:
        OSError: stdout cannot be written.
    """
    out, err = sys.stdout, sys.stderr
    try:
        if isinstance(out, OutputStream):
            out.writer.wait(timeout)
            out.writer.raise_error()
        if isinstance(err, OutputStream):
            err.writer.wait_while_taken(STDERR_TIMEOUT if timeout is None else timeout)
    finally:
        for stream in (out, err):
            if isinstance(stream, OutputStream):
                stream.writer.abandon()


def encode(content: object, form: Format, *, stream: bool = False) -> str:
    """A document as text, in ASCII: text from outside reaches no terminal as it is.

    Args:
        content: what to print.
        form: JSON or YAML.
        stream: one of many: JSON takes one line each, YAML starts each with ``---``.
    """
    if form is Format.YAML:
        return _yaml(msgspec.to_builtins(content), stream=stream)
    encoded = msgspec.json.encode(content)
    text = (encoded if stream else msgspec.json.format(encoded, indent=2)).decode() + "\n"
    return text if text.isascii() else NOT_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def _yaml(content: object, *, stream: bool) -> str:
    import yaml  # noqa: PLC0415 - costs as much as the rest of a start; only -o yaml needs it

    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=False)
    return f"---\n{text}" if stream else text


def write(text: str, out: TextIO | None = None) -> None:
    """Write and wait until it is read; Ctrl+C ends the wait. Not for an event loop: see ``write_soon``."""
    out = out or sys.stdout
    out.write(text)
    out.flush()


def write_soon(text: str) -> None:
    """Write without holding up an action that runs, or is about to."""
    if isinstance(sys.stdout, OutputStream):
        sys.stdout.queue(text)
    else:
        write(text)


def write_latest(text: str) -> None:
    """Write one of many texts: a reader that falls behind gets the newest next, not all that it missed."""
    if isinstance(sys.stdout, OutputStream):
        sys.stdout.write_latest(text)
    else:
        write(text)


def is_read() -> bool:
    """Whether everything that was written to stdout has been read."""
    return not isinstance(sys.stdout, OutputStream) or sys.stdout.writer.is_idle


def info(text: str) -> None:
    """Write a sentence for the person to stderr; stdout is data. If nobody reads it the exit code still tells."""
    try:
        sys.stderr.write(f"kvtui: {text}\n")
    except OSError:  # EIO: the terminal is gone; EPIPE: the reader is. Python must not complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def fail(text: str, code: int) -> Any:
    """Say what went wrong and end with an exit code.

    Raises:
        SystemExit: always.
    """
    info(text)
    raise SystemExit(code)


def heading(at: float) -> str:
    """What stands before each of repeated text views: when it was seen; on a terminal it is cleared first.

    Args:
        at: seconds since the epoch.
    """
    clock = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return f"\x1b[H\x1b[2J{clock}\n"
    return f"{clock}\n"


def room() -> int | None:
    """Columns of the terminal that stdout is; None where it is none: a pipe and a file get every column."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):  # no terminal; no file at all
        return None
