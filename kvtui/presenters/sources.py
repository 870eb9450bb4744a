"""Sources: what each could read, how old it is, and why it is not complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import coarse, steps
from kvtui.presenters.host import host_lines

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

CONTENTS = {
    "keepalived": "the running daemon and its processes",
    "conf": "keepalived.conf on disk",
    "vrrp": "keepalived's own dump of its instances",
    "ipvs": "the kernel's virtual server table",
    "addresses": "addresses on interfaces",
    "adverts": "VRRP adverts on the wire: who is master",
    "kubernetes": "ConfigMap, Services and endpoints",
    "host": "the machine: CPU, memory, the journal's disk, NICs",
}
MARKS = {SourceState.OK: " ", SourceState.DEGRADED: "?", SourceState.UNAVAILABLE: "!"}
RECENT_SECONDS = {SourceState.OK: 60.0, SourceState.DEGRADED: 5.0, SourceState.UNAVAILABLE: 5.0}
"""Ages below these are "just now". A source that is OK shows no seconds, so that an idle screen is not redrawn."""


def sources_text(observation: Observation) -> str:
    lines = []
    for source in observation.snapshot.sources:
        age = source.age(observation.snapshot.time)
        read = "" if age is None else f", read {_age_text(age, source.state)}"
        contents = CONTENTS[source.name.value]
        lines.append(f"{MARKS[source.state]} {source.name.value}: {source.state.value}{read}  ({contents})")
        if source.detail:
            lines.append(f"    {plain(source.detail)}")
        if source.name is SourceName.HOST and observation.snapshot.host is not None:
            lines += [f"    {line}" for line in host_lines(observation.snapshot.host)]
    return "\n".join(lines)


def _age_text(age: float, state: SourceState) -> str:
    if age < RECENT_SECONDS[state]:
        return "just now"
    return f"{coarse(age) if state is SourceState.OK else steps(age)} ago"
