"""The one line at the top: which node, which keepalived, what it holds, what cannot be read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.widgets import Static

from kvtui.model.finding import MARKS, Severity
from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


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


def header_text(seen: Observation, label: str, width: int, *, paused: bool = False, sources: str = "i") -> str:
    """The header, with what matters most first and left out from the end when the terminal is narrow.

    No seconds in it: an idle screen sends nothing.

    Args:
        seen: what to describe.
        label: ``live``, ``demo`` or ``replay``.
        width: columns.
        paused: the screen stands still; says since when.
        sources: the key that shows the sources.
    """
    at = datetime.fromtimestamp(seen.snapshot.time).astimezone()
    mode = f"PAUSED since {at:%H:%M:%S}" if paused else label
    name = plain(seen.snapshot.node.name, 40)
    parts = [name, badge(seen), _held(seen), _keepalived(seen), *_trouble(seen, sources), _kubernetes(seen)]
    if seen.snapshot.node.read_only:
        parts.append("read-only")
    right = f"{mode} {at:%H:%M}" if not paused else mode
    left = ""
    for part in parts:
        if part and len(left) + len(part) + 2 <= width - len(right) - 2:
            left += ("  " if left else "") + part
    return f"{left}{right:>{max(1, width - len(left))}}"[:width]


def badge(seen: Observation) -> str:
    """How many critical findings and warnings there are: ``!!2 !1 (5)``; empty when there are none."""
    found = [f.severity for f in seen.findings or ()]
    counts = [(MARKS[s], found.count(s)) for s in (Severity.CRITICAL, Severity.WARNING)]
    words = [f"{mark}{number}" for mark, number in counts if number]
    return f"{' '.join(words)} (5)" if words else ""


def is_critical(seen: Observation) -> bool:
    """Whether anything critical was found."""
    return any(f.severity is Severity.CRITICAL for f in seen.findings or ())


def _keepalived(seen: Observation) -> str:
    chosen = seen.snapshot.chosen_keepalived
    if chosen is None:
        return "no keepalived"
    minutes = int(max(0.0, seen.snapshot.time - chosen.started) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    up = f"{days}d{hours:02d}h" if days else f"{hours}h{minutes % 60:02d}m" if hours else f"{minutes}m"
    return f"keepalived {chosen.version or '?'} up {up}"


def _held(seen: Observation) -> str:
    if seen.vips is None:
        return "VIPs ?"
    return f"VIPs {sum(1 for v in seen.vips if v.present)}/{len(seen.vips)} here"


def _kubernetes(seen: Observation) -> str:
    return f"k8s {seen.snapshot.source(SourceName.KUBERNETES).state.value}"


def _trouble(seen: Observation, key: str) -> list[str]:
    bad = [
        s.name.value + ("?" if s.state is SourceState.DEGRADED else "")
        for s in seen.snapshot.sources
        if s.state is not SourceState.OK and s.name is not SourceName.KUBERNETES
    ]
    return [f"! {' '.join(bad)} ({key})"] if bad else []
