"""The line of tabs below the header. A click shows the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from kvtui.presenters.header import tabs
from kvtui.widgets.tones import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from kvtui.model.observation import Observation
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.presenters.header import Tab
    from kvtui.presenters.keys import View


class TabLine(Lines):
    DEFAULT_CSS = """
    TabLine { height: 1; background: $surface; color: $foreground; }
    """

    class Chosen(Message):
        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    def __init__(self, views: Sequence[tuple[View, str]], active: str, glyphs: Glyphs) -> None:
        super().__init__(wraps=False)
        self._views, self._active, self._glyphs = views, active, glyphs
        self._observation: Observation | None = None
        self._tabs: list[Tab] = []

    def update(self, observation: Observation | None) -> None:
        self._observation = observation
        self._tabs = tabs(self._views, self._active, observation, self.size.width, self._glyphs)
        self.show([tuple(cell for tab in self._tabs for cell in tab.line)])

    def on_resize(self) -> None:
        self.update(self._observation)

    def on_click(self, event: events.Click) -> None:
        for tab in self._tabs:
            if tab.start <= event.x < tab.stop:
                self.post_message(self.Chosen(tab.name))
