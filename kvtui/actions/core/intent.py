"""What an operator asked for, and the plan for it: the one door through which the CLI and the terminal UI act."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from kvtui.actions.core import recovery
from kvtui.actions.drain.check_files import check_knobs
from kvtui.actions.drain.plan import plan_drain, plan_undrain
from kvtui.actions.drain.active_drains import drains
from kvtui.actions.failover import plan_failover
from kvtui.actions.core.plan import Verb
from kvtui.actions.priority.plan import plan_priority, plan_reset
from kvtui.actions.reload.plan import plan_reload
from kvtui.actions.drain.targets import parse_real
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from kvtui.actions.core.runner import Action
    from kvtui.actions.core.backend import Site
    from kvtui.actions.checks.preflight import Survey
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation


class CannotPlan(LookupError):  # noqa: N818 - what it is, in words for an operator
    """There is nothing that the action could be done to; the text says why and what next."""


@dataclass(frozen=True, slots=True)
class Intent:
    """One request.

    Attributes:
        verb: what to do.
        target: real server (drain), instance (priority, failover), journal id (undo; empty: the newest); else empty.
        value: the wanted priority.
        service: virtual server, for a drain of one of several.
        wait: seconds to wait until a drained server is empty; None does not wait.
        over: seconds over which a drain lowers the weight.
        fix_persistence: set expire_quiescent_template for a drain.
        use_track_file: change the priority by its track file, or by its config; None for the better way.
        reset: give back the configured priority.
        finish: finish what was cut short instead of taking it back.
        leave: leave things as they are and close the entry.
    """

    verb: Verb
    target: str = ""
    value: int = 0
    service: str | None = None
    wait: float | None = None
    over: float = 0.0
    fix_persistence: bool = False
    use_track_file: bool | None = None
    reset: bool = False
    finish: bool = False
    leave: bool = False


async def plan(intent: Intent, observation: Observation, watch: Watch, site: Site) -> Action:
    """The plan for an intent; nothing is written.

    Args:
        intent: what is wanted.
        observation: the node now.
        watch: gives new observations, for the verification.
        site: where it is to be done: its journal, and the world behind the observations.

    Raises:
        LookupError: there is no such target; the text lists what there is.
        ValueError: a value is out of range, or the target cannot be understood.
        OSError: the journal or the config cannot be read.
    """
    action = await _plan(intent, observation, watch, site)
    return replace(action, plan=site.plan(action.plan))


async def _plan(intent: Intent, observation: Observation, watch: Watch, site: Site) -> Action:
    if intent.verb in {Verb.DRAIN, Verb.UNDRAIN}:
        return await _drain(intent, observation, site)
    if intent.verb is Verb.UNDO:
        return await asyncio.to_thread(_undo, intent, site)
    found = await _survey(observation, site)
    if intent.verb is Verb.RELOAD:
        return plan_reload(observation, found, watch)
    if intent.verb is Verb.FAILOVER:
        return plan_failover(observation, found, intent.target, watch)
    if intent.reset:
        return plan_reset(observation, found, intent.target, site.journal.entries(), watch)
    track = intent.use_track_file
    return plan_priority(observation, found, intent.target, intent.value, watch, use_track_file=track)


async def _drain(intent: Intent, observation: Observation, site: Site) -> Action:
    real = parse_real(intent.target)
    entries = await asyncio.to_thread(site.journal.entries)
    checks = await asyncio.to_thread(check_knobs, observation, site.text)
    if intent.verb is Verb.UNDRAIN:
        return plan_undrain(observation, real, intent.service, site=site, known=drains(entries), checks=checks)
    sysctls = await asyncio.to_thread(site.sysctls, observation.snapshot.chosen_keepalived)
    note = site.note()
    return plan_drain(
        observation,
        real,
        intent.service,
        wait=intent.wait,
        over=intent.over,
        fix_persistence=intent.fix_persistence,
        sysctls=sysctls,
        checks=checks,
        site=site,
        notes=(note,) if note else (),
    )


async def _survey(observation: Observation, site: Site) -> Survey:
    keepalived = observation.snapshot.chosen_keepalived
    if keepalived is None:
        raise CannotPlan(f"there is no keepalived to act on: {observation.snapshot.sources[0].detail}")
    return await asyncio.to_thread(site.survey, keepalived)


def _undo(intent: Intent, site: Site) -> Action:
    journal = site.journal
    # the newest of those that were cut short: a repair comes before what it repaired
    left = journal.unfinished()
    entry = journal.entry(intent.target) if intent.target else left[-1] if left else journal.undoable()
    if entry is None:
        known = f"no entry {intent.target}" if intent.target else "nothing that could be taken back"
        raise CannotPlan(f"the journal in {journal.folder} has {known}: kvtui journal lists what was done")
    if intent.leave:
        return recovery.leave(entry, site)
    if intent.finish:
        return recovery.finish(entry, site)
    entries = journal.entries()
    place = next((n for n, e in enumerate(entries) if e.id == entry.id), len(entries))
    return recovery.undo(entry, site, entries[place + 1 :])
