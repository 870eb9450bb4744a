"""A machine with only Debian: a disposable layer over one root file system, usually without a network."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.ui.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]  # they end with the command
ONLINE = ("/etc/resolv.conf", "/etc/hosts", "/etc/pip.conf", "/etc/ssl/certs")
"""Files of this machine that pip needs to reach its index."""
ENTER = """
set -e
root=$1 layer=$2 shared=$3 online=$4; shift 4
mount -t tmpfs tmpfs /mnt
mkdir /mnt/root
mount -t overlay overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" /mnt/root
cd /mnt/root
mkdir -p given
mount --bind "$shared" given
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
for path in $online; do
    [ -e "$path" ] || continue
    if [ -d "$path" ]; then mkdir -p "./$path"; else rm -f "./$path"; touch "./$path"; fi
    mount --bind "$path" "./$path"
done
exec chroot . "$@"
"""
PATH = "/root/.local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Machine:
    """Keeps what is written until the layer's folder is removed.

    Args:
        root: the root file system below.
        layer: an empty folder for this machine's files.
        given: a folder that the machine has as /given.
        environment: added to a bare environment.
        online: whether it has this machine's network and its pip settings and variables; otherwise it can
            only install what is in ``given``.
    """

    root: Path
    layer: Path
    given: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    online: bool = False

    def __post_init__(self) -> None:
        for name in ("upper", "work"):
            (self.layer / name).mkdir(parents=True)

    @property
    def prefix(self) -> list[str]:
        """Returns the command prefix that runs a command on this machine."""
        variables = {"PATH": PATH, "HOME": "/root", "TERM": "xterm-256color", "LANG": "C.UTF-8", **self.environment}
        if self.online:
            variables |= {
                name: value for name, value in os.environ.items() if name.lower().startswith(("pip_", "http"))
            }
        places = [str(self.root), str(self.layer), str(self.given), " ".join(ONLINE if self.online else ())]
        namespaces = NAMESPACES if self.online else [*NAMESPACES, "--net"]
        return [*namespaces, "sh", "-c", ENTER, "sh", *places, "env", "-i", *(f"{k}={v}" for k, v in variables.items())]

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run([*self.prefix, *command], capture_output=True, text=True, check=False, timeout=900)

    def must(self, *command: str) -> str:
        """Runs a command that must succeed; returns its output."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def terminal(self, *command: str) -> PseudoTerminal:
        """Runs a command on a pty."""
        return PseudoTerminal(prefix=self.prefix, command=command)

    def files(self) -> set[str]:
        """Returns the files that were added here, in the places where packages install files."""
        upper = self.layer / "upper"
        places = [upper / name for name in ("usr", "opt", "etc", "var/lib/kvtui") if (upper / name).exists()]
        return {f"/{p.relative_to(upper)}" for place in places for p in place.rglob("*") if p.is_file()}
