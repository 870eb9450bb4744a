"""The header line, with its chips."""

from __future__ import annotations

from kvtui.presenters.cells import Cell
from kvtui.widgets.tones import Lines


class HeaderLine(Lines):
    DEFAULT_CSS = """
    HeaderLine { height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self) -> None:
        super().__init__([(Cell("kvtui  reading …"),)], wraps=False)
