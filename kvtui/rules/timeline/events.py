"""What happened between two observations. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from kvtui.model.event import Event, EventKind
from kvtui.model.finding import Severity
from kvtui.model.ipvs import endpoint
from kvtui.model.observation import RealServerState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.model.observation import InstanceView, Observation, RealServerView, VipView, VirtualServerView
    from kvtui.model.vrrp import Transition

MAX_EVENTS = 2000
MAX_LATE_SECONDS = 10.0
"""An event this late, such as an advert read afterwards, goes to its place. More is a clock that was set back."""
MAX_NAMES = 4
"""Objects that a sentence names."""

REAL_STATES = {
    RealServerState.UP: ("up", Severity.INFO),
    RealServerState.DRAINED: ("drained: weight 0", Severity.INFO),
    RealServerState.FAILED: ("down: its check fails, weight 0", Severity.WARNING),
    RealServerState.REMOVED: ("removed from the kernel", Severity.WARNING),
}


class Timeline:
    """The last ``MAX_EVENTS`` events of one node, by time."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._before: Observation | None = None
        self.added = 0
        """Number of all events, with those that are not kept any more."""

    @property
    def events(self) -> tuple[Event, ...]:
        return tuple(self._events)

    def add(self, observation: Observation) -> None:
        new = changes(self._before, observation)
        self._before = observation
        for event in new:
            self._insert(event)
        self.added += len(new)

    def _insert(self, event: Event) -> None:
        later = []
        while self._events and 0 < _time(self._events[-1]) - _time(event) < MAX_LATE_SECONDS:
            later.append(self._events.pop())
        self._events.append(event)
        self._events.extend(reversed(later))


def _time(event: Event) -> float:
    return event.at or 0.0


def changes(before: Observation | None, now: Observation) -> list[Event]:
    """Returns the events, oldest first; of a first observation the transitions that were heard before it."""
    events = list(_transitions(before, now))
    if before is not None:
        events += [*_states(before, now), *_vips(before, now), *_servers(before, now)]
        events += [*_configs(before, now), *_findings(before, now)]
    return sorted(events, key=lambda event: event.at or now.snapshot.time)


def names_text(names: list[str]) -> str:
    return listed(names, str, MAX_NAMES)


# --- VRRP


def _transitions(before: Observation | None, now: Observation) -> Iterator[Event]:
    then = before.snapshot.transitions if before else ()
    if then == now.snapshot.transitions:
        return
    known = frozenset(then)
    for transition in now.snapshot.transitions:
        if transition not in known:
            name = _instance_of(transition, now)
            severity = Severity.WARNING if "nobody" in transition.what else Severity.INFO
            yield Event(transition.at, EventKind.VRRP, transition.what, (name,), severity)


def _instance_of(transition: Transition, now: Observation) -> str:
    for instance in now.vrrp_instances or ():
        six = any(":" in vip for vip in instance.vips)
        if instance.vrid == transition.vrid and six == (transition.family == 6):
            return instance.name
    return f"VRID {transition.vrid}"


def _states(before: Observation, now: Observation) -> Iterator[Event]:
    """Yields changes of this node's instances; masters too where kvtui does not hear the wire."""
    at, is_deaf = now.snapshot.time, now.snapshot.advertisers is None
    old = {i.name: i for i in before.vrrp_instances or ()}
    for instance in now.vrrp_instances or ():
        then = old.get(instance.name)
        if then is None:
            continue
        if then.state is not instance.state:
            severity = Severity.CRITICAL if instance.state is VrrpState.FAULT else Severity.INFO
            text = f"this node: {then.state.value} → {instance.state.value}"
            yield Event(at, EventKind.VRRP, text, (instance.name, *instance.vips), severity)
        if _priority(then) != _priority(instance):
            text = f"this node's priority {_priority(then)} → {_priority(instance)}"
            yield Event(at, EventKind.VRRP, text, (instance.name, *instance.vips))
        if is_deaf and instance.master and (then.master is None or then.master.address != instance.master.address):
            master = instance.master.address or "this node"
            yield Event(at, EventKind.VRRP, f"{master} is master", (instance.name, *instance.vips))


def _priority(instance: InstanceView) -> int | None:
    return instance.priority if instance.effective_priority is None else instance.effective_priority


# --- VIPs


def _vips(before: Observation, now: Observation) -> Iterator[Event]:
    """Yields moves of VIPs; VIPs that move together are one event."""
    if before.vips is None or now.vips is None:
        return
    old = {(v.instance, v.address): v for v in before.vips}
    new = {(v.instance, v.address): v for v in now.vips}
    moves: defaultdict[tuple[str, Severity], list[str]] = defaultdict(list)
    for key, vip in new.items():
        then = old.get(key)
        if then is None:
            moves[f"new in {vip.instance}", Severity.INFO].append(vip.address)
        elif (then.owner, then.rivals) != (vip.owner, vip.rivals):
            moves[_move(then, vip)].append(vip.address)
        elif then.present != vip.present and None not in (then.present, vip.present):
            moves[f"{'added to' if vip.present else 'gone from'} this node", Severity.INFO].append(vip.address)
    for key in old.keys() - new.keys():
        moves[f"no longer configured in {old[key].instance}", Severity.WARNING].append(old[key].address)
    for (what, severity), addresses in moves.items():
        text = f"{what} ({names_text(addresses)})" if addresses[1:] else what
        yield Event(now.snapshot.time, EventKind.VIP, text, tuple(addresses), severity)


