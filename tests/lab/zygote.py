"""kvtui's command line without a Python start for each call, which costs a second of the lab's one CPU.

One process has everything imported and forks for each call: a process of its own with the arguments, environment and
network namespace that are asked for, whose streams are new, and which ends as the interpreter does. That an interpreter
which is started for it does the same, test_status, test_rights, test_screen, test_sidecar and test_writes_nothing show.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui import __main__ as program
from kvtui.backend import lazy_modules
from tests.lab.inside import LIBC, setns

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import TextIOWrapper

PROJECT = Path(__file__).parents[2]
REQUEST = 1 << 16
"""Bytes of a request: arguments and environment as JSON."""
MADV_POPULATE_WRITE = 23
"""Linux 5.14 (include/uapi/asm-generic/mman-common.h); without it, pages are copied one by one."""
AHEAD = (
    "kvtui.cli.main",
    "kvtui.cli.act",
    "kvtui.cli.views",
    "kvtui.presenters.documents",
    "kvtui.backend.node",
    "kvtui.observer",
)
"""What status and every action import in the end."""


class Zygote:
    """The side of the tests: starts the process when it is first needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    def run(
        self, netns: str, arguments: list[str], env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """``kvtui ARGUMENTS`` in that network namespace, as `ip netns exec NETNS env … kvtui ARGUMENTS` runs it.

        Args:
            netns: name of the namespace.
            arguments: as typed.
            env: the whole environment.
            timeout: seconds; then it is killed.

        Raises:
            subprocess.TimeoutExpired: it took longer.
        """
        with self._one_at_a_time, memory("stdout") as out, memory("stderr") as err:
            asked = self._started()
            with Path(f"/run/netns/{netns}").open() as namespace:
                request = json.dumps({"arguments": arguments, "env": dict(env)}).encode()
                socket.send_fds(asked, [request], [namespace.fileno(), out.fileno(), err.fileno()])
            pid = int(asked.recv(64))
            asked.settimeout(timeout)
            try:
                status = int(asked.recv(64))
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):  # it ended at this moment
                    os.kill(pid, signal.SIGKILL)
                asked.settimeout(None)
                asked.recv(64)
                raise subprocess.TimeoutExpired(["kvtui", *arguments], timeout) from None
            finally:
                asked.settimeout(None)
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(["kvtui", *arguments], status, out.read(), err.read())

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                argv = [sys.executable, "-m", "tests.lab.zygote", str(theirs.fileno())]
                self._process = subprocess.Popen(
                    argv, cwd=PROJECT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
                )
        return self._socket

    def close(self) -> None:
        """It ends when nobody can ask any more."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait()
            self._socket = self._process = None


ZYGOTE = Zygote()
"""That of this session; conftest.py closes it."""


def memory(name: str) -> TextIOWrapper:
    """A file without a name, for one stream."""
    return os.fdopen(os.memfd_create(name), "w+", encoding="utf-8")


def import_ahead() -> None:
    """Import what the calls would, and keep the garbage collector from touching, and so copying, it in each."""
    lazy_modules.install()  # as kvtui does first: what is loaded now is loaded in each call
    for name in AHEAD:
        importlib.import_module(name)
    for package in ("kvtui.actions", "kvtui.rules"):
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def serve(asked: socket.socket) -> bool:
    """Fork for each request and say how it ended; returns True in a child, which is to run kvtui."""
    while True:
        request, files, _flags, _address = socket.recv_fds(asked, REQUEST, 3)
        if not request:
            return False
        child = os.fork()
        if child == 0:
            asked.close()
            become(request, *files)
            return True
        for file in files:
            os.close(file)
        asked.send(str(child).encode())
        asked.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def populate() -> None:
    """Copies all memory at once: each page that is written to for the first time costs a fault of 50 µs here, and
    Python writes to what it reads. A third of a call's CPU time."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        words = line.split()
        start, end = (int(text, 16) for text in words[0].split("-"))
        if words[1] == "rw-p":
            LIBC.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_POPULATE_WRITE)


def become(request: bytes, namespace: int, out: int, err: int) -> None:
    """Take over the namespace, streams, environment and arguments of the request."""
    wanted = json.loads(request)
    populate()
    setns(namespace)
    for file, stream in ((out, 1), (err, 2)):
        os.dup2(file, stream)
    for file in (namespace, out, err):
        os.close(file)
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.argv[1:] = wanted["arguments"]


if __name__ == "__main__":
    import_ahead()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        program.main()
