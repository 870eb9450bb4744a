"""The header line: node, findings, VIPs, keepalived, and the sources that cannot be read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from textual.widgets import Static

from kvtui.model.finding import MARKS, Severity
from kvtui.model.source import SourceName, SourceState, UnavailableReason
from kvtui.model.text import plain
from kvtui.presenters.vips import contradiction_text

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


GAP = 2
"""Blanks between two parts."""

PRIORITY = (0, 1, 4, 2, 3, 5, 6)
"""Indexes of the parts, the most important first."""


class HeaderLine(Static):
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
        self.set_class(critical, "critical")
        if text != self._shown:
            self._shown = text
            self.update(text)


def header_text(
    observation: Observation, label: str, width: int, *, paused: bool = False, sources: str = "i", findings: str = "5"
) -> str:
    """Returns the header. On a narrow terminal parts are shortened, then the least important ones are left out.

    It has no seconds, so that an idle screen is not redrawn. ``sources`` and ``findings`` are the keys that show them.
    """
    at = datetime.fromtimestamp(observation.snapshot.time).astimezone()
    right = f"PAUSED since {at:%H:%M:%S}" if paused else f"{label} {at:%H:%M}"
    name = plain(observation.snapshot.node.name, 40)
    parts = (
        (name,),
        (badge(observation, findings),),
        (_vips(observation),),
        _keepalived(observation),
        _missing_sources(observation, sources),
        _kubernetes(observation),
        _rights(observation),
    )
    left = "  ".join(_fitting(parts, width - len(right) - GAP))
    return f"{left}{right:>{max(1, width - len(left))}}"[:width]


def _fitting(parts: tuple[tuple[str, ...], ...], room: int) -> list[str]:
    """Returns the parts that fit, in their order: the shortest forms first, by ``PRIORITY``; then longer forms."""
    chosen = [""] * len(parts)
    for among in (slice(-1, None), slice(None)):
        for index in PRIORITY:
            for text in parts[index][among]:
                more = [*chosen[:index], text, *chosen[index + 1 :]]
                if sum(len(part) + GAP for part in more if part) - GAP <= room:
                    chosen = more
                    break
    return [part for part in chosen if part]


def badge(observation: Observation, key: str = "5") -> str:
    """Returns the number of critical findings and warnings: ``!!2 !1 (5)``; empty if there are none."""
    severities = [f.severity for f in observation.findings or ()]
    counts = [(MARKS[s], severities.count(s)) for s in (Severity.CRITICAL, Severity.WARNING)]
    words = [f"{mark}{number}" for mark, number in counts if number]
    return f"{' '.join(words)} ({key})" if words else ""


def is_critical(observation: Observation) -> bool:
    return any(f.severity is Severity.CRITICAL for f in observation.findings or ())


def _keepalived(observation: Observation) -> tuple[str, ...]:
    chosen = observation.snapshot.chosen_keepalived
    if chosen is None:
        return ("no keepalived",)
    minutes = int(max(0.0, observation.snapshot.time - chosen.started) // 60)
    days, hours = minutes // 1440, minutes // 60 % 24
    up = f"{days}d{hours:02d}h" if days else f"{hours}h{minutes % 60:02d}m" if hours else f"{minutes}m"
    return f"keepalived {chosen.version or '?'} up {up}", f"keepalived up {up}"


def _vips(observation: Observation) -> str:
    if observation.vips is None or contradiction_text(observation):
        return "VIPs ?"
    return f"VIPs {sum(1 for v in observation.vips if v.present)}/{len(observation.vips)} here"


def _kubernetes(observation: Observation) -> tuple[str, ...]:
    state = observation.snapshot.source(SourceName.KUBERNETES).state
    text = f"k8s {state.value}"
    return (text, "no k8s") if state is SourceState.UNAVAILABLE else (text,)


def _rights(observation: Observation) -> tuple[str, ...]:
    return ("read-only", "ro") if observation.snapshot.node.read_only else ("",)


def _missing_sources(observation: Observation, key: str) -> tuple[str, ...]:
    """Sources that cannot be read completely: their names, their number, or only a mark."""
    bad = [
        s.name.value + ("?" if s.state is SourceState.DEGRADED else "")
        for s in observation.snapshot.sources
        if s.state is not SourceState.OK
        and s.name is not SourceName.KUBERNETES
        and s.reason is not UnavailableReason.PENDING
    ]
    if not bad:
        return ("",)
    named = f"! {' '.join(bad)} ({key})"
    return (named, f"! {len(bad)} sources ({key})", f"! ({key})") if len(bad) > 1 else (named, f"! ({key})")
