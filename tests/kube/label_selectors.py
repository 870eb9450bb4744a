"""Label selectors of the Kubernetes API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def requirements(text: str) -> list[Callable[[dict[str, Any]], bool]]:
    """Parses label selectors: ``a=b``, ``a!=b``, ``a in (b,c)``, ``a notin (b,c)``, ``a``, ``!a``."""
    return [_requirement(part.strip()) for part in re.findall(r"[^,(]+(?:\([^)]*\))?", text)]


def _requirement(text: str) -> Callable[[dict[str, Any]], bool]:
    if match := re.fullmatch(r"(\S+)\s+(in|notin)\s*\(([^)]*)\)", text):
        name, values, wanted = match[1], {v.strip() for v in match[3].split(",")}, match[2] == "in"
        return lambda own: (own.get(name) in values) is wanted
    if match := re.fullmatch(r"([^=!]+?)\s*(!=|==?)\s*(.*)", text):
        name, value, same = match[1], match[3], match[2] != "!="
        return lambda own: (own.get(name) == value) is same
    if text.startswith("!"):
        return lambda own: text[1:] not in own
    return lambda own: text in own
