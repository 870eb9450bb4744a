from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.presenters.cells import STATE_TONES, Cell, Tone, or_unknown, state_cell
from kvtui.presenters.vips import contradiction_text

if TYPE_CHECKING:
    from kvtui.model.observation import InstanceView, Master, Observation, Peer
    from kvtui.model.vrrp import AuthHmac, Tracked
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs

EVIDENCE = {
    "dump": "reported by keepalived",
    "wire": "from adverts on the wire, newer than keepalived's own report",
    "address": "from this node's addresses, newer than keepalived's own report",
    "none": "no evidence: neither keepalived, nor adverts, nor an address",
}
ERROR_COUNTERS = ("err", "auth", "invalid")
"""Parts of the names of counters that should stay at zero (keepalived vrrp/vrrp_json.c, 2.0 to 2.4)."""
RECENT_SECONDS = 5.0
"""A peer that was heard within this time was heard "now": a peer that keeps advertising does not redraw its row."""


def empty_text(observation: Observation) -> str:
    if contradiction := contradiction_text(observation):
        return contradiction
    if observation.vrrp_instances is None:
        source = observation.snapshot.source
        why = source(SourceName.KEEPALIVED).detail or source(SourceName.VRRP).detail or "keepalived was not read yet"
        return f"VRRP instances are unknown: {why}."
    if observation.vrrp_instances:
        return "No instance matches the filter. Esc shows all."
    return "keepalived runs without a vrrp_instance: it only checks real servers, or its config was generated empty."


def search_texts(instance: InstanceView) -> tuple[str | None, ...]:
    return (
        instance.name,
        instance.state.value,
        str(instance.vrid),
        instance.interface,
        instance.master.address if instance.master else None,
        *instance.vips,
        *(peer.address for peer in instance.peers),
    )


def overview_lines(observation: Observation, glyphs: Glyphs) -> list[Line]:
    instances = observation.vrrp_instances
    if not instances:
        return [(Cell(empty_text(observation)),)]
    width = max(len(plain(i.name)) for i in instances)
    now = observation.snapshot.time
    return [
        (
            Cell(f"{plain(i.name):<{width}}  ", Tone.STRONG),
            Cell(f"{i.state.value:<8}", STATE_TONES[i.state]),
            Cell("" if i.since is None else f"for {coarse(now - i.since)}  "),
            Cell("master ", Tone.DIM),
            _master_cell(i, glyphs.self_mark),
            Cell(f"  priority {or_unknown(i.effective_priority)}  {', '.join(map(plain, i.vips))}", Tone.DIM),
        )
        for i in instances
    ]


def instance_cells(observation: Observation, i: InstanceView, self_mark: str) -> tuple[Cell, ...]:
    errors = _counters(i, errors=True)
    priority = Cell(or_unknown(i.priority))
    if i.effective_priority not in {None, i.priority}:
        priority = Cell(f"{priority.text}>{i.effective_priority}", Tone.WARN)
    delay = f" {i.preempt_delay:g}s" if i.preempt_delay else ""
    return (
        Cell(plain(i.name), Tone.STRONG),
        state_cell(i.state),
        Cell(or_unknown(i.vrid)),
        priority,
        _master_cell(i, self_mark),
        Cell(""),
        Cell(("?" if i.nopreempt is None else "no" if i.nopreempt else "yes") + delay),
        Cell("?" if i.advert_interval is None else f"{i.advert_interval:g}s"),
        Cell("?" if i.since is None else coarse(observation.snapshot.time - i.since), volatile=True),
        Cell("?" if i.version is None else f"v{i.version}"),
        Cell(plain(i.interface or "?")),
        Cell(errors, Tone.WARN if errors else Tone.NORMAL),
    )


def _master_cell(i: InstanceView, self_mark: str) -> Cell:
    if i.rivals:
        return Cell(f"{1 + len(i.rivals)} MASTERS: {', '.join(map(plain, i.rivals))}", Tone.BAD)
    if i.master is None:
        return Cell("nobody heard", Tone.WARN)
    return Cell(f"{self_mark if i.master.is_self else ''}{plain(i.master.address or 'this node')}")


def peer_cells(peer: Peer, i: InstanceView, branch: str) -> tuple[Cell, ...]:
    state, blank = Cell("silent", Tone.DIM), Cell("")
    if peer.address in i.rivals:
        state = Cell("MASTER", Tone.BAD)
    elif peer.age_seconds is not None and i.master is not None and peer.address == i.master.address:
        state = Cell("MASTER", Tone.GOOD)
    return (
        Cell(f"{branch} {plain(peer.address)}"),
        state,
        blank,
        Cell(or_unknown(peer.priority)),
        blank,
        Cell(_heard(peer.age_seconds), volatile=True),
        *(blank,) * 6,
    )


