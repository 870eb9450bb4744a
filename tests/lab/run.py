"""`make run`: starts kvtui on the keepalived of this machine, the lab or the demo.

    python -m tests.lab.run [kvtui's arguments]
    python -m tests.lab.run --needs-lab [kvtui's arguments]     only the exit status: 0 if it would boot the lab

It shows this node's keepalived, else the lab's MASTER, else the built-in demo; a message says which one and why.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from tests.lab.kernel import LabError, why_not
from tests.lab.nearby import daemons, what_to_show
from tests.lab.terminal import has_terminal, on_terminal, without_terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

ALONE = frozenset({"--demo", "--help", "-h", "--version"})
"""Arguments with which kvtui observes no node, so the lab is not needed."""


def names_a_daemon(arguments: Sequence[str]) -> bool:
    """Whether the arguments choose a keepalived."""
    return any(word == "--pid" or word.startswith("--pid=") for word in arguments)


def become_kvtui(*arguments: str) -> NoReturn:
    """Replaces this process by kvtui."""
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "kvtui", *arguments])  # noqa: S606 - no shell on purpose


def show_demo(why: str, arguments: Sequence[str]) -> NoReturn:
    """Prints why, and runs the demo. The message stays on the terminal after the demo."""
    print(why, file=sys.stderr)
    print("Starting the built-in demo instead: nothing that it shows is real.", file=sys.stderr)
    become_kvtui("--demo", *arguments)


def main(arguments: list[str]) -> int:
    """Chooses what kvtui shows, and prints the choice."""
    only_check, arguments = arguments[:1] == ["--needs-lab"], [word for word in arguments if word != "--needs-lab"]
    daemon, sentence = what_to_show(daemons())
    alone = bool(ALONE.intersection(arguments))
    needs_lab = not (alone or daemon or names_a_daemon(arguments))
    if only_check:
        return int(not needs_lab)
    if not alone:
        print(sentence, file=sys.stderr)
    if not needs_lab:
        if not alone and os.geteuid() != 0:
            print("kvtui shows more as root: sudo make run", file=sys.stderr)
        become_kvtui(*arguments)
    if why := why_not():
        show_demo(why, arguments)
    print("Booting the lab instead: a kernel with three nodes of its own. q leaves it.", file=sys.stderr)
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
