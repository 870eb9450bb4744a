"""The Debian release of the lab's kernel and keepalived: this machine's own, or the one that variables choose.

``KVTUI_LAB_DEBIAN=13`` boots Debian 13's user-mode Linux and runs its keepalived on any machine; ``12`` does the same
with Debian 12's. ``KVTUI_LAB_KERNEL=13`` changes only the kernel. Nothing is installed: `fetch` calls
packaging/keepalived-versions, which unpacks both into ``.lab``. On a machine of that release its own packages are used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
LAB = PROJECT / ".lab"
VARIABLE, KERNEL_VARIABLE = "KVTUI_LAB_DEBIAN", "KVTUI_LAB_KERNEL"
SBIN_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KEEPALIVED = {"12": "2.2.7", "13": "2.3.3"}
"""Debian release → the version of its keepalived."""


class ReleaseError(Exception):
    """The kernel or keepalived of a Debian release is not available; the text says why."""


@dataclass(frozen=True)
class Release:
    """The paths of kernel and keepalived. A number is a Debian release, or empty for this machine's own."""

    kernel_number: str = ""
    keepalived_number: str = ""

    @property
    def folder(self) -> Path:
        """The root folder of the unpacked kernel packages; ``/`` for this machine's own."""
        return LAB / f"kernel-{self.kernel_number}" if self.kernel_number else Path("/")

    @property
    def parts(self) -> tuple[str, ...]:
        """The arguments for packaging/keepalived-versions."""
        kernel = (f"kernel-{self.kernel_number}",) if self.kernel_number else ()
        return (*kernel, KEEPALIVED[self.keepalived_number]) if self.keepalived_number else kernel

    @property
    def kernel(self) -> Path | None:
        """The kernel's program; None if it does not exist."""
        if not self.kernel_number:
            found = shutil.which("linux.uml", path=SBIN_PATH)
            return Path(found) if found else None
        program = self.folder / "usr/bin/linux.uml"
        return program if program.exists() else None

    @property
    def modules(self) -> Path:
        """The folder of the kernel's modules, with one folder per Linux release."""
        return self.folder / "usr/lib/uml/modules"

    @property
    def loader(self) -> Path | None:
        """The release's dynamic loader, beside its libraries; None if the kernel uses this machine's."""
        return next(iter(self.folder.glob("usr/lib/*/ld-linux-*.so.*")), None) if self.kernel_number else None

    @property
    def keepalived_root(self) -> str:
        """The root folder of keepalived; ``/`` for this machine's own."""
        return str(LAB / f"keepalived-{KEEPALIVED[self.keepalived_number]}") if self.keepalived_number else "/"

    @property
    def keepalived(self) -> Path:
        return Path(self.keepalived_root, "usr/sbin/keepalived")


def chosen() -> Release:
    """Returns the release that the environment chooses.

    Raises:
        ReleaseError: A variable names a release that the lab does not know.
    """
    numbers = {name: os.environ.get(name, "") for name in (VARIABLE, KERNEL_VARIABLE)}
    for name, number in numbers.items():
        if number and number not in KEEPALIVED:
            raise ReleaseError(f"{name}={number}: the lab knows Debian {' and '.join(KEEPALIVED)} only.")
    wanted = numbers[KERNEL_VARIABLE] or numbers[VARIABLE], numbers[VARIABLE]
    return Release(*("" if number == machine() else number for number in wanted))


def machine(os_release: Path = Path("/etc/os-release")) -> str:
    """Returns the number of this machine's Debian release; empty on another distribution."""
    try:
        lines = dict(line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    except FileNotFoundError:
        return ""
    return lines.get("VERSION_ID", "").strip('"') if lines.get("ID", "").strip('"') == "debian" else ""


def fetch(release: Release) -> None:
    """Unpacks the missing parts of a release into ``.lab``.

    Raises:
        ReleaseError: A part cannot be fetched; the text says why.
    """
    if not release.parts:
        return
    script = PROJECT / "packaging" / "keepalived-versions"
    argv = [str(script), *release.parts]
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"The lab cannot boot on this machine: {done.stderr.strip()}")


def keepalived_root() -> str:
    """Returns the root folder of the chosen release's keepalived, ``/`` for this machine's own."""
    return chosen().keepalived_root
