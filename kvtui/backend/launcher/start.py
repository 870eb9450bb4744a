"""What starts the launcher: its specification, the descriptors in it, and its own Python."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from kvtui.backend.launcher.rights import KINDS
from kvtui.backend.launcher.source import LAUNCHER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack

    from kvtui.backend.launcher.rights import Rights

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
MFD_EXEC = 0x0010  # Linux 6.3 (include/uapi/linux/memfd.h)
COPIED = ("limits", "umask", "uid", "gid", "groups", "bounding", "permitted", "inheritable", "ambient", "no_new_privs")
"""Fields of ``Rights`` that the launcher gets as they are."""
ENTER = "enter the namespaces"  # the stage that needs CAP_SYS_ADMIN


class Launch(Struct, frozen=True):
    """How to start the launcher: words, its program, stdin, and the descriptors that it inherits."""

    words: tuple[str, ...]
    executable: str
    stdin: int
    descriptors: tuple[int, ...]
    environment: Mapping[str, str]

    def options(self, output: int) -> dict[str, Any]:
        """Returns the keyword arguments that subprocess and asyncio take; the program writes to ``output``."""
        return {
            "executable": self.executable,
            "pass_fds": self.descriptors,
            "stdin": self.stdin,
            "stdout": output,
            "stderr": output,
            "env": self.environment,
            "start_new_session": True,  # a script must not reach the operator's terminal
        }


def open_pipe(reading: ExitStack, writing: ExitStack) -> tuple[int, int]:
    """Returns both ends, each closed with its stack; the reading end does not block."""
    ends = os.pipe()
    for stack, end in zip((reading, writing), ends, strict=True):
        stack.callback(os.close, end)
    os.set_blocking(ends[0], False)
    return ends


def read_facts(status: bytes) -> dict[str, Any]:
    """Parses the launcher's JSON lines: ``missed`` cgroups, PID of the ``keeper``, ``exit``, ``ended``, ``error``."""
    facts: dict[str, Any] = {}
    for line in status.splitlines(keepends=True):
        if line.endswith(b"\n"):
            facts |= json.loads(line)
    if "ended" in facts and "error" not in facts:
        facts.setdefault("exit", facts["ended"])  # the program ended its parent too
    return facts


def prepare(
    files: ExitStack,
    pid: int,
    rights: Rights,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    status: int,
    cwd: str = "root",
    program: Sequence[int] = (),
    enter: bool = True,
) -> Launch:
    """Opens all that the launcher needs of the target, process ``pid``; ``files`` closes it.

    ``rights`` are ``rights_of(pid)``, perhaps with less. The first word of ``argv`` is a path in the target's root,
    unless ``program`` is given: the program's descriptor, then those that it gets, from 5 on. ``status`` is a
    descriptor for the launcher's JSON lines; ``cwd`` a link in ``/proc/PID``. Without ``enter`` no namespace is
    entered, only the root directory. Raises OSError: no permission, or the target has ended.
    """
    proc = f"/proc/{pid}"
    descriptors: list[int] = [status, *program]

    def opened(path: str, flags: int = os.O_RDONLY) -> int:
        fd = os.open(path, flags | os.O_CLOEXEC)
        files.callback(os.close, fd)
        descriptors.append(fd)
        return fd

    folder = os.O_PATH | os.O_DIRECTORY
    theirs, ours = os.stat(f"{proc}/root"), os.stat("/")  # noqa: PTH116 - text in, numbers out
    same_root = (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino) and "mnt" not in rights.spaces
    spec: dict[str, Any] = {
        "status": status,
        "namespaces": [(opened(f"{proc}/ns/{k}"), KINDS[k]) for k in rights.spaces] if enter else [],
        "user_namespace": opened(f"{proc}/ns/user") if rights.own_users else None,
        "root": None if same_root else opened(f"{proc}/root", folder),
        "cwd": opened(f"{proc}/{cwd}", folder),
        "cgroups": [(opened(file, os.O_WRONLY), file) for file in rights.cgroups],
        **{name: getattr(rights, name) for name in COPIED},
        "may_gain_nothing": bool(program),
        "files": list(program),
        "argv": list(argv),
        "env": dict(env),
    }
    python = _python(files)
    libraries = {"LD_LIBRARY_PATH": f"{sys.base_prefix}/lib"} if sysconfig.get_config_var("Py_ENABLE_SHARED") else {}
    return Launch(
        words=(sys.executable, "-I", "-S", "-c", LAUNCHER),
        executable=f"/proc/self/fd/{python}",
        stdin=memory_file(files, json.dumps(spec).encode()),
        descriptors=(*descriptors, python),
        environment={**ENVIRONMENT, **libraries},
    )


def memory_file(files: ExitStack, data: bytes) -> int:
    """Holds what does not belong on a disk or a command line; not executable, and for its owner alone."""
    fd = os.memfd_create("kvtui", os.MFD_CLOEXEC)
    files.callback(os.close, fd)
    os.fchmod(fd, 0o400)
    with os.fdopen(os.dup(fd), "wb") as stream:
        stream.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _python(files: ExitStack) -> int:
    """Returns a sealed copy of this Python.

    The launcher's ``/proc/PID/exe`` shows for a moment in the target's PID namespace, and a script that starts with
    ``#!/proc/self/exe`` names it: a program that opened it for writing would change the host's Python (CVE-2019-5736).
    """
    try:
        fd = os.memfd_create("kvtui-launcher", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING | MFD_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fd = os.memfd_create("kvtui-launcher", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    files.callback(os.close, fd)
    with open(sys.executable, "rb") as source, os.fdopen(os.dup(fd), "wb") as copy:  # noqa: PTH123 - text
        shutil.copyfileobj(source, copy, 1 << 20)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return fd
