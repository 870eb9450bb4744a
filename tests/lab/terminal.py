"""`make lab`: the lab on a person's terminal, kvtui on the MASTER with traffic flowing, and a shell beside it.

    python -m tests.lab.terminal [kvtui's arguments]

The guest's console is the terminal itself. When kvtui quits, the kernel is powered off and the terminal is as before.
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

# What a full-screen program that was cut off may leave: mouse reports, alternate screen, hidden cursor, colours.
SOFT_RESET = "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m\r"

FAILURE = "failure"
"""File in the output folder in which stage.py says why the cluster did not come up."""


def has_terminal() -> bool:
    """Whether a person sits there."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def kept_terminal() -> Iterator[None]:
    """Give the terminal back as it was: user-mode Linux makes it raw and non-blocking, for the shell after us too."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    blocking = {stream: os.get_blocking(stream) for stream in (0, 1, 2)}
    try:
        yield
    finally:
        for stream, was_blocking in blocking.items():
            os.set_blocking(stream, was_blocking)
        with contextlib.suppress(termios.error, OSError):  # the terminal itself may have gone away
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
            sys.stdout.write(SOFT_RESET)
            sys.stdout.flush()


def compile_once() -> None:
    """Compile what runs inside: there it would be compiled at each start, on a slow CPU, and kept nowhere."""
    for folder in ("kvtui", "tests/lab", "tests/kube"):
        compileall.compile_dir(PROJECT / folder, quiet=2)


def stage(mode: str, arguments: Sequence[str]) -> list[str]:
    """The command that runs inside, see stage.py."""
    return [sys.executable, "-m", "tests.lab.stage", mode, *arguments]


def passed_on() -> dict[str, str]:
    """The few variables of the person's environment that matter inside."""
    names = [name for name in os.environ if name.startswith("KVTUI_")]
    return {name: os.environ[name] for name in ("COLORTERM", "NO_COLOR", "LANG", *names) if name in os.environ}


def hang_up(number: int, _frame: object) -> None:
    """Leave through every `finally` when the terminal goes away."""
    sys.exit(128 + number)


def wait_for(kernel: Kernel) -> int:
    """Wait for the end and return kvtui's exit status; raises LabError if kvtui was never reached."""
    status = kernel.wait(None)
    failure = kernel.out / FAILURE
    if failure.exists():
        raise LabError(f"The nodes of the lab did not start: {failure.read_text().strip()}")
    return status


def on_terminal(mode: str, arguments: Sequence[str]) -> int:
    """Boot with the terminal as console and wait for the end; raises LabError if kvtui was never reached."""
    sys.stdout.write("  lab        Python modules, then the kernel")  # stage.py writes over it
    sys.stdout.flush()
    compile_once()
    columns, rows = os.get_terminal_size()
    terminal = Terminal(rows, columns, os.environ.get("TERM", "xterm-256color"))
    kernel = Kernel(stage(mode, arguments), env=passed_on(), terminal=terminal)

    def resized(_number: int, _frame: object) -> None:
        columns, rows = os.get_terminal_size()
        kernel.resize(rows, columns)

    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, hang_up)
    with kept_terminal(), kernel:
        signal.signal(signal.SIGWINCH, resized)
        return wait_for(kernel)


def without_terminal(arguments: Sequence[str]) -> int:
    """Boot, and let kvtui print to our standard output, for pipes and scripts."""
    compile_once()
    with Kernel(stage("run", arguments), env=passed_on(), stdout=sys.stdout.fileno()) as kernel:
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
