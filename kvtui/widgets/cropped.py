"""Sends of a line only the cells that changed.

Textual knows which spans of a line to draw again, but sends each of them from the line's beginning (``ChopsUpdate``,
"TODO: crop to x extents"): five numbers of a row cost the row five times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from textual._compositor import ChopsUpdate

if TYPE_CHECKING:
    from rich.console import Console


class Cropped(ChopsUpdate):
    """The same update, cropped on both sides."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> Cropped:
        """Of what Textual wants to send."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal."""
        parts: list[str] = []
        for y, first, last in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                begin, stop = max(first, start), min(last, end)
                if strip is None or begin >= stop:
                    continue
                parts.append(Control.move_to(begin, y).segment.text)
                # one style for neighbours that look alike
                parts.append(strip.crop(begin - start, stop - start).simplify().render(console))
        return "".join(parts)
