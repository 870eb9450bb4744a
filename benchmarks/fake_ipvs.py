# ruff: noqa: INP001 - part of the benchmarks, which are scripts
"""kvtui on a fake IPVS table of 1,000 x 10, for machines without the lab's kernel: only the kernel's part is fake.

    python -m benchmarks.fake_ipvs [--services 1000] [PROFILE BEGIN SECONDS]   (in a terminal; see benchmarks.sampled)

The messages are the kernel's, byte for byte, and are decoded like the kernel's; only the system calls are missing.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmarks.sampled import Sampler
from kvtui.backend.ipvs import decode, reader, uapi
from tests.ipvs.messages import Dest, service_attributes, service_message

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def _address(number: int, third: int) -> bytes:
    return bytes([10, number // 250, third, number % 250 + 1])


class FakeIpvs:
    """Replaces ``GenericNetlink``."""

    def __init__(self, services: int = 1000, reals: int = 10) -> None:
        each = [service_message(service_attributes(address=_address(n, 0))) for n in range(services)]
        self._services = {decode.selector(decode.service(m, 0, len(m)).key): m for m in each}
        self._reals = {
            key: [Dest(address=_address(n, r + 1), method=3).message() for r in range(reals)]
            for n, key in enumerate(self._services)
        }

    def dump(self, command: int, made: Callable[[bytes, int, int], T], request: bytes = b"") -> list[T]:
        """Returns every service, or the real servers of one."""
        messages = self._services.values() if command == uapi.CMD_GET_SERVICE else self._reals[request]
        return [made(message, 0, len(message)) for message in messages]

    def ask(self, _command: int, request: bytes = b"") -> list[bytes]:
        """Returns one service."""
        return [self._services[request]]

    def close(self) -> None:
        """Does nothing: no socket is open."""


def main() -> None:
    """Runs kvtui."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("profile", nargs="*")
    options = parser.parse_args()
    setattr(reader, "open_channel", lambda _pid: FakeIpvs(options.services))  # noqa: B010 - it has all that is used of a channel
    setattr(reader, "require_ipvs", lambda *_: None)  # noqa: B010 - this kernel has none
    if options.profile:
        file, begin, seconds = options.profile
        Sampler(Path(file), float(begin), float(seconds)).start()
    sys.argv = ["kvtui", "--no-kube"]
    runpy.run_module("kvtui", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
