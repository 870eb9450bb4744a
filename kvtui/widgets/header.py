"""The one line at the top: which node, which keepalived, what it holds, what cannot be read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.widgets import Static

from kvtui.model.finding import MARKS, Severity
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


GAP = 2
"""Blank columns between two parts."""

MATTERS = (0, 1, 4, 2, 3, 5, 6)
"""The parts, what matters most first: name, findings, missing sources, VIPs, keepalived, Kubernetes, read-only."""


class HeaderLine(Static):
    """Draws what ``header_text`` says; sends nothing when that is what it shows already."""

    DEFAULT_CSS = """
    HeaderLine {
        height: 1; text-style: bold; background: $panel; color: $foreground; text-wrap: nowrap;
        &.critical { color: $text-error; }
    }
    """

    def __init__(self) -> None:
        super().__init__("kvtui  reading …", markup=False)
        self._shown = ""

    def show(self, text: str, *, critical: bool = False) -> None:
        """Draw the line; ``critical`` adds a colour to the badge that is in it."""
        self.set_class(critical, "critical")
        if text != self._shown:
            self._shown = text
            self.update(text)


def header_text(
    seen: Observation, label: str, width: int, *, paused: bool = False, sources: str = "i", findings: str = "5"
) -> str:
    """The header; where the terminal is narrow each part is said in fewer words first, then what matters least goes.

    No seconds in it: an idle screen sends nothing.

    Args:
        seen: what to describe.
        label: ``live``, ``demo`` or ``replay``.
        width: columns.
        paused: the screen stands still; says since when.
        sources: the key that shows the sources.
        findings: the key that shows the findings.
    """
    at = datetime.fromtimestamp(seen.snapshot.time).astimezone()
    right = f"PAUSED since {at:%H:%M:%S}" if paused else f"{label} {at:%H:%M}"
    name = plain(seen.snapshot.node.name, 40)
    found, trouble = badge(seen, findings), _error(seen, sources)
    ways = ((name,), (found,), (_held(seen),), _keepalived(seen), trouble, _kubernetes(seen), _rights(seen))
    left = "  ".join(_fitting(ways, width - len(right) - GAP))
    return f"{left}{right:>{max(1, width - len(left))}}"[:width]


def _fitting(parts: tuple[tuple[str, ...], ...], room: int) -> list[str]:
    """The parts that fit, in their order: first each in its fewest words, by ``MATTERS``; then in more words."""
    chosen = [""] * len(parts)
    for among in (slice(-1, None), slice(None)):
        for index in MATTERS:
            for text in parts[index][among]:
                more = [*chosen[:index], text, *chosen[index + 1 :]]
                if sum(len(part) + GAP for part in more if part) - GAP <= room:
                    chosen = more
                    break
    return [part for part in chosen if part]


def badge(seen: Observation, key: str = "5") -> str:
    """How many critical findings and warnings there are: ``!!2 !1 (5)``; empty when there are none.

    Args:
        seen: what was found.
        key: the key that shows them.
    """
    found = [f.severity for f in seen.findings or ()]
    counts = [(MARKS[s], found.count(s)) for s in (Severity.CRITICAL, Severity.WARNING)]
    words = [f"{mark}{number}" for mark, number in counts if number]
    return f"{' '.join(words)} ({key})" if words else ""


def is_critical(seen: Observation) -> bool:
    """Whether anything critical was found."""
    return any(f.severity is Severity.CRITICAL for f in seen.findings or ())


def _keepalived(seen: Observation) -> tuple[str, ...]:
    chosen = seen.snapshot.chosen_keepalived
    if chosen is None:
        return ("no keepalived",)
    minutes = int(max(0.0, seen.snapshot.time - chosen.started) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    up = f"{days}d{hours:02d}h" if days else f"{hours}h{minutes % 60:02d}m" if hours else f"{minutes}m"
    return f"keepalived {chosen.version or '?'} up {up}", f"keepalived up {up}"


def _held(seen: Observation) -> str:
    if seen.vips is None:
        return "VIPs ?"
    return f"VIPs {sum(1 for v in seen.vips if v.present)}/{len(seen.vips)} here"


def _kubernetes(seen: Observation) -> tuple[str, ...]:
    state = seen.snapshot.source(SourceName.KUBERNETES).state
    said = f"k8s {state.value}"
    return (said, "no k8s") if state is SourceState.UNAVAILABLE else (said,)


def _rights(seen: Observation) -> tuple[str, ...]:
    return ("read-only", "ro") if seen.snapshot.node.read_only else ("",)


def _error(seen: Observation, key: str) -> tuple[str, ...]:
    """Which sources do not say all: by name, by number, or that there are any."""
    bad = [
        s.name.value + ("?" if s.state is SourceState.DEGRADED else "")
        for s in seen.snapshot.sources
        if s.state is not SourceState.OK
        and s.name is not SourceName.KUBERNETES
        and s.reason is not UnavailableReason.PENDING
    ]
    if not bad:
        return ("",)
    named = f"! {' '.join(bad)} ({key})"
    return (named, f"! {len(bad)} sources ({key})", f"! ({key})") if len(bad) > 1 else (named, f"! ({key})")