def _heard(age: float | None, ago: str = "") -> str:
    return "never" if age is None else "now" if age < RECENT_SECONDS else f"{coarse(age)}{ago}"


def instance_text(i: InstanceView, now: float) -> str:
    since = "" if i.since is None else f" for {coarse(now - i.since)}"
    facts = {
        "State": f"{i.state.value}{since}, {EVIDENCE.get(i.evidence, plain(i.evidence))}",
        "Runs on": f"{plain(i.interface or '?')}, VRID {or_unknown(i.vrid)}, VRRP version {or_unknown(i.version)}",
        "Priority": _priority_sentence(i),
        "Preempts": _preempt_sentence(i),
        "Adverts": "interval unknown" if i.advert_interval is None else f"every {i.advert_interval:g} s",
        "auth_hmac": _hmac_sentence(i.auth_hmac) if i.auth_hmac else "",
        "Master": _master_sentence(i.master),
        "RIVALS": f"{', '.join(map(plain, i.rivals))} advertise at the same time: split brain" if i.rivals else "",
        "Sync group": f"{plain(i.sync_group)}: its members change state together" if i.sync_group else "",
        "Track files": ", ".join(map(plain, i.track_files)),
        "Tracks": ", ".join(map(_tracked_text, i.tracked)),
        "VIPs": ", ".join(map(plain, i.vips)) or "none",
    }
    lines = [f"{label:<13}{value}" for label, value in facts.items() if value]
    lines += ["", "Peers", *map(_peer_line, i.peers)] if i.peers else ["", "No other node is known."]
    if i.counters is None:
        return "\n".join([*lines, "", "Counters are unknown: they come with keepalived's dump."])
    lines += ["", f"Errors       {_counters(i, errors=True) or 'none counted'}"]
    usual = _counters(i, errors=False)
    return "\n".join([*lines, f"Counters     {usual}"] if usual else lines)


def _tracked_text(tracked: Tracked) -> str:
    result = {True: " passes", False: " FAILS", None: ""}[tracked.good]
    weight = f" (weight {tracked.weight}{' reverse' if tracked.reverse else ''})" if tracked.weight else ""
    return f"{tracked.kind} {plain(tracked.name)}{result}{weight}"


def _priority_sentence(i: InstanceView) -> str:
    if i.effective_priority in {None, i.priority}:
        return f"{or_unknown(i.priority)}, as configured"
    return f"{i.effective_priority} now, {or_unknown(i.priority)} configured: a tracked object changes it"


def _preempt_sentence(i: InstanceView) -> str:
    if i.nopreempt is None:
        return "unknown"
    if i.nopreempt:
        return "no (nopreempt): it does not take over from a lower priority"
    return f"yes, after {i.preempt_delay:g} s" if i.preempt_delay else "yes"


def _hmac_sentence(hmac: AuthHmac) -> str:
    keys = f", keys {', '.join(map(str, hmac.key_ids))}" if hmac.key_ids else ""
    window = "monotonic" if hmac.time_window is None else f"time_window {hmac.time_window} s"
    return f"mode {hmac.mode.value}, active_key {hmac.active_key}{keys}, {window}"


def _master_sentence(master: Master | None) -> str:
    if master is None:
        return "none heard"
    name = plain(master.address or "address unknown")
    return f"{name}, priority {or_unknown(master.priority)}{', this node' if master.is_self else ''}"


def _peer_line(peer: Peer) -> str:
    if peer.age_seconds is None:
        return f"  {plain(peer.address)}  configured, never heard (a backup is silent: this is normal)"
    heard = _heard(peer.age_seconds, " ago")
    stepped = ", then it stepped down" if peer.priority == 0 else ""
    signed = "" if peer.auth_hmac_key is None else f", signed with key {peer.auth_hmac_key}"
    return f"  {plain(peer.address)}  heard {heard} with priority {or_unknown(peer.priority)}{signed}{stepped}"


def is_error_counter(name: str) -> bool:
    return any(part in name for part in ERROR_COUNTERS)


def _counters(i: InstanceView, *, errors: bool) -> str:
    """Returns the error counters that are not zero, or all others."""
    found = [(name, n) for name, n in (i.counters or {}).items() if is_error_counter(name) is errors]
    return ", ".join(f"{plain(name)} {n}" for name, n in found if n or not errors)
