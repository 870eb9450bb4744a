"""The key line at the bottom: as many key hints as fit."""

from __future__ import annotations

from textual.widgets import Static

Hint = tuple[str, str]


class KeyLine(Static):
    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; text-wrap: nowrap; }
    """

    def __init__(self, hints: tuple[Hint, ...]) -> None:
        super().__init__("", markup=False)
        self._hints = hints
        self._first: tuple[Hint, ...] = ()

    def begin_with(self, *first: Hint) -> None:
        if first != self._first:
            self._first = first
            self.on_resize()

    def on_resize(self) -> None:
        self.update(hint_line((*self._first, *self._hints), self.size.width))


def hint_line(hints: tuple[Hint, ...], width: int) -> str:
    """Returns as many hints as fit, and always the last one (help)."""
    if not hints:
        return ""
    last = f"{hints[-1][0]} {hints[-1][1]}"
    line = ""
    for key, word in hints[:-1]:
        part = f"{key} {word}  "
        if len(line) + len(part) + len(last) > width:
            break
        line += part
    return (line + last)[:width]
