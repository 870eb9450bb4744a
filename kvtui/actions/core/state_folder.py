"""Where the journal is kept, and whether it will still be there tomorrow.

``KVTUI_STATE_DIR``, else ``/var/lib/kvtui`` of the host: through ``/proc/1/root`` from a pod that shares the host's
PID namespace. From any other pod the host's files cannot be reached; then it is the pod's own, and dies with it.
"""

from __future__ import annotations

import os
from pathlib import Path

from kvtui.backend.linux.procfs import mount_above

DEFAULT_FOLDER = "/var/lib/kvtui"
JOURNAL = "journal.jsonl"
INITIAL_PID_NAMESPACE = "pid:[4026531836]"  # include/linux/proc_ns.h: PROC_PID_INIT_INO
CONTAINER_ROOTS = frozenset({"overlay", "aufs", "fuse.fuse-overlayfs"})
IN_MEMORY = frozenset({"tmpfs", "ramfs", "rootfs"})


def folder(proc: Path = Path("/proc")) -> Path:
    """Returns the folder, which need not exist yet."""
    return Path(os.environ.get("KVTUI_STATE_DIR") or host_root(proc) + DEFAULT_FOLDER)


def host_root(proc: Path = Path("/proc")) -> str:
    """Returns the prefix of the host's files: empty when they are our own, or cannot be reached.

    PID 1 is the host's own init only in the initial PID namespace; in a pod it may be the pause container's.
    """
    try:
        if str((proc / "self/ns/pid").readlink()) != INITIAL_PID_NAMESPACE:
            return ""
        theirs, ours = (proc / "1/root").stat(), (proc / "self/root").stat()
    except OSError:
        return ""
    same = (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)
    return "" if same else str(proc / "1/root")


def state_note(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str | None:
    """Returns a sentence when what is kept in a folder does not outlive the pod or the machine; None when it does."""
    try:
        mount = mount_above(mounts.read_text(encoding="utf-8", errors="replace"), str(path.resolve()))
    except OSError:
        return None
    found = mount.filesystem if mount else None
    if found in CONTAINER_ROOTS:
        return (
            f"the journal ({path}) is in the container's own file system and is gone with the pod: "
            "mount a hostPath there, or set KVTUI_STATE_DIR"
        )
    if found in IN_MEMORY:
        return f"the journal ({path}) is in memory ({found}) and is gone after a reboot: set KVTUI_STATE_DIR"
    return None