def _move(then: VipView, now: VipView) -> tuple[str, Severity]:
    if now.rivals and now.rivals != then.rivals:
        owners = ", ".join(filter(None, (now.owner, *now.rivals)))
        return f"{1 + len(now.rivals)} masters: {owners}", Severity.CRITICAL
    if now.owner is None:
        return f"nobody advertises it any more; {_owner(then)} did", Severity.CRITICAL
    if then.owner is None:
        return f"held by {_owner(now)}", Severity.INFO
    if then.owner == now.owner:
        return f"only {_owner(now)} holds it again", Severity.INFO
    return f"moved from {_owner(then)} to {_owner(now)}", Severity.INFO


def _owner(vip: VipView) -> str:
    name = vip.owner or "this node"
    return f"{name} (this node)" if vip.owner_is_self and vip.owner else name


# --- virtual servers and real servers


def _servers(before: Observation, now: Observation) -> Iterator[Event]:
    if before.virtual_servers is None or now.virtual_servers is None:
        return
    at = now.snapshot.time
    old = {(v.protocol, v.name): v for v in before.virtual_servers}
    for virtual in now.virtual_servers:
        then = old.pop((virtual.protocol, virtual.name), None)
        if then is None:
            yield Event(at, EventKind.CHECK, "virtual server added", (virtual.name,))
        elif then.real_servers is not virtual.real_servers:
            yield from _reals(then, virtual, at)
    for name in (name for _protocol, name in old):
        yield Event(at, EventKind.CHECK, "virtual server removed", (name,), Severity.WARNING)


def _reals(then: VirtualServerView, now: VirtualServerView, at: float) -> Iterator[Event]:
    """Yields changes of real servers; those of one virtual server that change the same way are one event."""
    old = {r.key: r for r in then.real_servers}
    found: defaultdict[tuple[str, Severity], list[str]] = defaultdict(list)
    for real in now.real_servers:
        before = old.pop(real.key, None)
        if before is not real and (change := _real_change(before, real)):
            found[change].append(endpoint(*real.key))
    gone = "gone from kernel and config", Severity.INFO
    found[gone] += [endpoint(*key) for key in old]
    for (what, severity), names in found.items():
        if names:
            yield Event(at, EventKind.CHECK, f"{names_text(names)}: {what}", (now.name, *names), severity)


def _real_change(then: RealServerView | None, now: RealServerView) -> tuple[str, Severity] | None:
    if then is None:
        return f"added, {now.state.value}", Severity.INFO
    if then.state is not now.state:
        return REAL_STATES[now.state]
    if then.weight != now.weight:
        return f"weight {then.weight} → {now.weight}", Severity.INFO
    return None


# --- keepalived and its config


def _configs(before: Observation, now: Observation) -> Iterator[Event]:
    then, at = before.snapshot, now.snapshot.time
    old, new = then.chosen_keepalived, now.snapshot.chosen_keepalived
    if old and new and (old.pid, old.started) != (new.pid, new.started):
        yield Event(at, EventKind.RELOAD, f"keepalived restarted: PID {old.pid} → {new.pid}", (), Severity.WARNING)
    elif old and not new:
        yield Event(at, EventKind.RELOAD, f"keepalived ended (PID {old.pid})", (), Severity.CRITICAL)
    elif new and not old:
        yield Event(at, EventKind.RELOAD, f"keepalived started (PID {new.pid})")
    for kind, one, other, what in (
        (EventKind.CONFIG, then.conf, now.snapshot.conf, "was edited"),
        (EventKind.RELOAD, then.running, now.snapshot.running, "was loaded: keepalived runs another config"),
    ):
        if one and other and one is not other and one.digest != other.digest:
            when = (other.modified or at) if kind is EventKind.CONFIG else at
            yield Event(min(when, at), kind, f"{other.path} {what}", (other.path,))


# --- findings


def _findings(before: Observation, now: Observation) -> Iterator[Event]:
    if before.findings is None or now.findings is None or before.findings is now.findings:
        return
    old, new = ({(f.id, f.object): f for f in findings} for findings in (before.findings, now.findings))
    for key, finding in new.items():
        if key not in old:
            objects = (finding.object, *finding.vips)
            yield Event(now.snapshot.time, EventKind.FINDING, finding.title, objects, finding.severity)
    for key, finding in old.items():
        if key not in new:
            text = f"solved: {finding.title}"
            yield Event(now.snapshot.time, EventKind.FINDING, text, (finding.object, *finding.vips))
