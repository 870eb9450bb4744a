"""Creates Textual's bindings from the table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.binding import Binding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.binding import BindingType

    from kvtui.presenters.keys import Key


def bindings(keys: Iterable[Key]) -> list[BindingType]:
    return [
        Binding(k.keys, k.action, k.label, show=k.show, tooltip=k.help, id=k.id, system=k.system, priority=k.priority)
        for k in keys
    ]
