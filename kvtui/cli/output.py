"""Writes a command's result to stdout (text, JSON or YAML, once or repeatedly) and messages to stderr.

A reader that stops reading must not block signals or actions: ``own_streams`` puts a thread between kvtui and both.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import msgspec

from kvtui.backend.output_writer import CHUNK_BYTES, OutputWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

    from kvtui.model.observation import Observation

HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
NOT_ASCII = re.compile(r"[^\x00-\x7e]+")

WRITE_TIMEOUT = 0.2
"""Seconds that a write which must not block waits for its reader; this keeps stdout and stderr in order."""
EXIT_TIMEOUT = 0.3
"""Seconds that the reader has for the rest after a signal, which must end kvtui within a second."""
STDERR_TIMEOUT = 3.0
"""Seconds without a byte read after which the exit stops waiting for stderr."""
MAX_STDERR_BYTES = 1 << 18
"""Maximum size of queued messages; the oldest are dropped."""
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
FIRST_SIGNAL_CODE = 128


class Format(StrEnum):
    TEXT = "text"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"

    @property
    def is_text(self) -> bool:
        return self not in {Format.JSON, Format.YAML}


class _WriterFile(io.RawIOBase):
    """An ``OutputWriter`` as a file.

    ``timeout``: how long a write waits for the reader; None for no limit. ``raises``: fails when the reader is gone.
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
        """Waits for the reader, but not again while it takes nothing."""
        if timeout is None or self._stuck_at != self.writer.taken:
            self._stuck_at = None if self.writer.wait(timeout) else self.writer.taken
        if self._raises:
            self.writer.raise_error()


class OutputStream(io.TextIOWrapper):
    def __init__(self, file: TextIO, *, timeout: float | None = None, max_queued_bytes: int | None = None) -> None:
        fd = file.fileno()
        self.writer = OutputWriter(fd, max_queued_bytes=max_queued_bytes)
        self._file = _WriterFile(self.writer, fd, timeout, raises=max_queued_bytes is None)
        # TextIOWrapper's type wants a buffered file, to collect small writes; these are not collected
        super().__init__(
            self._file,  # type: ignore[arg-type]
            encoding=file.encoding,
            errors=file.errors,
            newline="\n",
            write_through=True,
        )

    def queue(self, text: str) -> None:
        self.writer.put(text.encode(self.encoding, self.errors or "strict"))
        self._file.settle(WRITE_TIMEOUT)

    def write_latest(self, text: str) -> None:
        """Writes without waiting; replaces an earlier text that the reader has not begun."""
        self.writer.raise_error()
        self.writer.put_latest(text.encode(self.encoding, self.errors or "strict"))


