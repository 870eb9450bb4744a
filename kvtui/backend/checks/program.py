"""The program of a script in keepalived's root: where it is, and why keepalived cannot or will not run it."""

from __future__ import annotations

import os
import stat
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.linux.files import open_regular
from kvtui.backend.linux.rooted import real_path, stat_path

if TYPE_CHECKING:
    from kvtui.backend.checks.identity import Identity
    from kvtui.model.check import Check
    from kvtui.model.keepalived import Version

DEFAULT_PATH = "/bin:/usr/bin"  # where keepalived looks without a PATH (confstr(3), _CS_PATH)
MAX_SHEBANG_BYTES = 255
CHECKS_WRITTEN_PATH = (2, 3, 0)  # before, keepalived replaced the path by the real one first (lib/notify.c)


class Program(Struct, frozen=True):
    """A script's program."""

    path: str | None  # absolute, in keepalived's root
    problems: tuple[str, ...] = ()  # why it cannot run
    insecure: str = ""  # what users other than root could replace, so that ``enable_script_security`` refuses it
    interpreter: str = ""  # the one that it names and that does not exist


def find_program(check: Check, identity: Identity, version: Version | None = None) -> Program:
    """Looks for it as keepalived does (``check_script_secure``). Raises OSError without permission to look."""
    if not check.argv:
        return Program(None, ("it names no program",))
    name = check.argv[0]
    if name.startswith("</"):
        return Program(None, ("it only opens a file, which kvtui does not try",))
    root = f"/proc/{identity.process}/root"
    if name.startswith("/"):
        places = [name]
    else:
        folders = (identity.path or DEFAULT_PATH).split(":")
        places = [f"{folder}/{name}" for folder in folders if folder.startswith("/")]
    found = next((place for place in places if _state(root, place)), None)
    if found is None:
        where = "" if name.startswith("/") else f" in keepalived's PATH {identity.path or DEFAULT_PATH}"
        return Program(None, (f"{name} does not exist{where} (in keepalived's mount namespace)",))
    insecure = _insecure(root, found) if identity.uid == 0 else ""
    problems = tuple(filter(None, (_not_executable(root, found, identity), _link(root, found, identity, version))))
    return Program(found, problems, insecure, "" if problems else _missing_interpreter(root, found))


def _state(root: str, path: str) -> os.stat_result | None:
    try:
        return stat_path(path, root)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _not_executable(root: str, path: str, identity: Identity) -> str:
    state = _state(root, path)
    if state is None or not stat.S_ISREG(state.st_mode):
        return f"{path} is not a regular file"
    if _may_execute(state, identity):
        return ""
    mode = stat.filemode(state.st_mode)
    return f"{path} is not executable for {identity.user} (uid {identity.uid}, gid {identity.gid}; mode {mode})"


def _link(root: str, path: str, identity: Identity, version: Version | None) -> str:
    """Names a folder of the path as written that is a link: since 2.3.0 ``check_security`` refuses it for root."""
    if version is None or version < CHECKS_WRITTEN_PATH or 0 not in {identity.uid, identity.gid}:
        return ""
    for folder in map(str, PurePosixPath(path).parents[-2::-1]):
        if stat.S_ISLNK(stat_path(folder, root, follow=False).st_mode):
            real = real_path(path, root)
            return f"its folder {folder} is a symbolic link, which keepalived refuses since 2.3.0: write {real}"
    return ""


def _missing_interpreter(root: str, path: str) -> str:
    with os.fdopen(open_regular(path, root=root), "rb") as file:
        first = file.read(MAX_SHEBANG_BYTES).partition(b"\n")[0]
    interpreter = first[2:].decode("utf-8", "surrogateescape").split()[:1] if first.startswith(b"#!") else []
    return interpreter[0] if interpreter and _state(root, interpreter[0]) is None else ""


def _may_execute(state: os.stat_result, identity: Identity) -> bool:
    mode = state.st_mode
    if identity.uid == 0:
        return bool(mode & 0o111)
    if state.st_uid == identity.uid:
        return bool(mode & stat.S_IXUSR)
    if state.st_gid in {identity.gid, *identity.rights.groups}:
        return bool(mode & stat.S_IXGRP)
    return bool(mode & stat.S_IXOTH)


def _insecure(root: str, path: str) -> str:
    """Names the first part of the path that another user than root may change (``check_security``)."""
    real = real_path(path, root)
    for part in (*map(str, reversed(PurePosixPath(real).parents)), real):
        state = _state(root, part)
        if state is None:
            continue
        sticky = stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
        shared = (state.st_gid and state.st_mode & stat.S_IWGRP) or state.st_mode & stat.S_IWOTH
        if state.st_uid or (shared and not sticky):
            return f"{part} (mode {stat.filemode(state.st_mode)}, owner uid {state.st_uid}, gid {state.st_gid})"
    return ""
