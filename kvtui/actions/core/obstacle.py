"""Why a file of keepalived's cannot be replaced: it is itself a mount point, or mounted read-only."""

from __future__ import annotations

import re
from pathlib import Path

from kvtui.backend.linux.procfs import mount_above

_VOLUME = re.compile(r"/volumes/kubernetes\.io~(\w[\w-]*)/([^/]+)|/volume-subpaths/([^/]+)/")


def obstacle(pid: int, path: str) -> str | None:
    """Returns why the process's file cannot be replaced by a rename, and what to change instead; None when it can."""
    try:
        mounts = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # then writing it will tell
    return obstacle_in(mounts, path)


def obstacle_in(mountinfo: str, path: str) -> str | None:
    """Returns the same from the text of ``/proc/PID/mountinfo`` (proc(5)): the last mount above the path counts."""
    mount = mount_above(mountinfo, path)
    if mount is None or (mount.point != path and "ro" not in mount.options):
        return None
    source, point = mount.source, mount.point
    below = path[len(point) :]
    why = f"{path} is itself a mount point and cannot be replaced" if point == path else f"{path} is mounted read-only"
    return f"{why}: change {_instead(source + below)}"


def _instead(source: str) -> str:
    match = _VOLUME.search(source)
    if match is None:
        return f"the file that is mounted there, {source} on the host's file system, and then reload"
    name = match[2] or match[3]
    if match[1] == "configmap" or match[3]:
        return f"the ConfigMap (or other source) of the pod's volume '{name}' instead, and then reload"
    return f"the source of the pod's volume '{name}' instead, and then reload"
