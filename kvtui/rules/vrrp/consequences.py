"""What follows from a change for every VRRP instance of this node; members of a sync group move together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.model.vrrp import VrrpInstance, VrrpState
from kvtui.rules.vrrp.consequence import Consequence, Situation, consequence
from kvtui.rules.vrrp.effective import Effective, Result, TrackKey, deduced, effective, interface_results
from kvtui.rules.vrrp.instances import evidence, known_instances
from kvtui.rules.vrrp.others import others
from kvtui.rules.vrrp.settings import Settings, compares_vips, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kvtui.model.conf import Conf
    from kvtui.model.observation import InstanceView, Observation
    from kvtui.model.snapshot import Snapshot

FAULT = VrrpState.FAULT.value


class Change(Struct, frozen=True):
    """What is done to a node."""

    before: Conf | None  # the config that runs; None if unknown
    after: Conf | None  # the config that will run
    results: Mapping[TrackKey, Result] = field(default_factory=dict)
    """Of tracks afterwards, where they are not as now: a script that was tried, a track file that is written."""
    steps_down: str = ""  # the instance whose VIP is removed; empty for none
    disabled: frozenset[TrackKey] = frozenset()  # scripts that keepalived will not run: no instance tracks them

    def with_priority(self, name: str, priority: int) -> Change:
        if self.after is None:
            return self
        instances = tuple(replace(i, priority=priority) if i.name == name else i for i in self.after.instances)
        return replace(self, after=replace(self.after, instances=instances))


def consequences(observation: Observation, change: Change) -> tuple[Consequence, ...]:
    views = {v.name: v for v in observation.vrrp_instances or ()}
    known = {i.name: i for i in known_instances(observation.snapshot) or ()}
    new = {
        name: replace(s, tracks=tuple(t for t in s.tracks if (t.kind, t.name) not in change.disabled))
        for name, s in settings_of(change.after).items()
    }
    old = settings_of(change.before)
    if change.before is None:
        old = {name: _from_dump(i, new[name]) for name, i in known.items() if name in new}
    found = []
    groups: dict[str, str] = {}
    for one, before, after in _pairs(old, new):
        running = before.name if before else one.name
        situation = _situation(observation, change, one, before, after, views.get(running), known.get(running))
        found.append(consequence(situation))
        if after is not None and after.sync_group:
            groups[one.name] = after.sync_group
    return _grouped(found, groups)


def untouched(observation: Observation, why: str) -> tuple[Consequence, ...]:
    """Predicts that each instance stays as it is."""
    found = []
    settings = settings_of(observation.snapshot.effective_conf)
    for view in observation.vrrp_instances or ():
        running = settings.get(view.name)
        held = _held(observation.snapshot, running) if running else None
        state = None if view.state is VrrpState.UNKNOWN else view.state.value
        prediction = Prediction(
            instance=view.name,
            state=StateChange(state, state),
            vips_here=VipsChange(held, held),
            owner_then=view.master.address if view.master else None,
            two_owners=bool(view.rivals),
            within_seconds=None,
            certainty=Certainty.CERTAIN,
            why=why,
        )
        found.append(Consequence(prediction, 0.0))
    return tuple(found)


def _pairs(
    old: Mapping[str, Settings], new: Mapping[str, Settings]
) -> Iterator[tuple[Settings, Settings | None, Settings | None]]:
    """Pairs instances by name; one that was renamed by its virtual router (measured: nothing happens to it).

    Yields the instance, and its settings before and after.
    """
    gone = [i for i in old.values() if i.name not in new]
    for name, after in new.items():
        before = old.get(name) or next((i for i in gone if i.router == after.router), None)
        if before in gone:
            gone.remove(before)
        yield after, before, after
    yield from ((before, before, None) for before in gone)


def _situation(
    observation: Observation,
    change: Change,
    one: Settings,
    old: Settings | None,
    new: Settings | None,
    view: InstanceView | None,
    known: VrrpInstance | None,
) -> Situation:
    snapshot, instance = observation.snapshot, known or _stub(one)
    state = None if old is None else view.state if view is not None else VrrpState.UNKNOWN
    before = _effective_now(snapshot, instance, view)
    now = _running_results(snapshot, old, instance, before, state)
    was = effective(old, now) if old else None
    return Situation(
        name=one.name,
        state=state,
        held=_held(snapshot, old) if old else (),
        old=old,
        new=new,
        before=before if before is not None else (was.priority if was else None),
        after=_after(snapshot, change, new, now),
        was=was,
        others=others(snapshot, instance, (old or one).unicast_peers),
        steps_down=bool(change.steps_down) and change.steps_down == one.name,
        delay=_delay(change, old, new),
        compares_vips=compares_vips(snapshot.chosen_keepalived.version if snapshot.chosen_keepalived else None),
    )


def _after(
    snapshot: Snapshot, change: Change, new: Settings | None, now: Mapping[TrackKey, Result | None]
) -> Effective | None:
    if new is None:
        return None
    changed = _changed_scripts(change)
    kept = {key: result for key, result in now.items() if key[1] not in changed or key[0] != "script"}
    results = {**kept, **interface_results(snapshot.addresses, new), **change.results}
    return effective(new, results)


def _changed_scripts(change: Change) -> set[str]:
    """Names of scripts that run another command afterwards."""
    old = {s.name: s.command for s in change.before.scripts} if change.before else {}
    return {s.name for s in change.after.scripts if old.get(s.name) != s.command} if change.after else set()


def _delay(change: Change, old: Settings | None, new: Settings | None) -> float:
    """Returns the seconds until new or changed scripts have run: a first failure counts at once (measured)."""
    before = {(t.kind, t.name) for t in old.tracks} if old else set()
    changed = _changed_scripts(change)
    names = {t.name for t in (new.tracks if new else ()) if (t.kind, t.name) not in before or t.name in changed}
    scripts = [s for s in (change.after.scripts if change.after else ()) if s.name in names]
    return max((s.timeout or s.interval for s in scripts), default=0.0)


def _running_results(
    snapshot: Snapshot, old: Settings | None, instance: VrrpInstance, priority: int | None, state: VrrpState | None
) -> dict[TrackKey, Result | None]:
    if old is None:
        return {}
    results: dict[TrackKey, Result | None] = dict(interface_results(snapshot.addresses, old))
    results |= {("file", f.name): f.status for f in instance.track_files if f.status is not None}
    return deduced(old, priority, results, in_fault=state is VrrpState.FAULT)


def _effective_now(snapshot: Snapshot, instance: VrrpInstance, view: InstanceView | None) -> int | None:
    """Keepalived's own number; without a dump that of our adverts."""
    if view is None:
        return None
    own = evidence(snapshot, instance).own
    if view.effective_priority is None and own is not None and own.last.priority:
        return own.last.priority
    return view.effective_priority


