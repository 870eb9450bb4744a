"""The lines in which two texts differ."""

from __future__ import annotations

import difflib


def changed_lines(before: str, after: str) -> list[str]:
    """Returns removed and added lines as `diff` marks them."""
    return [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
