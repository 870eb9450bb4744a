"""Runs one kvtui command on another node and reads its JSON."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from kvtui.backend.remote import reach
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.settings import ClusterSettings

MAX_SECONDS = 4000.0
"""kvtui gives up a command that takes longer; a drain that waits has its own time limit, by default 300 s."""


class Answer(Struct, frozen=True):
    """What a command printed; ``document`` is None if the node gave none, then ``error`` says why."""

    node: str
    code: int | None = None
    document: dict[str, Any] | None = None
    error: str = ""


async def run_command(settings: ClusterSettings, node: str, arguments: Sequence[str]) -> Answer:
    """Runs kvtui with these arguments there; it must print one JSON document."""
    argv = reach.argv(settings, node, arguments, connect_timeout=reach.ACTION_CONNECT_TIMEOUT)
    try:
        process = await reach.start(argv)
    except OSError as error:
        return Answer(node, error=error.strerror or str(error))
    try:
        async with asyncio.timeout(MAX_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        return Answer(node, error=f"no answer within {MAX_SECONDS:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer_of(node, process.returncode, out, err)


def answer_of(node: str, code: int | None, out: bytes, err: bytes) -> Answer:
    begin = out.find(b"{")  # a login may print something before
    try:
        document = msgspec.json.decode(out[begin:] if begin >= 0 else b"")
    except msgspec.DecodeError:
        lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
        return Answer(node, code, None, plain(lines[-1] if lines else f"exit code {code}"))
    return Answer(node, code, document if isinstance(document, dict) else None)
