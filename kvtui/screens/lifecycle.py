from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.screen import Screen


def is_drawable(screen: Screen[Any]) -> bool:
    """Whether a screen's widgets exist: after it is composed, and until it or the app is closed.

    Textual keeps ``is_mounted`` after a screen was removed, and delivers pending messages (a resize, a worker's result)
    while the app ends and the widgets are gone. ``display`` is False as soon as the screen is being removed; then its
    widgets go one after the other, while its workers still run.
    """
    return screen.is_mounted and screen.is_attached and screen.display and screen.app.is_running
