"""Names in sentences and commands: sanitised, quoted, and shortened in long lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kvtui.model import text
from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kvtui.model.mapping import Mapping
    from kvtui.model.observation import PodView

T = TypeVar("T")

MAX_NAMES = 6
"""A sentence counts the names beyond these."""
MAX_QUOTED = 60
"""Characters of a text from outside in a sentence."""


def shell_word(name: str) -> str:
    return text.shell_word(name, 200)


def in_quotes(words: str) -> str:
    return f'"{plain(words, MAX_QUOTED)}"'


def name_of(item: object) -> str:
    return plain(str(item), 100)


def listed(items: Iterable[T], name: Callable[[T], str] = name_of, max_names: int = MAX_NAMES) -> str:
    names = list(items)
    shown = ", ".join(map(name, names[:max_names]))
    return shown if len(names) <= max_names else f"{shown} and {len(names) - max_names} more"


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def service_name(entry: Mapping) -> str:
    return plain(f"{entry.namespace}/{entry.service}", MAX_QUOTED)


def server_name(key: tuple[str, int], pod: PodView | None) -> str:
    address = endpoint(*key)
    return address if pod is None else f"{address} (pod {plain(f'{pod.namespace}/{pod.name}', 80)})"
