"""The drains in force, derived from the journal, and ``drain --keep``, which drains again what something else undid."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.network import Network
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.step_kinds import readable_steps
from kvtui.actions.drain.targets import is_meant, parse_real, service_option
from kvtui.actions.steps.check_value import SetCheckValue
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.weight import Server, SetWeight, target_from_json
from kvtui.model.ipvs import endpoint, service_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from kvtui.actions.core.journal import Entry, Journal
    from kvtui.actions.core.runner import Outcome
    from kvtui.model.ipvs import DestinationKey
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot

    Again = Callable[[Intent, str], Awaitable[Outcome]]  # plans and applies an intent, with a reason for the journal

RELEASED = "released"
RELEASED_IN = "released_in"  # fact of an undrain: what it gave back, also where there was nothing to write
KEEP_INTERVAL = 1.0  # seconds between two looks of `drain --keep`


class Drain(Server, frozen=True):
    entry: str
    network: Network
    weight: int
    reason: str
    who: Mapping[str, str]
    at: float
    sysctl: SetSysctl | None = None
    check: SetCheckValue | None = None
    """The number in the track file of its FILE_CHECK; None where the weight was set in the kernel."""

    @property
    def user(self) -> str:
        return self.who.get("user", "an unknown user")


class LostDrain(Struct, frozen=True):
    """A drain that a health check, a reload or a restart of keepalived undid."""

    drain: Drain
    weight: int  # in the kernel now

    @property
    def sentence(self) -> str:
        drain = self.drain
        return (
            f"{endpoint(*drain.real)} of {service_name(drain.service)} was drained by {drain.user} ({drain.entry}) but "
            f"has weight {self.weight} in the kernel: a health check, a reload or a restart of keepalived restored it. "
            "Drain it again, or undrain it to close the drain"
        )


def active_drains(entries: Iterable[Entry]) -> tuple[Drain, ...]:
    """Returns the drains in force according to the journal, oldest first."""
    found: list[Drain] = []
    for entry in entries:
        if not entry.in_force or entry.finishes:  # whom an action finishes is itself in force then
            continue
        if entry.verb == ActionKind.DRAIN and not entry.undoes:
            for drain in _drains_of(entry):
                found = [*_without(found, drain.network, drain.target), drain]
        elif entry.verb == ActionKind.UNDRAIN:
            for network, target in _released(entry):
                found = _without(found, network, target)
    return tuple(sorted(found, key=lambda d: d.at))


def _without(known: list[Drain], network: Network | None, target: DestinationKey) -> list[Drain]:
    """Less those of a real server; another namespace may have one of the same address. None: whichever it is."""
    return [d for d in known if d.target != target or (network is not None and not d.network.is_same(network))]


def _drains_of(entry: Entry) -> tuple[Drain, ...]:
    steps = readable_steps(entry.steps)
    sysctl = next((s for s in steps if isinstance(s, SetSysctl)), None)
    found: dict[DestinationKey, Drain] = {}
    left: dict[DestinationKey, int] = {}
    for step in steps:
        if not isinstance(step, SetWeight | SetCheckValue):
            continue
        check = step if isinstance(step, SetCheckValue) else None
        who, at, why = entry.who, entry.at, entry.reason
        for one in step.effects if isinstance(step, SetCheckValue) else (step,):
            drain = Drain(*one.target, entry.id, step.network, one.before, why, who, at, sysctl, check)
            first = found.setdefault(one.target, drain)
            if check and first.check and first is not drain:  # a slow drain: from the first number to the last
                found[one.target] = replace(first, check=first.check.until(check))
            left[one.target] = one.after
    return tuple(drain for target, drain in found.items() if drain.weight and not left[target])


def _released(entry: Entry) -> tuple[tuple[Network | None, DestinationKey], ...]:
    steps = readable_steps(entry.steps)
    inside = entry.facts.get(RELEASED_IN)
    network = Network.from_json(inside) if inside else None  # older journals do not have it
    return (
        *((s.network, s.target) for s in steps if isinstance(s, SetWeight)),
        *((s.network, e.target) for s in steps if isinstance(s, SetCheckValue) for e in s.effects),
        *((network, target_from_json(t)) for t in entry.facts.get(RELEASED, ())),
    )


def network_of(observation: Observation) -> Network:
    return _network(observation.snapshot)


def _network(snapshot: Snapshot) -> Network:
    keepalived = snapshot.chosen_keepalived
    return Network(keepalived.pid, keepalived.netns) if keepalived else Network(None, None)


def lost_drains(observation: Observation, known: Iterable[Drain]) -> tuple[LostDrain, ...]:
    """Returns the drains that the kernel no longer has. A removed server is not one: it takes no connections."""
    return lost_in(observation.snapshot, known)


def lost_in(snapshot: Snapshot, known: Iterable[Drain]) -> tuple[LostDrain, ...]:
    here = _network(snapshot)
    mine = [d for d in known if d.network.is_same(here)]
    if not mine or snapshot.ipvs is None:
        return ()  # the usual case, which must not cost a walk through a large table
    services = {d.service for d in mine}
    drained = ((v.key, v.real_servers) for v in snapshot.ipvs.virtual_servers if v.key in services)
    weights = {(service, r.key): r.weight for service, reals in drained for r in reals}
    return tuple(LostDrain(d, weight) for d in mine if (weight := weights.get(d.target)))


def drain_again(drain: Drain) -> Intent:
    return Intent(ActionKind.DRAIN, endpoint(*drain.real), service=service_option(drain.service))


def ids_to_keep(journal: Journal, intent: Intent) -> set[str]:
    """Returns the actions that drained what an intent names; it may have been drained before."""
    real = parse_real(intent.target)
    return {d.entry for d in active_drains(journal.entries()) if is_meant(d.target, real, intent.service)}


class Keeper:
    """Keeps the drains of some actions; adds the ids of those that drain again to ``entries``."""

    def __init__(self, journal: Journal, again: Again, entries: Iterable[str] = ()) -> None:
        self._journal = journal
        self._again = again
        self.entries = set(entries)

    async def redrain_lost(self, observation: Observation) -> bool:
        """Drains again what was lost. Returns whether there is still something to keep."""
        drains = [d for d in active_drains(await asyncio.to_thread(self._journal.entries)) if d.entry in self.entries]
        for lost in lost_drains(observation, drains):
            outcome = await self._again(drain_again(lost.drain), f"kept drained ({lost.drain.entry})")
            if outcome.id:
                self.entries.add(outcome.id)
        return bool(drains)

    async def run(self, watch: Callable[[], Awaitable[Observation]]) -> None:
        """Runs until there is nothing left to keep, or it is cancelled."""
        while True:
            if not await self.redrain_lost(await watch()):
                return
            await asyncio.sleep(KEEP_INTERVAL)
