"""`make run`: kvtui on whatever this machine has.

A keepalived that runs here, else node-a of the lab's cluster, else the built-in demonstration and a sentence why.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from tests.lab.kernel import PROJECT, LabError, why_not
from tests.lab.terminal import has_terminal, on_terminal, without_terminal

ALONE = frozenset({"--demo", "--help", "-h", "--version"})
"""Arguments with which kvtui looks at no node: nothing has to be booted for them."""


def keepalived_runs_here(proc: Path = Path("/proc")) -> bool:
    """Whether any process that we can see is keepalived."""
    for comm in proc.glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == "keepalived":
                return True
        except OSError:  # ended meanwhile, or hidden from us (hidepid)
            continue
    return False


def still_missing() -> str | None:
    """Why the lab cannot boot, after what it needs was installed where we may; None when it can."""
    if why_not() is not None and os.geteuid() == 0:
        subprocess.run([PROJECT / "packaging" / "debian-packages", "lab"], check=False)  # says what it does
    return why_not()


def become_kvtui(*arguments: str) -> NoReturn:
    """Replace this process by kvtui."""
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "kvtui", *arguments])  # noqa: S606 - no shell on purpose


def main(arguments: list[str]) -> int:
    """Choose, and say what was chosen."""
    if ALONE.intersection(arguments):
        become_kvtui(*arguments)
    if keepalived_runs_here():
        if os.geteuid() != 0:
            print("keepalived runs here; kvtui shows more as root: sudo make run", file=sys.stderr)
        become_kvtui(*arguments)
    if why := still_missing():
        print(f"No keepalived runs here. {why} As root, `make run` installs them.", file=sys.stderr)
        print("This is the demonstration.", file=sys.stderr)
        become_kvtui("--demo", *arguments)
    print("No keepalived runs here: booting the lab, a kernel with three nodes of its own (20 s).", file=sys.stderr)
    try:
        return on_terminal("run", arguments) if has_terminal() else without_terminal(arguments)
    except LabError as error:
        print(f"{error}\nThe lab did not boot. This is the demonstration.", file=sys.stderr)
        become_kvtui("--demo", *arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
