"""Run as a program: speaks to one API for the node, which holds the other ends of its pipes (see ``facts``).

It ends when the node does, and with it what an exec plugin left running: they share a process group of their own.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NoReturn

import msgspec

from kvtui.backend.kube.errors import NO_LIBRARY

if TYPE_CHECKING:
    from kvtui.backend.kube.coordinator import Coordinator


def main() -> None:
    commands, facts = _own_pipes()
    lock = threading.Lock()

    def send(fact: dict[str, Any]) -> None:
        line = json.dumps(msgspec.to_builtins(fact), separators=(",", ":")).encode() + b"\n"
        try:
            with lock:
                facts.write(line)
                facts.flush()
        except OSError:  # the node is gone
            end()

    def fail(sentence: str) -> NoReturn:
        send({"error": sentence})
        end()

    try:
        from kvtui.backend.kube.coordinator import Coordinator  # noqa: PLC0415 - the library may be missing
        from kvtui.backend.kube.discovery import ApiPlace  # noqa: PLC0415
        from kvtui.backend.kube.session import Session  # noqa: PLC0415
        from kvtui.backend.kube.timing import Timing  # noqa: PLC0415
    except ImportError:
        fail(NO_LIBRARY)

    send({"alive": True})  # importing the library is over
    first = commands.readline()
    if not first:
        end()
    given = json.loads(first)
    place, timing = msgspec.convert(given["place"], ApiPlace), msgspec.convert(given["timing"], Timing)
    coordinator = Coordinator(Session(place, timing, fail), send)
    threading.Thread(target=_listen, args=(commands, coordinator), name="commands", daemon=True).start()
    coordinator.run()


def _own_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Returns the pipes to the node; exec plugins and prints of the library get /dev/null instead of them."""
    commands, facts = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return commands, facts


def _listen(commands: IO[bytes], coordinator: Coordinator) -> None:
    for line in commands:
        given = json.loads(line)
        configmap, pod = ((p[0], p[1]) if p else None for p in (given["configmap"], given["pod"]))
        coordinator.calls.put(partial(coordinator.set_targets, configmap, pod))
    end()


def end() -> NoReturn:
    """Ends this process and what a plugin left running."""
    if os.getpgrp() == os.getpid():  # else it was not started by ``process``
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    main()
