"""Says on which screen a key works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.presenters.key_names import key_name, key_value
from kvtui.presenters.keys import COMMON, PANELS, SCOPES
from kvtui.presenters.views import VIEWS

if TYPE_CHECKING:
    from kvtui.presenters.keymap import Keymap


def elsewhere(key: str, keymap: Keymap) -> str:
    """Returns what a key does on another screen; empty if it does nothing there either."""
    views = {view.screen[1]: view for view in VIEWS}
    for scope, bindings in SCOPES:
        if scope in {COMMON, PANELS} or scope not in views:
            continue
        for binding in bindings:
            keys = [keymap.replacement(key_value(k), scope) for k in binding.keys.split(",")]
            if key in keys and binding.help:
                view = views[scope]
                where = f"{keymap.replacement(view.key)} ({view.label})"
                return f"{key_name(key)} works on screen {where}: {binding.help[0].lower()}{binding.help[1:]}."
    return ""