@contextmanager
def own_streams() -> Iterator[None]:
    """Lets kvtui's own threads write stdout and stderr; streams that a test has replaced stay."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # closed (2>&-): the next file that is opened must not take its place
            setattr(sys, name, Path(os.devnull).open("r+", encoding="utf-8"))  # noqa: SIM115 - until the end
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
    """Waits until the reader has read everything. Returns 130 for Ctrl+C, 1 when the reader is gone, else ``code``."""
    try:
        wait_for_readers(EXIT_TIMEOUT if code >= FIRST_SIGNAL_CODE else None)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `kvtui status | head`
        return EXIT_FAILED
    except OSError as error:
        info(str(error))
        return EXIT_FAILED
    return code


def wait_for_readers(timeout: float | None) -> None:
    """Waits until the readers have read everything; drops the rest after the timeout, or on a signal."""
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
    """Returns a document as text in ASCII, so that text from outside cannot control the terminal.

    ``stream``: one of many: JSON in one line, YAML with ``---`` before it.
    """
    if form is Format.YAML:
        import yaml  # noqa: PLC0415 - takes as long as the rest of the start; only -o yaml needs it

        plain = msgspec.to_builtins(content, enc_hook=list)
        text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=False)
        return f"---\n{text}" if stream else text
    return (_ascii(msgspec.json.encode(content)) if stream else _indented(content, "\n")) + "\n"


def write_document(members: Iterable[tuple[str, object]], form: Format) -> None:
    """Writes a document by its members, as ``encode`` has it; long lists are iterators.

    JSON is never there as a whole: that of 50,000 real servers has 36 MB.
    """
    if form is Format.YAML:
        write(encode(dict(members), form))
        return
    collected: list[str] = []
    size = 0
    for piece in _pieces(members):
        collected.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            write("".join(collected))
            collected, size = [], 0
    write("".join(collected))


def _pieces(members: Iterable[tuple[str, object]]) -> Iterator[str]:
    separator = "{"
    for name, value in members:
        yield f'{separator}\n  "{name}": '
        separator = ","
        if isinstance(value, Iterator):
            yield from _list(value)
        else:
            yield _indented(value, "\n  ")
    yield "\n}\n"


def _list(values: Iterator[object]) -> Iterator[str]:
    separator = "["
    for value in values:
        yield separator + "\n    " + _indented(value, "\n    ")
        separator = ","
    yield "[]" if separator == "[" else "\n  ]"


def _indented(value: object, newline: str) -> str:
    """Returns the JSON of a nested value: a JSON string has no line breaks."""
    return _ascii(msgspec.json.format(msgspec.json.encode(value), indent=2)).replace("\n", newline)


def _ascii(encoded: bytes) -> str:
    text = encoded.decode()
    return text if text.isascii() and "\x7f" not in text else NOT_ASCII.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def write(text: str, out: TextIO | None = None) -> None:
    """Writes, and waits until it is read; Ctrl+C ends the wait. In an event loop use ``write_soon``."""
    out = out or sys.stdout
    for start in range(0, len(text), CHUNK_BYTES):  # a stream copies several times what it writes
        out.write(text[start : start + CHUNK_BYTES])
    out.flush()


def write_soon(text: str) -> None:
    """Writes; waits at most ``WRITE_TIMEOUT`` for the reader, so that an action goes on."""
    if isinstance(sys.stdout, OutputStream):
        sys.stdout.queue(text)
    else:
        write(text)


def write_latest(text: str) -> None:
    """See ``OutputStream.write_latest``: a slow reader gets the newest text, not all that it missed."""
    if isinstance(sys.stdout, OutputStream):
        sys.stdout.write_latest(text)
    else:
        write(text)


def is_read() -> bool:
    return not isinstance(sys.stdout, OutputStream) or sys.stdout.writer.is_idle


def info(text: str) -> None:
    try:
        sys.stderr.write(f"kvtui: {text}\n")
    except OSError:  # EIO: the terminal is gone; EPIPE: the reader is; Python would print an error at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def fail(text: str, code: int = EXIT_USAGE) -> NoReturn:
    info(text)
    raise SystemExit(code)


def is_redrawn() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def terminal_height() -> int:
    return _terminal_size().lines or 24


def terminal_width() -> int | None:
    """Returns the columns of the terminal; None when stdout is a pipe or a file, which get every column."""
    return _terminal_size().columns or None


def _terminal_size() -> os.terminal_size:
    try:
        return os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):  # not a terminal; closed
        return os.terminal_size((0, 0))


class WatchedText:
    """Makes the text to print from one observation after another; ``view`` makes the whole view."""

    def __init__(self, view: Callable[[Observation], str]) -> None:
        self._view = view
        self._before: list[str] | None = None

    def text(self, seen: Observation) -> str | None:
        """Returns what to print now; None where nothing changed, or the reader is behind."""
        if is_redrawn():
            return timed(seen.snapshot.time, self._view(seen))
        if not is_read():
            return None  # the next difference shows what changes
        before, self._before = self._before, self._view(seen).splitlines()
        lines = self._before if before is None else changed_lines(before, self._before)
        return timed(seen.snapshot.time, "".join(f"{line}\n" for line in lines)) if before is None or lines else None


def timed(at: float, text: str) -> str:
    """Returns a text below the time of day; on a terminal it replaces the screen without blanking it."""
    text = datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S\n") + text
    if not is_redrawn():
        return text
    lines, height = text.splitlines(), terminal_height()
    if len(lines) >= height:
        kept = max(1, height - 2)
        lines = [*lines[:kept], f"... {len(lines) - kept} more lines; a higher terminal shows them"]
    return HOME + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW


def changed_lines(before: list[str], now: list[str]) -> list[str]:
    """Returns the lines that are new or changed, and those that are gone, by their first cell."""
    old = set(before)
    names = {_name(line) for line in now}
    gone = [f"gone: {line.strip()}" for line in before if line.strip() and _name(line) not in names]
    return [line for line in now if line.strip() and line not in old] + gone


def _name(line: str) -> str:
    return re.split(r"  +", line.strip(), maxsplit=1)[0]
