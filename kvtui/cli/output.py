"""How a command's result reaches stdout: text, JSON or YAML, once or again and again."""

from __future__ import annotations

import os
import re
import sys
from datetime import datetime
from enum import StrEnum
from typing import Any, TextIO

import msgspec

NOT_ASCII = re.compile(r"[^\x00-\x7e]+")


class Format(StrEnum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


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
    """Write and flush: a reader of ``--watch`` sees each observation when it is made."""
    out = out or sys.stdout
    out.write(text)
    out.flush()


def narrate(text: str) -> None:
    """A sentence for the person, on stderr; stdout is data. Where nobody reads any more the exit code still tells."""
    try:
        sys.stderr.write(f"kvtui: {text}\n")
    except OSError:  # EIO: the terminal is gone; EPIPE: the reader is. Python must not complain at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def fail(text: str, code: int) -> Any:
    """Say what went wrong and end with an exit code.

    Raises:
        SystemExit: always.
    """
    narrate(text)
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
