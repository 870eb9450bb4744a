"""Text with the matches of the filter marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment

if TYPE_CHECKING:
    from rich.style import Style


def highlight(text: str, wanted: str, style: Style, mark: Style) -> list[Segment]:
    """Returns the text in segments, with matches of ``wanted`` (in lower case) in style ``mark``."""
    lowered = text.lower()
    if not wanted or wanted not in lowered or len(lowered) != len(text):
        return [Segment(text, style)]
    segments, rest = [], 0
    while (start := lowered.find(wanted, rest)) >= 0:
        end = start + len(wanted)
        segments += [Segment(text[rest:start], style), Segment(text[start:end], mark)]
        rest = end
    return [s for s in [*segments, Segment(text[rest:], style)] if s.text]
