"""`make run`: kvtui on whatever this machine has.

    python -m tests.lab.run [kvtui's arguments]
    python -m tests.lab.run --needs-lab [kvtui's arguments]     only the exit status: 0 if the lab would be booted

A keepalived that runs here, else node-a of the lab's cluster, else the built-in demo after a message why.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from tests.lab.kernel import LabError, why_not
from tests.lab.terminal import has_terminal, on_terminal, without_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def needs_lab(arguments: Sequence[str]) -> bool:
    """Whether these arguments need a node, and this machine is none."""
    return not ALONE.intersection(arguments) and not keepalived_runs_here()


def become_kvtui(*arguments: str) -> NoReturn:
    """Replace this process by kvtui."""
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "kvtui", *arguments])  # noqa: S606 - no shell on purpose


def show_demo(why: str, arguments: Sequence[str]) -> NoReturn:
    """Run the demo; the message stays on the terminal when the demo has ended."""
    print(f"No keepalived runs here. {why}", file=sys.stderr)
    print("Starting the built-in demo instead: nothing that it shows is real.", file=sys.stderr)
    become_kvtui("--demo", *arguments)


def main(arguments: list[str]) -> int:
    """Choose, and say what was chosen."""
    if arguments[:1] == ["--needs-lab"]:
        return int(not needs_lab(arguments[1:]))
    if not needs_lab(arguments):
        if os.geteuid() != 0 and not ALONE.intersection(arguments):
            print("keepalived runs here; kvtui shows more as root: sudo make run", file=sys.stderr)
        become_kvtui(*arguments)
    if why := why_not():
        show_demo(why, arguments)
    print("No keepalived runs here: booting the lab, a kernel with three nodes of its own (20 s).", file=sys.stderr)
    try:
        return on_terminal("run", arguments) if has_terminal() else without_terminal(arguments)
    except LabError as error:
        show_demo(str(error), arguments)
    except OSError as error:
        show_demo(f"The lab cannot boot on this machine: {error}", arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
