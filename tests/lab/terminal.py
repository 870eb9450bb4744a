"""`make lab`: the lab in the user's terminal, with kvtui on the MASTER, traffic, and a shell beside it.

    python -m tests.lab.terminal [kvtui's arguments]

The guest's console is the terminal itself. When kvtui quits, the kernel powers off and the terminal is restored.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import shutil
import signal
import sys
import termios
from typing import TYPE_CHECKING

from tests.lab.kernel import PROJECT, Kernel, LabError, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Resets what a killed full-screen program may leave: mouse reports, alternate screen, hidden cursor, colours.
SOFT_RESET = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m\r"

FAILURE = "failure"
"""File in the output folder. stage.py writes the reason into it if the cluster does not start."""


def has_terminal() -> bool:
    """Whether stdin and stdout are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def kept_terminal() -> Iterator[None]:
    """Restores the terminal at the end: user-mode Linux leaves it raw and non-blocking, also for the calling shell."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    blocking = {stream: os.get_blocking(stream) for stream in (0, 1, 2)}
    try:
        yield
    finally:
        for stream, was_blocking in blocking.items():
            os.set_blocking(stream, was_blocking)
        with contextlib.suppress(termios.error, OSError):  # the terminal may be closed
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            sys.stdout.write(SOFT_RESET)
            sys.stdout.flush()


def compile_once() -> None:
    """Compiles the guest's modules on the host. The guest would compile them at each start, on a slow CPU."""
    for folder in ("kvtui", "tests/lab", "tests/kube"):
        compileall.compile_dir(PROJECT / folder, quiet=2)


def stage(mode: str, arguments: Sequence[str]) -> list[str]:
    """Returns the command to run in the guest, see stage.py."""
    return [sys.executable, "-m", "tests.lab.stage", mode, *arguments]


def guest_environment() -> dict[str, str]:
    """Returns the user's variables that the guest needs."""
    names = [name for name in os.environ if name.startswith("KVTUI_")]
    return {name: os.environ[name] for name in ("COLORTERM", "NO_COLOR", "LANG", *names) if name in os.environ}


def hang_up(number: int, _frame: object) -> None:
    """Exits through every `finally` when the terminal closes."""
    sys.exit(128 + number)


def wait_for(kernel: Kernel) -> int:
    """Waits for the end and returns kvtui's exit status; raises LabError if kvtui did not start."""
    status = kernel.wait(None)
    failure = kernel.out / FAILURE
    if failure.exists():
        raise LabError(f"The nodes of the lab did not start: {failure.read_text().strip()}")
    return status


def on_terminal(mode: str, arguments: Sequence[str]) -> int:
    """Boots with the terminal as console and waits for the end; raises LabError if kvtui did not start."""
    sys.stdout.write("  lab        Python modules, then the kernel")  # stage.py overwrites it
    sys.stdout.flush()
    compile_once()
    columns, rows = os.get_terminal_size()
    terminal = Terminal(rows, columns, os.environ.get("TERM", "xterm-256color"))
    kernel = Kernel(stage(mode, arguments), env=guest_environment(), terminal=terminal)

    def resized(_number: int, _frame: object) -> None:
        columns, rows = os.get_terminal_size()
        kernel.resize(rows, columns)

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, hang_up)
    with kept_terminal(), kernel:
        signal.signal(signal.SIGWINCH, resized)
        return wait_for(kernel)


def without_terminal(arguments: Sequence[str]) -> int:
    """Boots and lets kvtui print to standard output, for pipes and scripts."""
    compile_once()
    with Kernel(stage("run", arguments), env=guest_environment(), stdout=sys.stdout.fileno()) as kernel:
        return wait_for(kernel)


def main() -> int:
    """`make lab`."""
    if not has_terminal():
        print("make lab needs a terminal. `make run` also works in a pipe.", file=sys.stderr)
        return 2
    if not shutil.which("tmux"):
        print("make lab shows two windows with tmux: install the Debian package tmux.", file=sys.stderr)
        return 2
    try:
        return on_terminal("lab", sys.argv[1:])
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
