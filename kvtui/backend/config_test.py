"""Runs ``keepalived -t`` with the running keepalived's program and flags, in its namespaces.

Measured (2.2.7; 2.1.5 in keepalived.md section 4): the exit code says little. It is 0 for a missing file, 5 for a
warning, and with 2.1.5 it is 0 for any error. So a test is clean only when keepalived prints nothing. A message that
several processes print is kept once.

The running config is tested from a memory file: nothing is written to disk.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.conf.copies import saved_lines
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.backend.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, set_namespace, unshare
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from kvtui.model.keepalived import Keepalived

TIMEOUT = 10.0
"""Seconds; usually 9 ms, but the lookup of a script's user may ask a name server."""

CLONE_FS = 0x00000200  # include/uapi/linux/sched.h
NAMESPACES = {"pid": CLONE_NEWPID, "net": CLONE_NEWNET, "mnt": CLONE_NEWNS}
"""In the order of entering: the mount namespace last, since /proc is another one there."""

CHROOT = """
import os, sys
root, program, *argv = sys.argv[1:]
try:
    os.fchdir(int(root))
    os.chroot(".")
    os.execve(int(program), argv, dict(os.environ))
except OSError as error:
    sys.exit(100 + error.errno % 100)
"""
"""A separate Python runs this where setns(2) is not permitted: in a container without CAP_SYS_ADMIN, whose seccomp
profile refuses unshare(2) too. keepalived's root, through /proc/PID/root, has its mounts."""
CHROOT_FAILED = range(100, 200)
"""Its exit codes when it could not become keepalived; keepalived's own are below 10."""

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
RUNNING = "the running config"
_PLACE = re.compile(r"\((?:(?P<file>.+): )?Line (?P<line>\d+)\) (?P<text>.*)")


class ConfigTestUnavailableError(OSError):
    """``keepalived -t`` cannot run; the text says why and what to do."""


class Message(Struct, frozen=True):
    """A message of ``keepalived -t``, with file and line if it has them; passwords are masked."""

    text: str
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        return f"{place}: {self.text}" if place else self.text


class ConfigTest(Struct, frozen=True):
    """The result of a test.

    Attributes:
        exit_code: 0 ok, 2 or 5 config error, 6 script security (see the module); None when it did not exit by itself.
        killed_by: name of the signal that ended it (2.1.5 crashes on a missing brace).
        timed_out: it was killed after ``TIMEOUT``.
        messages: each once, in order.
    """

    exit_code: int | None
    killed_by: str | None = None
    timed_out: bool = False
    messages: tuple[Message, ...] = ()

    @property
    def clean(self) -> bool:
        return self.exit_code == 0 and not self.messages


def run(keepalived: Keepalived, *, text: str | None = None, timeout: float = TIMEOUT) -> ConfigTest:
    """Tests the config file of a keepalived, or a text instead.

    Args:
        keepalived: whose program, namespaces and flags.
        text: tested instead of the file (relative includes in it are not found).
        timeout: seconds.

    Raises:
        ConfigTestUnavailableError: no permission for its namespaces (CAP_SYS_PTRACE and CAP_SYS_CHROOT; CAP_SYS_ADMIN
            too when it has another network or PID namespace than kvtui), its program cannot run, or it ended.
    """
    arguments = parse_arguments(keepalived.argv)
    with ExitStack() as files:
        descriptors = []
        conf = keepalived.conf
        if text is not None:
            descriptors.append(_memory_file(files, text))
            conf = f"/proc/self/fd/{descriptors[0]}"
        argv = [keepalived.argv[0] if keepalived.argv else "keepalived", "-t", "-f", conf]
        argv += ["-i", arguments.config_id] if arguments.config_id is not None else []
        argv += ["-s", arguments.net_namespace] if arguments.net_namespace is not None else []
        process = _start(keepalived, argv, descriptors, files)
        exit_code, output, timed_out = _outcome(process, timeout)
    if exit_code in CHROOT_FAILED:
        raise ConfigTestUnavailableError(
            errno.EPERM,
            f"`keepalived -t` cannot run in the root of keepalived {keepalived.pid} "
            f"({os.strerror(exit_code - CHROOT_FAILED.start)}): run kvtui as root or with CAP_SYS_CHROOT",
        )
    known = secrets_in(text.splitlines() if text is not None else _lines(keepalived, arguments.config_id))
    return ConfigTest(
        exit_code=exit_code if exit_code >= 0 and not timed_out else None,
        killed_by=signal.Signals(-exit_code).name if exit_code < 0 and not timed_out else None,
        timed_out=timed_out,
        messages=messages(output, known, names={conf: RUNNING} if text is not None else {}),
    )


