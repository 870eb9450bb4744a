"""The mounts of a process, from ``/proc/PID/mountinfo`` (proc(5))."""

from __future__ import annotations

import re

from msgspec import Struct

_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(Struct, frozen=True):
    source: str
    point: str
    options: frozenset[str]
    filesystem: str


def mount_above(mountinfo: str, path: str) -> Mount | None:
    """Returns the mount that holds a path: the longest mount point above it, the last one of equals."""
    mounts = [mount for line in reversed(mountinfo.splitlines()) if (mount := _parse(line)) is not None]
    above = [m for m in mounts if path == m.point or path.startswith(m.point.rstrip("/") + "/")]
    return max(above, key=lambda mount: len(mount.point), default=None)


def _parse(line: str) -> Mount | None:
    left, _, right = line.partition(" - ")
    fields, more = left.split(), right.split()
    if len(fields) < 6 or not more:
        return None
    options = {*fields[5].split(","), *(more[2].split(",") if len(more) > 2 else ())}
    return Mount(_unescaped(fields[3]), _unescaped(fields[4]), frozenset(options), more[0])


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m[1], 8)), text)
