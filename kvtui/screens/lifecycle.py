"""Whether a screen can be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen


def is_drawable(screen: Screen[Any]) -> bool:
    """Whether its widgets are there: not before it is composed, and not while it or the app is being taken down.

    Textual keeps ``is_mounted`` after a screen was removed, and delivers what was due (a resize, a worker's result)
    while the app ends and the screen's widgets are gone.
    """
    return screen.is_mounted and screen.is_attached and screen.app.is_running