def _held(snapshot: Snapshot, settings: Settings) -> tuple[str, ...] | None:
    if snapshot.addresses is None:
        return None
    return tuple(a for a in settings.held if snapshot.addresses.holding(a))


def _stub(settings: Settings) -> VrrpInstance:
    """A new instance as the rules of adverts take it."""
    return VrrpInstance(
        settings.name,
        VrrpState.UNKNOWN,
        interface=settings.interface,
        vrid=settings.vrid,
        family=settings.family,
        unicast_source=settings.unicast_source,
        unicast_peers=settings.unicast_peers,
    )


def _from_dump(instance: VrrpInstance, new: Settings) -> Settings:
    """Returns how an instance runs by the dump, where the running config cannot be read (before 2.2.0)."""
    vips = tuple(v.address for v in instance.vips)
    return replace(
        new,
        interface=instance.interface or new.interface,
        vrid=instance.vrid if instance.vrid is not None else new.vrid,
        version=instance.version or new.version,
        priority=instance.base_priority or new.priority,
        nopreempt=bool(instance.nopreempt),
        interval=instance.advert_interval or new.interval,
        advertised=vips or new.advertised,
        held=vips or new.held,
    )


def _grouped(found: list[Consequence], groups: Mapping[str, str]) -> tuple[Consequence, ...]:
    """Members of a sync group go to FAULT together; in an election they move together, or none does (measured)."""
    result = list(found)
    for group in dict.fromkeys(groups.values()):
        members = [n for n, c in enumerate(result) if groups.get(c.prediction.instance) == group]
        moving = [n for n in members if result[n].prediction.state.then != result[n].prediction.state.now]
        lead = next((n for n in moving if result[n].prediction.state.then == FAULT or result[n].steps_down), None)
        if lead is not None:
            for n in members:
                result[n] = _follows(result[n], result[lead], group)
        elif 0 < len(moving) < len(members):
            staying = next(result[n] for n in members if n not in moving)
            for n in moving:
                result[n] = _stays(result[n], staying, group)
    return tuple(result)


def _stays(one: Consequence, other: Consequence, group: str) -> Consequence:
    p = one.prediction
    prediction = replace(
        p,
        state=StateChange(p.state.now, p.state.now),
        vips_here=VipsChange(p.vips_here.now, p.vips_here.now),
        owner_then=other.prediction.owner_then,
        two_owners=False,
        within_seconds=None,
        certainty=Certainty.LIKELY,
        why=f"sync group {group}: it moves with all its members or not at all, and {other.prediction.instance} stays",
    )
    return replace(one, prediction=prediction)


def _follows(one: Consequence, lead: Consequence, group: str) -> Consequence:
    mine, theirs = one.prediction, lead.prediction
    if mine.instance == theirs.instance:
        return one
    then = theirs.state.then
    prediction = replace(
        mine,
        state=StateChange(mine.state.now, then),
        vips_here=VipsChange(mine.vips_here.now, None if then is None else ()),
        owner_then=theirs.owner_then,
        two_owners=theirs.two_owners,
        within_seconds=theirs.within_seconds,
        certainty=Certainty.UNKNOWN if then is None else Certainty.LIKELY,
        why=f"sync group {group}: it moves with {theirs.instance} ({theirs.why})",
    )
    return replace(one, prediction=prediction, watch=max(one.watch, lead.watch))
