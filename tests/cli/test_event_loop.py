"""What a command does in an event loop costs nothing at its end."""

from __future__ import annotations

import asyncio

import pytest

from kvtui.cli import event_loop


class Large:
    """Counts how often text was made of it: ``reprlib``, which asyncio uses, hides an exception."""

    shown = 0

    def __repr__(self) -> str:
        self.shown += 1
        return "a whole observation"


async def _read() -> Large:
    await asyncio.sleep(0)
    return Large()


async def _fail() -> Large:
    raise LookupError("no such thing")


def test_the_end_of_the_loop_makes_no_text_of_the_result() -> None:
    assert event_loop.run(_read()).shown == 0


def test_an_error_is_raised_as_it_is() -> None:
    with pytest.raises(LookupError, match="no such thing"):
        event_loop.run(_fail())
