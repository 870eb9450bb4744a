"""Keeps what a library imports and kvtui does not use from being loaded.

Registers packages without running their ``__init__``, so that a library's modules can be imported one by one; and has
empty modules stand in for others.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextmanager
def stand_ins(modules: Mapping[str, Mapping[str, object]]) -> Iterator[None]:
    """In the block, imports of these modules get empty ones with these names, unless they are loaded already."""
    absent = [name for name in modules if name not in sys.modules]
    for name in absent:
        sys.modules[name] = empty = ModuleType(name)
        vars(empty).update(modules[name], __path__=[])
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def register(library: str, *subpackages: str) -> None:
    """Unless the library is imported already. Raises ImportError: it is not installed."""
    if library in sys.modules:
        return
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(library)
    location = next(iter(spec.submodule_search_locations))
    for name in (library, *subpackages):
        package = ModuleType(name)
        package.__path__ = [os.path.join(location, *name.split(".")[1:])]  # noqa: PTH118 - it may be inside a zip
        sys.modules[name] = package
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, package)
