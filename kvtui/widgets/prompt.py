"""A line to type in."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.widgets import Input

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual import events
    from textual.binding import BindingType

PRINTABLE = "[^\\x00-\\x1f\\x7f-\\xa0\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ud800-\\uf8ff\\ufeff]*"
"""What may be typed or pasted: no control characters, no characters without width."""
EDITING = {
    key: binding.action
    for binding in Input.BINDINGS
    if isinstance(binding, Binding) and binding.action != "submit"
    for key in binding.key.split(",")
}
MAX_WAIT = 1.0
"""Seconds to wait for typed characters; reached only where the prompt is taken down meanwhile."""


class Prompt(Input):
    """Enter and Esc take effect before the next key is handled, and after all keys before them.

    Textual's Input gets editing keys by the app, and sends the screen a message on Enter: the next key still went into
    the Input.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Submit", show=False, priority=True),
        Binding("escape", "cancel", "Cancel", show=False, priority=True),
    ]

    def __init__(
        self, submitted: Callable[[str], None], cancelled: Callable[[], None], placeholder: str = "", *, name: str
    ) -> None:
        super().__init__(placeholder=placeholder, id=name, compact=True, restrict=PRINTABLE)
        self._submitted, self._cancelled = submitted, cancelled

    async def on_key(self, event: events.Key) -> None:
        if (action := EDITING.get(event.key)) and await self.app.run_action(action, self):
            event.stop()
            event.prevent_default()

    async def action_submit(self) -> None:
        await self._typed()
        self._submitted(self.value)

    async def action_cancel(self) -> None:
        await self._typed()
        self._cancelled()

    async def _typed(self) -> None:
        done = asyncio.Event()
        if self.call_later(done.set):
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), MAX_WAIT)
