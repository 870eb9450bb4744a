"""A process that answers signals as keepalived does: run as a script, told by a file what to write."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path


def answer(folder: Path, number: int) -> None:
    """Note the signal, then write each file of the script in its steps: a text, a pause, the next text."""
    with (folder / "signals").open("a") as log:
        log.write(f"{number}\n")
    for name, steps in json.loads((folder / "script").read_text()).get(str(number), {}).items():
        for pause, text in steps:
            time.sleep(pause)
            (folder / name).write_text(text)


def main() -> None:
    """Handle the signals that are named on the command line, say so, and wait for them."""
    folder = Path(sys.argv[1])
    for number in map(int, sys.argv[2:]):
        signal.signal(number, lambda caught, _frame: answer(folder, caught))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
