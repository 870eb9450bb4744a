"""Who and what keepalived's script would be: user, environment, limits, capabilities, namespaces of its child."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.backend.launcher.rights import Rights, rights_of
from kvtui.backend.linux import procfs
from kvtui.backend.linux.files import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.check import Check
    from kvtui.model.keepalived import Keepalived

DEFAULT_USER = "keepalived_script"
"""keepalived's script user where the config names none; root where there is no such user."""
MAX_ACCOUNTS_BYTES = 1 << 20  # of /etc/passwd and /etc/group


class UnknownUserError(Exception):
    """keepalived cannot find the script's user or group; the text says which and where it looked."""


class Identity(Struct, frozen=True):
    """What a script runs as."""

    process: int  # keepalived's child that runs it
    user: str
    uid: int
    gid: int
    env: Mapping[str, str]  # keepalived's
    cwd: str  # in keepalived's mount namespace
    rights: Rights

    @property
    def path(self) -> str:
        return self.env.get("PATH", "")


def identity_of(keepalived: Keepalived, check: Check, script_user: str | None) -> Identity:
    """Raises UnknownUserError, and OSError without permission or when keepalived ended.

    ``script_user`` is that of ``global_defs``: a name, perhaps with a group.
    """
    children = keepalived.children
    child = (children.vrrp if check.kind == "vrrp_script" else children.checker) or keepalived.pid
    proc = f"/proc/{child}"
    rights = rights_of(child)
    user, uid, gid = _user(keepalived, check.user or script_user)
    same = uid == keepalived.uid
    words = Path(f"{proc}/environ").read_bytes().decode("utf-8", "surrogateescape").split("\0")
    # root gives each script the one group (measured with 2.2.7, also for scripts of root)
    groups = rights.groups if same and uid else (gid,)
    # keepalived's change to another user takes all capabilities away
    kept = rights if same else replace(rights, permitted=0, ambient=0)
    return Identity(
        process=child,
        user=user,
        uid=uid,
        gid=gid,
        env={name: value for name, equals, value in (word.partition("=") for word in words) if equals},
        cwd=os.readlink(f"{proc}/cwd"),  # noqa: PTH115 - text
        rights=replace(kept, uid=uid, gid=gid, groups=groups),
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
        text = read_text(path, MAX_ACCOUNTS_BYTES, root=keepalived.root)
    except FileNotFoundError:
        return {}
    return {fields[0]: fields for line in text.splitlines() if (fields := line.split(":"))[0] and fields[2:3]}
