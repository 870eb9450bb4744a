"""A TCP connect from kvtui's own network namespace; sends nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

from kvtui.model.connect import Connect

if TYPE_CHECKING:
    from collections.abc import Callable


async def connect(address: str, port: int, timeout: float, *, clock: Callable[[], float] = time.time) -> Connect:
    at, began = clock(), time.monotonic()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    error, source = None, None
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.setblocking(False)  # noqa: FBT003 - its only argument
        try:
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(client, (address, port))
            source = str(client.getsockname()[0])
        except OSError as why:  # a TimeoutError is one; the kernel's own has a number
            error = os.strerror(why.errno).lower() if why.errno else f"no answer within {timeout:g} s"
    return Connect(address, port, at, time.monotonic() - began, error, source)
