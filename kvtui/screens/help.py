"""``?``: every key that works here, from the bindings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from textual.binding import Binding

    from kvtui.model.observation import Observation

NAMES = {"slash": "/", "question_mark": "?", "colon": ":", "minus": "-", "plus": "+", "space": "space"}
ORDER = ("view", "app", "ipvs", "table", "panel")
LEGEND = """
Marks of a VIP's chain, a column each (CRIAV):
  C config file   R running config   I IPVS   A address   V VRRP owner
  ✓ whole   ✗ broken   ? not known   · nothing expected     (ASCII: + X ? .)
★ is this node. A value that changed since the last reading is bold.
n≠m (ASCII n!m): the kernel's weight is n, the config says m."""


class HelpPanel(Panel):
    """Keys.

    Args:
        bindings: those that work on the screen below.
    """

    heading = "Keys"

    def __init__(self, bindings: list[Binding]) -> None:
        super().__init__()
        self._listed = bindings

    def text(self, seen: Observation | None) -> str:
        """A line a key; it does not depend on what is seen."""
        del seen
        return help_text(self._listed)


def key_name(key: str) -> str:
    """A key as people write it."""
    names = [NAMES.get(k, k) for k in key.split(",")]
    return " ".join(n.replace("ctrl+", "Ctrl+") for n in names)


def help_text(bindings: list[Binding]) -> str:
    """Keys and what they do: kvtui's own, those of the whole program first, moving about last."""
    rows: dict[str, list[str]] = {}
    ours = [b for b in bindings if b.id and "." in b.id and b.tooltip]
    for binding in sorted(ours, key=lambda b: ORDER.index((b.id or "").split(".")[0])):
        rows.setdefault(binding.tooltip, []).append(key_name(binding.key))
    lines = [f"  {' '.join(dict.fromkeys(keys)):<16} {what}" for what, keys in rows.items()]
    return "\n".join([*lines, LEGEND])