def messages(output: str, known: frozenset[str], names: dict[str, str]) -> tuple[Message, ...]:
    """Parses the output of ``keepalived -t``."""
    found: dict[tuple[str, int | None], Message] = {}
    for raw in output.splitlines():
        line = masked(raw.strip(), known)
        for real, shown in names.items():
            line = line.replace(real, shown)
        if not line:
            continue
        match = _PLACE.fullmatch(line)
        message = Message(match["text"], match["file"], int(match["line"])) if match else Message(line)
        key = (message.text, message.line)
        if key not in found or found[key].file is None:
            found[key] = message  # keeps its first position, and the file's name if any process printed it
    return tuple(found.values())


def _lines(keepalived: Keepalived, config_id: str | None) -> tuple[str, ...]:
    try:
        return saved_lines(keepalived.conf, root=keepalived.root, config_id=config_id)
    except OSError:
        return ()


def _memory_file(files: ExitStack, text: str) -> int:
    """Creates a memory file, not executable: keepalived skips executable files."""
    fd = os.memfd_create("kvtui-config-test", os.MFD_CLOEXEC)
    files.callback(os.close, fd)
    os.fchmod(fd, 0o400)
    data = text.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _start(keepalived: Keepalived, argv: list[str], descriptors: list[int], files: ExitStack) -> subprocess.Popen[str]:
    """Starts it from a thread that enters the namespaces and then ends, so that no other thread changes its own."""
    proc = f"/proc/{keepalived.pid}"
    try:
        program = _opened(files, f"{proc}/exe", os.O_RDONLY)
        root = _opened(files, f"{proc}/root", os.O_PATH | os.O_DIRECTORY)
        null = _opened(files, "/dev/null", os.O_RDWR)
        spaces = [
            (_opened(files, f"{proc}/ns/{kind}", os.O_RDONLY), flag)
            for kind, flag in NAMESPACES.items()
            if os.readlink(f"{proc}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")  # noqa: PTH115 - no path
        ]
    except PermissionError as error:
        raise ConfigTestUnavailableError(
            error.errno, f"`keepalived -t` needs the namespaces of process {keepalived.pid}: run kvtui as root"
        ) from error
    except OSError as error:
        raise ConfigTestUnavailableError(error.errno, f"keepalived {keepalived.pid} has ended: try again") from error

    def start(words: list[str], executable: str, *more: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            words,
            executable=executable,
            pass_fds=[program, *descriptors, *more],
            stdin=null,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=ENVIRONMENT,
            text=True,
            errors="replace",
        )

    def enter_and_start() -> subprocess.Popen[str]:
        if spaces or keepalived.root:
            _enter(spaces, root)
        return start(argv, f"/proc/self/fd/{program}")

    with ThreadPoolExecutor(1, thread_name_prefix="config-test") as pool:
        try:
            return pool.submit(enter_and_start).result()
        except PermissionError as error:
            if [flag for _, flag in spaces] == [CLONE_NEWNS]:
                words = [sys.executable, "-I", "-S", "-c", CHROOT, str(root), str(program), *argv]
                return start(words, sys.executable, root)
            raise ConfigTestUnavailableError(
                error.errno,
                f"`keepalived -t` cannot enter the namespaces of process {keepalived.pid}: run kvtui as root "
                "or with CAP_SYS_ADMIN and CAP_SYS_CHROOT",
            ) from error
        except OSError as error:
            raise ConfigTestUnavailableError(
                error.errno,
                f"`keepalived -t` cannot run in the namespaces of keepalived {keepalived.pid}: {error.strerror}",
            ) from error


def _opened(files: ExitStack, path: str, flags: int) -> int:
    fd = os.open(path, flags | os.O_CLOEXEC)
    files.callback(os.close, fd)
    return fd


def _enter(spaces: list[tuple[int, int]], root: int) -> None:
    """Enters namespaces and root directory with the calling thread only (setns(2), unshare(2): CLONE_FS first)."""
    unshare(CLONE_FS)
    for fd, flag in spaces:
        set_namespace(fd, flag)
    os.fchdir(root)
    os.chroot(".")


def _outcome(process: subprocess.Popen[str], timeout: float) -> tuple[int, str, bool]:
    with process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            return process.returncode, output, True
    return process.returncode, output, False
