"""Sources: what each could read, how old it is, and why it is not complete; the machine's vitals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName, SourceState
from kvtui.model.text import plain
from kvtui.model.units import coarse, count, steps

if TYPE_CHECKING:
    from kvtui.model.host import Host, Nic
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
MAX_NICS = 2  # interfaces to name; those with most errors and drops come first


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


def host_lines(host: Host) -> list[str]:
    """Returns CPU, load, memory, disk and NIC errors."""
    parts = [] if host.cpu is None else [f"CPU {host.cpu:.0f}%, steal {host.steal or 0.0:.0f}%"]
    parts.append(f"load {' '.join(f'{average:.2f}' for average in host.load)}, {host.cores} cores")
    parts.append(f"memory {count(host.memory_available)}B of {count(host.memory_total)}B free")
    failing = sorted((nic for nic in host.nics if _lost(nic)), key=_lost, reverse=True)
    more = [] if host.disk_free is None else [f"{plain(host.state_folder or '')} {count(host.disk_free)}B free"]
    more += [_nic_text(nic) for nic in failing[:MAX_NICS]]
    more += [f"{len(failing) - MAX_NICS} more NICs with errors or drops"] if len(failing) > MAX_NICS else []
    return [", ".join(parts), *([", ".join(more)] if more else [])]


def _lost(nic: Nic) -> int:
    return nic.errors_in + nic.errors_out + nic.drops_in + nic.drops_out


def _nic_text(nic: Nic) -> str:
    lost = (("errors", nic.errors_in + nic.errors_out), ("drops", nic.drops_in + nic.drops_out))
    return f"{plain(nic.name)} {' and '.join(f'{count(number)} {what}' for what, number in lost if number)}"
