"""Kernel settings of a network namespace.

What /proc/sys/net shows depends on the thread that opens it, not on the path (net/sysctl_net.c): a thread inside the
namespace does it.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.linux.namespaces import open_in_network
from kvtui.backend.linux.rooted import PROC_FILE_SYSTEM, closing_fd, file_system, open_path

if TYPE_CHECKING:
    from collections.abc import Iterable

IPVS = (
    "net/ipv4/vs/conntrack",
    "net/ipv4/vs/expire_nodest_conn",
    "net/ipv4/vs/expire_quiescent_template",
    "net/ipv4/vs/conn_reuse_mode",
)
"""Those that decide what becomes of connections when a real server is drained or removed."""


def read_sysctls(pid: int | None = None, names: Iterable[str] = IPVS) -> dict[str, int]:
    """Returns dotted names such as ``net.ipv4.ip_forward`` and their values in the network namespace of a process.

    One that this kernel lacks, or that may not be read, is left out (all of IPVS when ip_vs is not loaded).
    Raises OSError: the namespace cannot be entered.
    """
    return open_in_network(pid, lambda: _read_all(names))


def write_sysctl(pid: int | None, name: str, value: int, fallback_pid: int | None = None) -> None:
    """Raises OSError: the namespace cannot be entered, or the setting may not be written."""
    open_in_network(pid, lambda: _write(name, f"{value}\n", fallback_pid))


def _read_all(names: Iterable[str]) -> dict[str, int]:
    values = {}
    for name in names:
        with suppress(FileNotFoundError, PermissionError, ValueError):
            values[name.replace("/", ".")] = int(Path("/proc/sys", name).read_text("ascii"))
    return values


def _write(name: str, text: str, fallback_pid: int | None) -> None:
    path = Path("/proc/sys", name)
    try:
        path.write_text(text, "ascii")
    except OSError as error:
        if error.errno != errno.EROFS or fallback_pid is None:
            raise
        try:
            _write_inside(str(path), text, f"/proc/{fallback_pid}/root")
        except OSError:
            raise error from None


def _write_inside(path: str, text: str, root: str) -> None:
    with closing_fd(open_path(path, root, follow=False)) as place:
        if file_system(place) != PROC_FILE_SYSTEM:  # a container may have something else there
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        Path(f"/proc/self/fd/{place}").write_text(text, "ascii")
