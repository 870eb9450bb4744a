"""A framed summary of another screen, for the dashboard. A click shows that screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from textual import events


class Summary(Lines):
    DEFAULT_CSS = """
    Summary {
        display: none; height: auto; max-height: 30%; min-height: 3; padding: 0 1;
        border: solid $frame; border-title-color: $foreground; border-title-style: bold;
        border-subtitle-color: $text-muted;
    }
    """

    def __init__(self, title: str, view: str, key: str) -> None:
        super().__init__(keeps_height=True, id=f"summary-{view}")
        self._view = view
        self.border_title = title
        self.border_subtitle = key

    async def on_click(self, event: events.Click) -> None:
        event.stop()
        await self.app.run_action(f"view('{self._view}')")
