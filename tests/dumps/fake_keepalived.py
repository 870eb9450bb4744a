"""A script that answers signals as keepalived does; the file "script" in its folder lists what to write."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path


def answer(folder: Path, number: int) -> None:
    """Logs the signal, then writes each file of the script in steps: a pause, a text, the next pause."""
    with (folder / "signals").open("a") as log:
        log.write(f"{number}\n")
    for name, steps in json.loads((folder / "script").read_text()).get(str(number), {}).items():
        for pause, text in steps:
            time.sleep(pause)
            (folder / name).write_text(text)


def main() -> None:
    """Handles the signals of the command line: prints "ready" and waits for them."""
    folder = Path(sys.argv[1])
    for number in map(int, sys.argv[2:]):
        signal.signal(number, lambda caught, _frame: answer(folder, caught))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
