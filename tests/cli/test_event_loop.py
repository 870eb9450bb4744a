"""The end of the event loop of a command is cheap."""

from __future__ import annotations

import asyncio

import pytest

from kvtui.cli import event_loop


class Large:
    """Counts calls of ``__repr__``; an exception there would be lost in asyncio's ``reprlib``."""

    shown = 0

    def __repr__(self) -> str:
        self.shown += 1
        return "a whole observation"


async def _read() -> Large:
    await asyncio.sleep(0)
    return Large()


async def _fail() -> Large:
    raise LookupError("no such thing")


def test_the_end_of_the_loop_does_not_format_the_result() -> None:
    assert event_loop.run(_read()).shown == 0


def test_an_error_is_raised_unchanged() -> None:
    with pytest.raises(LookupError, match="no such thing"):
        event_loop.run(_fail())
