"""Processes that act as keepalived in a container, and processes that attack."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kit import keepalived
from tests.lab.poll import poll

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.model.keepalived import Keepalived

SHELL = "bash"
"""Acts as keepalived's program: with `-t -f FILE` it runs the first command of the file."""


@contextmanager
def target(*wrapper: str, conf: Path | str = "/etc/keepalived/keepalived.conf") -> Iterator[Keepalived]:
    """Starts a waiting process by ``wrapper`` (unshare, setpriv …) with separate namespaces or rights."""
    words = [*wrapper, SHELL, "-c", "read word; exit"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        pid = poll(lambda: _shell(process.pid), 120, "the target")
        yield keepalived(pid=pid, root=f"/proc/{pid}/root", argv=(SHELL,), conf=str(conf))
        process.communicate(b"\n")


def _shell(pid: int) -> int | None:
    while True:
        with suppress(OSError):
            if (
                Path(f"/proc/{pid}/exe").readlink().name == SHELL
                and b"read" in Path(f"/proc/{pid}/cmdline").read_bytes()
            ):
                return pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return None
        pid = int(children[0])


SWAP = """
import os, sys
folder, link = sys.argv[1:]
print("begun", flush=True)
while True:
    for old, new in ((folder, folder + ".other"), (link, folder), (folder, link), (folder + ".other", folder)):
        os.rename(old, new)
"""


@contextmanager
def swapping(folder: Path, link: Path) -> Iterator[None]:
    """Starts a process that swaps a folder and a link in a loop; both must exist."""
    words = [sys.executable, "-S", "-c", SWAP, str(folder), str(link)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as attacker:
        assert attacker.stdout
        assert attacker.stdout.readline() == b"begun\n"
        yield
        attacker.kill()


def status_of(lines: Sequence[str]) -> dict[str, str]:
    found = (line.partition(":") for line in lines)
    return {name: value.strip() for name, _, value in found}
