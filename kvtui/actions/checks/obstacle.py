"""Why a file of keepalived's cannot be replaced: it is a mount of its own, or mounted read-only."""

from __future__ import annotations

import re
from pathlib import Path

_ESCAPED = re.compile(r"\\([0-7]{3})")
_VOLUME = re.compile(r"/volumes/kubernetes\.io~(\w[\w-]*)/([^/]+)|/volume-subpaths/([^/]+)/")


def obstacle(pid: int, path: str) -> str | None:
    """Why the process's file cannot be replaced by a rename, and what to change instead; None when it can."""
    try:
        mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # then writing it will tell
    return obstacle_in(mounts, path)


def obstacle_in(mountinfo: str, path: str) -> str | None:
    """The same from the text of ``/proc/PID/mountinfo`` (proc(5)): the last mount above the path counts."""
    best: tuple[str, str, set[str]] | None = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, super_fields = left.split(), right.split()
        if len(fields) < 6 or len(super_fields) < 3:
            continue
        source, point = _unescaped(fields[3]), _unescaped(fields[4])
        above = path == point or path.startswith(point.rstrip("/") + "/")
        if above and (best is None or len(point) >= len(best[1])):
            best = (source, point, {*fields[5].split(","), *super_fields[2].split(",")})
    if best is None:
        return None
    source, point, options = best
    if point != path and "ro" not in options:
        return None
    below = path[len(point) :]
    why = f"{path} is a mount of its own and cannot be replaced" if point == path else f"{path} is mounted read-only"
    return f"{why}: change {_instead(source + below)}"


def _instead(source: str) -> str:
    match = _VOLUME.search(source)
    if match is None:
        return f"the file that is mounted there, {source} on the host's file system, and then reload"
    name = match[2] or match[3]
    if match[1] == "configmap" or match[3]:
        return f"the ConfigMap (or other source) of the pod's volume '{name}' instead, and then reload"
    return f"the source of the pod's volume '{name}' instead, and then reload"


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda m: chr(int(m[1], 8)), text)
