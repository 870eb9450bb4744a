"""Who and what keepalived's script would be: user, environment, limits, capabilities, namespaces of its child."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.linux import procfs
from kvtui.backend.linux.files import open_regular, resolve_inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.check import Check
    from kvtui.model.keepalived import Keepalived

DEFAULT_USER = "keepalived_script"
"""keepalived's script user where the config names none; root where there is no such user."""
CGROUPS = "/sys/fs/cgroup"


class UnknownUserError(Exception):
    """keepalived cannot find the script's user or group; the text says which and where it looked."""


class Rights(Struct, frozen=True):
    """What ``/proc/PID/status`` says of keepalived's child; capability sets are bit masks.

    ``filtered`` says that a seccomp filter or another security label holds for it and not for kvtui.
    """

    umask: int
    groups: tuple[int, ...]
    bounding: int
    permitted: int
    inheritable: int
    no_new_privs: bool
    filtered: str = ""


class Identity(Struct, frozen=True):
    """What a script runs as.

    Attributes:
        process: keepalived's child that runs it.
        user: name of ``uid``.
        groups: supplementary.
        env: keepalived's environment.
        cwd: path in keepalived's mount namespace.
        cgroup: path of ``cgroup.procs``; None where kvtui cannot reach it.
        limits: (number, soft, hard) for ``setrlimit``.
        spaces: kinds of namespaces that differ from kvtui's.
        own_users: its user namespace differs: user ids mean other users there.
    """

    process: int
    user: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    env: Mapping[str, str]
    cwd: str
    cgroup: str | None
    limits: tuple[tuple[int, int, int], ...]
    rights: Rights
    spaces: tuple[str, ...]
    own_users: bool = False

    @property
    def path(self) -> str:
        return self.env.get("PATH", "")


SPACES = ("pid", "net", "ipc", "uts", "cgroup", "mnt")
"""In the order of entering."""


def identity_of(keepalived: Keepalived, check: Check, script_user: str | None) -> Identity:
    """Reads it all. ``script_user`` is that of ``global_defs``: a name, perhaps with a group.

    Raises:
        UnknownUserError: there is no such user.
        OSError: no permission, or keepalived ended.
    """
    children = keepalived.children
    child = (children.vrrp if check.kind == "vrrp_script" else children.checker) or keepalived.pid
    proc = f"/proc/{child}"
    status = procfs.status(child)
    if not status:
        raise ProcessLookupError(f"keepalived {child} has ended")
    rights = _rights(child, status)
    user, uid, gid = _user(keepalived, check.user or script_user)
    environment = _environment(proc)
    return Identity(
        process=child,
        user=user,
        uid=uid,
        gid=gid,
        groups=rights.groups if uid == keepalived.uid else (gid,),
        env=environment,
        cwd=os.readlink(f"{proc}/cwd"),  # noqa: PTH115 - text
        cgroup=_cgroup(child),
        limits=_limits(child),
        rights=rights,
        spaces=tuple(k for k in SPACES if _space(child, k) != _space("self", k)),
        own_users=_space(child, "user") != _space("self", "user"),
    )


def _space(pid: procfs.Pid, kind: str) -> int | None:
    return procfs.namespace_inode(pid, kind)


def _environment(proc: str) -> dict[str, str]:
    with open(f"{proc}/environ", "rb") as stream:  # noqa: PTH123 - a path of /proc, as text
        words = stream.read().decode("utf-8", "surrogateescape").split("\0")
    return {name: value for name, equals, value in (word.partition("=") for word in words) if equals}


def _rights(child: int, status: Mapping[str, str]) -> Rights:
    mine = procfs.status("self")
    label, own = (procfs.text(f"/proc/{pid}/attr/current").strip("\0\n ") for pid in (child, "self"))
    filters = []
    if status.get("Seccomp", "0") != "0" and mine.get("Seccomp", "0") == "0":
        filters.append("a seccomp filter")
    if label and label != own:
        filters.append(f"the security label {label}")
    return Rights(
        umask=int(status.get("Umask", "0022"), 8),
        groups=tuple(int(word) for word in status.get("Groups", "").split()),
        bounding=int(status.get("CapBnd", "0"), 16),
        permitted=int(status.get("CapPrm", "0"), 16),
        inheritable=int(status.get("CapInh", "0"), 16),
        no_new_privs=status.get("NoNewPrivs", "0") != "0",
        filtered=" and ".join(filters),
    )


def _user(keepalived: Keepalived, line: str | None) -> tuple[str, int, int]:
    """Returns name, uid and gid: the script's, ``script_user``, ``keepalived_script`` if there is one, or root."""
    name, group = [*(line or "").split(), "", ""][:2]
    accounts = _entries(keepalived, "/etc/passwd")
    if keepalived.uid:
        own = next((n for n, f in accounts.items() if f[2:3] == [str(keepalived.uid)]), str(keepalived.uid))
        gid = int((procfs.status(keepalived.pid).get("Gid") or "0").split()[0])
        return own, keepalived.uid, gid  # only root can change to another user
    chosen = name or (DEFAULT_USER if DEFAULT_USER in accounts else "root")
    fields = accounts.get(chosen, ["root", "x", "0", "0"] if chosen == "root" else [])
    if len(fields) < 4:
        raise UnknownUserError(f"user {chosen} is not in /etc/passwd of keepalived {keepalived.pid}")
    gid = int(fields[3])
    if group:
        entry = _entries(keepalived, "/etc/group").get(group, [])
        if len(entry) < 3:
            raise UnknownUserError(f"group {group} is not in /etc/group of keepalived {keepalived.pid}")
        gid = int(entry[2])
    return chosen, int(fields[2]), gid


def _entries(keepalived: Keepalived, path: str) -> dict[str, list[str]]:
    try:
        fd = open_regular(resolve_inside(keepalived.root, path), follow=False)
    except FileNotFoundError:
        return {}
    with os.fdopen(fd, encoding="utf-8", errors="surrogateescape") as file:
        text = file.read()
    return {fields[0]: fields for line in text.splitlines() if (fields := line.split(":"))[0] and fields[2:3]}


def _cgroup(pid: int) -> str | None:
    """Returns where to write a PID to join its cgroup (v2); None where it is kvtui's own, or out of reach."""
    path = next((line[3:] for line in procfs.cgroup(pid).splitlines() if line.startswith("0::")), None)
    own = next((line[3:] for line in procfs.cgroup("self").splitlines() if line.startswith("0::")), None)
    if path is None or path == own:
        return None
    file = f"{CGROUPS}{path}/cgroup.procs"
    return file if ".." not in path and os.access(file, os.W_OK) else None


def _limits(pid: int) -> tuple[tuple[int, int, int], ...]:
    numbers = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
    return tuple((number, *resource.prlimit(pid, number)) for number in numbers)
