"""Every source: whether to believe it, why not, and how old it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import coarse, steps
from kvtui.presenters.host import host_lines
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

WHAT = {
    "keepalived": "the running daemon and its processes",
    "conf": "keepalived.conf on disk",
    "vrrp": "keepalived's own dump of its instances",
    "ipvs": "the kernel's virtual server table",
    "addresses": "addresses on interfaces",
    "adverts": "VRRP adverts on the wire: who is master",
    "kubernetes": "ConfigMap, Services and endpoints",
    "host": "the machine: CPU, memory, the journal's disk, NICs",
}


class SourcesPanel(Panel):
    """Sources."""

    heading = "Sources: what is known, and how well"

    def text(self, seen: Observation | None) -> str:
        """A paragraph a source."""
        return "Nothing was read yet." if seen is None else sources_text(seen)


def sources_text(seen: Observation) -> str:
    """A paragraph a source: its state, its age, what is lost and what would help."""
    parts = []
    for source in seen.snapshot.sources:
        age = source.age(seen.snapshot.time)
        old = "" if age is None else f", read {_ago(age, well=source.state is SourceState.OK)}"
        mark = {SourceState.OK: " ", SourceState.DEGRADED: "?", SourceState.UNAVAILABLE: "!"}[source.state]
        lines = [f"{mark} {source.name.value}: {source.state.value}{old}  ({WHAT[source.name.value]})"]
        if source.detail:
            lines.append(f"    {plain(source.detail)}")
        if source.name is SourceName.HOST and seen.snapshot.host is not None:
            lines += [f"    {line}" for line in host_lines(seen.snapshot.host)]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _ago(age: float, *, well: bool) -> str:
    """How old: where all is well no seconds, so that an idle screen sends nothing; of what is away, as it grows."""
    if age < (60 if well else 5):
        return "just now"
    return f"{coarse(age) if well else steps(age)} ago"
