"""One VRRP instance: what it is, who else takes part, what it counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView, Master, Observation, Peer

EVIDENCE = {
    "dump": "as keepalived itself says",
    "wire": "concluded from adverts on the wire, newer than keepalived's own word",
    "address": "concluded from the addresses of this node, newer than keepalived's own word",
    "none": "nothing tells: neither keepalived, nor the wire, nor an address",
}
TROUBLE = ("err", "auth", "invalid")
"""Parts of the names of counters that should stay at zero (keepalived vrrp/vrrp_json.c, 2.0 to 2.4)."""


class InstanceDetail(Panel):
    """One VRRP instance.

    Args:
        name: of the instance.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name_of_instance = name
        self.heading = f"VRRP instance {plain(name)}"

    def text(self, seen: Observation | None) -> str:
        """Everything known of it."""
        found = next((i for i in (seen.vrrp_instances or () if seen else ()) if i.name == self._name_of_instance), None)
        if seen is None or found is None:
            return "This instance is gone: neither keepalived nor its config has it any more."
        return instance_text(found, seen.snapshot.time)


def instance_text(i: InstanceView, now: float) -> str:
    """An instance in words.

    Args:
        i: the instance.
        now: seconds since the epoch.
    """
    since = "" if i.since is None else f" since {coarse(now - i.since)}"
    facts = [
        ("State", f"{i.state.value}{since}, {EVIDENCE.get(i.evidence, plain(i.evidence))}"),
        ("Runs on", f"{plain(i.interface or '?')}, VRID {_known(i.vrid)}, VRRP version {_known(i.version)}"),
        ("Priority", _priority(i)),
        ("Preempts", _preempts(i)),
        ("Adverts", "interval not known" if i.advert_interval is None else f"every {i.advert_interval:g} s"),
        ("Master", _master(i.master)),
        *((("RIVALS", f"{', '.join(map(plain, i.rivals))} advertise at the same time: split brain"),) * bool(i.rivals)),
        *((("Sync group", f"{plain(i.sync_group)}: its members change state together"),) if i.sync_group else ()),
        *((("Track files", ", ".join(map(plain, i.track_files))),) if i.track_files else ()),
        ("VIPs", ", ".join(map(plain, i.vips)) or "none"),
    ]
    lines = [f"{label:<12}{value}" for label, value in facts]
    lines += ["", "Peers", *(_peer(p) for p in i.peers)] if i.peers else ["", "No other node is known."]
    return "\n".join([*lines, "", *_counters(i)])


def _known(value: int | None) -> str:
    return "?" if value is None else str(value)


def _priority(i: InstanceView) -> str:
    if i.effective_priority is None or i.effective_priority == i.priority:
        return f"{_known(i.priority)}, as configured"
    return f"{i.effective_priority} now, {_known(i.priority)} configured: something it tracks changes it"


def _preempts(i: InstanceView) -> str:
    if i.nopreempt is None:
        return "not known"
    if i.nopreempt:
        return "no (nopreempt): it does not take over from a lower priority"
    return f"yes, after {i.preempt_delay:g} s" if i.preempt_delay else "yes"


def _master(master: Master | None) -> str:
    if master is None:
        return "nobody was heard"
    name = plain(master.address or "its address is not known")
    return f"{name}, priority {_known(master.priority)}{', this node' if master.is_self else ''}"


def _peer(peer: Peer) -> str:
    if peer.age_seconds is None:
        return f"  {plain(peer.address)}  configured, never heard (a backup is silent: no fault in itself)"
    heard = "now" if peer.age_seconds < 5 else f"{coarse(peer.age_seconds)} ago"
    stepped = ", then it stepped down" if peer.priority == 0 else ""
    return f"  {plain(peer.address)}  heard {heard} with priority {_known(peer.priority)}{stepped}"


def is_trouble(counter: str) -> bool:
    """Whether a counter counts something that should not happen."""
    return any(part in counter for part in TROUBLE)


def troubles(i: InstanceView) -> list[str]:
    """The counters of trouble that are not zero, in keepalived's order: ``checksum_err 3``."""
    return [f"{plain(n)} {v}" for n, v in (i.counters or {}).items() if v and is_trouble(n)]


def _counters(i: InstanceView) -> list[str]:
    if i.counters is None:
        return ["Counters are not known: they come with keepalived's dump."]
    bad = troubles(i)
    usual = [f"{plain(n)} {v}" for n, v in i.counters.items() if not is_trouble(n)]
    lines = [f"Errors      {', '.join(bad) if bad else 'none counted'}"]
    return [*lines, f"Counters    {', '.join(usual)}"] if usual else lines
