"""The characters that kvtui draws with: one set for terminals with Unicode, one for ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from kvtui.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

TERMS_WITHOUT_UNICODE = frozenset({"linux", "vt100", "vt220", "ansi"})
"""TERMs whose fonts lack marks, bars and branches; the Linux console shows diamonds instead."""


class Glyphs(Struct, frozen=True):
    """One set of characters, by default of Unicode; every one is one column wide."""

    bars: str = " ▁▂▃▄▅▆▇█"
    marks: Mapping[str, str] = field(default_factory=lambda: {"ok": "✓", "broken": "✗", "unknown": "?", "none": "·"})
    """Of a chain's layers, by the value of ``rules.chain.Mark``."""
    self_mark: str = "★"
    open: str = "▾"  # an expanded branch; `closed` a collapsed one; `branch` a leaf
    closed: str = "▸"
    branch: str = "└"
    up: str = "▲"
    down: str = "▼"
    dash: str = "–"
    differs: str = "≠"  # between the kernel's value and the config's
    whole: str = "•"  # a layer that is ok, in a row of marks
    critical: str = "●"
    warning: str = "▲"
    joint: str = "─"  # between two layers of a chain
    separator: str = "·"
    shades: str = "█▓▒░"  # of the nodes in a strip of masters, this node's first; `nobody` while nobody is master
    nobody: str = "!"

    def severity(self, severity: Severity | None) -> str:
        return {Severity.CRITICAL: self.critical, Severity.WARNING: self.warning}.get(severity, "") if severity else ""


UNICODE = Glyphs()
ASCII = Glyphs(
    bars=" ._-=oO#@",
    marks={"ok": "+", "broken": "X", "unknown": "?", "none": "."},
    self_mark="*",
    open="v",
    closed=">",
    branch="-",
    up="^",
    down="v",
    dash="-",
    differs="!",
    whole="+",
    critical="X",
    warning="!",
    joint="-",
    separator="-",
    shades="#=+-",
)


def only_ascii(env: Mapping[str, str], encoding: str) -> bool:
    """Whether this terminal shows only ASCII: an old terminal, or an encoding other than UTF-8."""
    return env.get("TERM", "") in TERMS_WITHOUT_UNICODE or encoding.lower().replace("-", "") != "utf8"


def glyphs(*, ascii_only: bool) -> Glyphs:
    return ASCII if ascii_only else UNICODE


def sparkline(values: list[float], width: int, bars: str, top: float = 0.0) -> str:
    """Returns the last ``width`` values (oldest first) as bars; only zero is blank. ``top`` or more is a full bar."""
    shown = values[-width:] if width > 0 else []
    top = max(top, *shown, 0.0)
    levels = len(bars) - 1
    drawn = "".join(bars[0] if v <= 0 else bars[max(1, round(v / top * levels))] for v in shown)
    return drawn.rjust(max(0, width))
