"""Names in a sentence: real servers by their pods, and lists that do not grow without end."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import PodView

T = TypeVar("T")

MANY = 6
"""So many are named in a sentence."""
QUOTED = 60
"""Characters of a text from outside that a sentence repeats."""


def listed(things: Sequence[T], name: Callable[[T], str] = str) -> str:
    """The names with commas; of many the first, and how many more there are."""
    more = f" and {len(things) - MANY} more" if len(things) > MANY else ""
    return ", ".join(map(name, things[:MANY])) + more


def named(entry: Mapping) -> str:
    """The Service of an entry, for a sentence."""
    return plain(f"{entry.namespace}/{entry.service}", QUOTED)


def real_name(backend: tuple[str, int], pod: PodView | None) -> str:
    """A real server: its address and port, and its pod where that is known."""
    where = endpoint(*backend)
    return where if pod is None else f"{where} (pod {plain(f'{pod.namespace}/{pod.name}', 80)})"
