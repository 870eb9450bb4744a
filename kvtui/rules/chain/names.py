"""Names in a sentence: real servers by their pods, and lists that do not grow without end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.observation import PodView

MANY = 6
"""So many are named in a sentence."""


def listed(names: Sequence[str]) -> str:
    """The names with commas; of many the first, and how many more there are."""
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(names[:MANY]) + more


def real_name(backend: tuple[str, int], pod: PodView | None) -> str:
    """A real server: its address and port, and its pod where that is known."""
    where = endpoint(*backend)
    return where if pod is None else f"{where} (pod {plain(f'{pod.namespace}/{pod.name}', 80)})"
