"""The rights of a process: ids, capabilities, limits, namespaces, cgroup."""

from __future__ import annotations

import os
import re
import resource

from msgspec import Struct

from kvtui.backend.linux import procfs

CGROUPS = "/sys/fs/cgroup"
KINDS = {
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
    "cgroup": 0x02000000,
    "time": 0x00000080,
    "mnt": 0x00020000,
}
"""Namespaces in the order of entering: CLONE_NEW… of include/uapi/linux/sched.h."""


LIMIT = re.compile(r"Max (.+?) {2,}(\w+) +(\w+)")
LIMIT_NAMES = {
    "cpu time": "CPU",
    "file size": "FSIZE",
    "data size": "DATA",
    "stack size": "STACK",
    "core file size": "CORE",
    "resident set": "RSS",
    "processes": "NPROC",
    "open files": "NOFILE",
    "locked memory": "MEMLOCK",
    "address space": "AS",
    "pending signals": "SIGPENDING",
    "msgqueue size": "MSGQUEUE",
    "nice priority": "NICE",
    "realtime priority": "RTPRIO",
    "realtime timeout": "RTTIME",
}
"""In /proc/PID/limits → ``resource.RLIMIT_…``; Python has no number of a limit on file locks."""


class Rights(Struct, frozen=True):
    """What ``/proc/PID/status`` says of a process; ids as kvtui sees them, capability sets as bit masks.

    Attributes:
        filtered: a seccomp filter or a security label that holds for it and not for kvtui; nobody can copy these.
        spaces: kinds of namespaces that differ from kvtui's, but for ``user``.
        own_users: its user namespace differs.
        cgroups: paths of ``cgroup.procs`` of its cgroup (with version 1, of each hierarchy) that is not kvtui's too.
        out_of_reach: its cgroups that kvtui cannot join: what runs stays in kvtui's.
        limits: (number, soft, hard) for ``setrlimit``.
    """

    uid: int
    gid: int
    umask: int
    groups: tuple[int, ...]
    bounding: int
    permitted: int
    inheritable: int
    ambient: int
    no_new_privs: bool
    filtered: str = ""
    spaces: tuple[str, ...] = ()
    own_users: bool = False
    cgroups: tuple[str, ...] = ()
    out_of_reach: tuple[str, ...] = ()
    limits: tuple[tuple[int, int, int], ...] = ()


def rights_of(pid: int) -> Rights:
    """Raises OSError: it has ended, or there is no permission."""
    status = procfs.status(pid)
    if not status:
        raise ProcessLookupError(f"process {pid} has ended")
    cgroups = _cgroups(procfs.cgroup(pid), procfs.cgroup("self"))
    return Rights(
        uid=int(status["Uid"].split()[1]),
        gid=int(status["Gid"].split()[1]),
        umask=int(status.get("Umask", "0022"), 8),
        groups=tuple(int(word) for word in status.get("Groups", "").split()),
        bounding=int(status.get("CapBnd", "0"), 16),
        permitted=int(status.get("CapPrm", "0"), 16),
        inheritable=int(status.get("CapInh", "0"), 16),
        ambient=int(status.get("CapAmb", "0"), 16),
        no_new_privs=status.get("NoNewPrivs", "0") != "0",
        filtered=_filters(pid, status),
        spaces=tuple(kind for kind in KINDS if _differs(pid, kind)),
        own_users=_differs(pid, "user"),
        cgroups=tuple(file for file, _ in cgroups if file),
        out_of_reach=tuple(name for file, name in cgroups if not file),
        limits=_limits(pid),
    )


def _differs(pid: int, kind: str) -> bool:
    return procfs.namespace_inode(pid, kind) != procfs.namespace_inode("self", kind)


def _filters(pid: int, status: dict[str, str]) -> str:
    mine = procfs.status("self")
    found = []
    if status.get("Seccomp", "0") != "0" and _filter_count(status) > _filter_count(mine):
        found.append("a seccomp filter")
    label, own = (procfs.text(f"/proc/{process}/attr/current").strip("\0\n ") for process in (pid, "self"))
    if label and label != own:
        found.append(f"the security label {label}")
    return " and ".join(found)


def _filter_count(status: dict[str, str]) -> int:
    """Kernels before 5.9 do not count them: then it is 1 or 0."""
    return int(status.get("Seccomp_filters") or int(status.get("Seccomp", "0") != "0"))


def _cgroups(theirs: str, ours: str) -> list[tuple[str | None, str]]:
    """Returns where to write a PID to join each of its cgroups that is not kvtui's too, and its name; None: nowhere."""
    own = set(ours.splitlines())
    found = []
    for line in theirs.splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if line in own or (number != "0" and "=" in controllers):  # name=systemd has no limits
            continue
        folders = (f"{CGROUPS}/{controllers}",) if controllers else (CGROUPS, f"{CGROUPS}/unified")
        files = (f"{folder}{path}/cgroup.procs" for folder in folders)
        name = f"{controllers}:{path}" if controllers else path
        found.append((next((f for f in files if ".." not in path and os.access(f, os.W_OK)), None), name))
    return found


def _limits(pid: int) -> tuple[tuple[int, int, int], ...]:
    """From /proc/PID/limits: prlimit(2) needs CAP_SYS_RESOURCE for another user's process."""
    found = []
    for line in procfs.text(f"/proc/{pid}/limits").splitlines():
        match = LIMIT.match(line)
        if match and match[1] in LIMIT_NAMES:
            soft, hard = (-1 if word == "unlimited" else int(word) for word in match.group(2, 3))
            found.append((getattr(resource, f"RLIMIT_{LIMIT_NAMES[match[1]]}"), soft, hard))
    return tuple(sorted(found))


def lower(limits: tuple[tuple[int, int, int], ...], maximums: dict[int, int]) -> tuple[tuple[int, int, int], ...]:
    """Returns the limits, none above ``maximums``: number → value; -1 means none."""

    def smaller(value: int, top: int | None) -> int:
        return value if top is None else top if value == -1 else min(value, top)

    return tuple((n, smaller(soft, maximums.get(n)), smaller(hard, maximums.get(n))) for n, soft, hard in limits)
