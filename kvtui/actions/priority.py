"""``kvtui priority``: another priority for one instance, by its track file or its config; seen on the wire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kvtui.actions.contenders import contest, group_remark, own_advert, told
from kvtui.actions.plan import Grade, Plan, Remark, Verb
from kvtui.actions.priority_ways import LEAST, MOST_TRACKED, OWNER, by_knob, way_to
from kvtui.actions.reload import DIED
from kvtui.actions.runner import Action, Verified
from kvtui.actions.step import Side, StepFailed
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.track_knobs import knobs
from kvtui.actions.watch import until
from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.election import takeover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kvtui.actions.contenders import Contest
    from kvtui.actions.journal import Entry
    from kvtui.actions.priority_ways import Way
    from kvtui.actions.step import Json, Step
    from kvtui.actions.survey import Survey
    from kvtui.actions.track_knobs import Knob
    from kvtui.actions.watch import Watch
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.election import Prediction

TIMEOUT = 5.0
"""Seconds until keepalived itself must show the new priority."""
MARGIN = 2.0
"""Seconds after the predicted time before a prediction counts as missed."""


def plan_priority(
    observation: Observation,
    survey: Survey,
    instance: str,
    value: int,
    watch: Watch,
    *,
    use_track_file: bool | None = None,
) -> Action:
    """The plan for another priority.

    Args:
        observation: of the node now.
        survey: of its config, made just now.
        instance: name.
        value: wanted effective priority, 1 to 255 (254 with a track file).
        watch: gives new observations, for the verification.
        use_track_file: by its track file, or by its config; None for the better way (``priority_ways``).

    Raises:
        NoSuchInstance: there is none of that name.
    """
    race = contest(observation, instance)
    most = MOST_TRACKED if use_track_file else OWNER
    if not LEAST <= value <= most:
        return _refused(instance, value, f"priority {value} is not between {LEAST} and {most}")
    way = way_to(survey, race, value, use_track_file=use_track_file)
    prediction = race.predicted(value)
    effects = [_wire(race, value, way, prediction), *told(prediction, race.own)]
    if race.peers:
        effects.append("nopreempt and preempt_delay of the other nodes are taken to be as on this one")
    plan = Plan(
        verb=Verb.PRIORITY,
        target=instance,
        summary=f"priority of {instance}: {way.now} → {value}, by {way.name}",
        changes=way.changes,
        steps=tuple(s.describe() for s in way.steps),
        effects=tuple(effects),
        remarks=(*way.remarks, *group_remark(observation, race)),
        diff=way.diff,
        by_hand=way.by_hand,
    )
    verification = Verification(survey, race, value, prediction, watch, way.steps)
    return Action(plan, way.steps, verification)


def plan_reset(
    observation: Observation, survey: Survey, instance: str, entries: Iterable[Entry], watch: Watch
) -> Action:
    """The plan that gives back the priority which the instance had before kvtui changed it.

    Args:
        observation: of the node now.
        survey: of its config, made just now.
        instance: name.
        entries: of the journal, oldest first.
        watch: gives new observations.

    Raises:
        NoSuchInstance: there is none of that name.
    """
    contest(observation, instance)
    steps = [step for entry in entries for step in _done_steps(entry)]
    for knob in knobs(survey, instance):
        value = _origin(knob.value, [_pair(s, "before", "after") for s in steps if _is_track(s, knob.path)])
        if value != knob.value:
            return _reset_track(observation, survey, instance, knob, value, watch)
    now = next((i.priority for i in (survey.conf.instances if survey.conf else ()) if i.name == instance), None)
    pairs = [(int(s["priority"][0]), int(s["priority"][1])) for s in steps if _is_file(s, instance)]
    origin = None if now is None else _origin(now, pairs)
    if origin is None or origin == now:
        why = f"the journal has no change of {instance} that would have led to its priority {now}: nothing to reset"
        return _refused(instance, now or 0, why)
    return plan_priority(observation, survey, instance, origin, watch, use_track_file=False)


def _refused(instance: str, value: int, why: str) -> Action:
    async def nothing(_say: Callable[[str], None]) -> Verified:
        return Verified(ok=False, detail=why)

    summary = f"priority of {instance}: {value}"
    return Action(Plan(Verb.PRIORITY, instance, summary, remarks=(Remark(Grade.IMPOSSIBLE, why),)), (), nothing)


def _done_steps(entry: Entry) -> Iterator[Json]:
    if entry.verb in (Verb.PRIORITY, Verb.FAILOVER) and entry.result in ("done", "unverified"):
        yield from entry.steps


def _is_track(step: Json, path: str) -> bool:
    return step.get("kind") == "track value" and step.get("path") == path


def _is_file(step: Json, instance: str) -> bool:
    return step.get("kind") == ReplaceFile.kind and step.get("instance") == instance


def _pair(step: Json, before: str, after: str) -> tuple[int, int]:
    return int(step[before]), int(step[after])


def _origin(now: int, pairs: list[tuple[int, int]]) -> int:
    """Back through the changes that led to the present value, as far as they join on to each other."""
    for before, after in reversed(pairs):
        if after != now:
            return now
        now = before
    return now


def _reset_track(
    observation: Observation, survey: Survey, instance: str, knob: Knob, value: int, watch: Watch
) -> Action:
    race = contest(observation, instance)
    base = race.view.priority or 0
    wanted = max(LEAST, min(MOST_TRACKED, base + value * knob.weight))
    way = by_knob(survey, race, knob, value, wanted)
    prediction = race.predicted(wanted)
    plan = Plan(
        verb=Verb.PRIORITY,
        target=instance,
        summary=f"priority of {instance} back to {wanted}, by {way.name}",
        changes=way.changes,
        steps=tuple(s.describe() for s in way.steps),
        effects=tuple(told(prediction, race.own)),
        remarks=way.remarks,
        by_hand=way.by_hand,
    )
    return Action(plan, way.steps, Verification(survey, race, wanted, prediction, watch, way.steps))


def _wire(race: Contest, value: int, way: Way, prediction: Prediction) -> str:
    if not way.steps:
        return "nothing changes on the wire"
    if race.is_master:
        wire = f"adverts have priority {value} after at most one with the old one"
        stays = prediction.master == race.own and not prediction.moves
        return f"{wire}; MASTER state and VIPs are kept" if stays else wire
    return f"a backup is silent: priority {value} shows on the wire once this node is master"


class Verification:
    """Waits for the priority in keepalived's own words and on the wire, then compares the prediction with what comes.

    Args:
        survey: before.
        race: before.
        value: effective priority that is wanted.
        prediction: what was foretold.
        watch: gives new observations.
        steps: that were done.
    """

    def __init__(
        self,
        survey: Survey,
        race: Contest,
        value: int,
        prediction: Prediction,
        watch: Watch,
        steps: tuple[Step, ...],
    ) -> None:
        self._survey = survey
        self._race = race
        self._value = value
        self._prediction = prediction
        self._watch = watch
        self._files = [s for s in steps if isinstance(s, ReplaceFile)]

    async def __call__(self, say: Callable[[str], None]) -> Verified:
        """The runner's ``verify``."""
        started = time.time()
        name = self._race.view.name
        say(f"waiting until keepalived has priority {self._value} for {name}")
        dumps = self._survey.site.dumps(self._survey.keepalived)
        if await dumps.until(self._has_it, TIMEOUT) is None and not self._runs_it():
            if dumps.ended():
                return Verified(ok=False, detail=DIED.format(pid=self._survey.keepalived.pid))
            detail = (
                f"priority {self._value} is written, but keepalived does not show it: {dumps.trouble or 'see its log'}"
            )
            return Verified(ok=None, detail=detail)
        facts: dict[str, Any] = {"priority_before": self._race.view.priority, "priority_after": self._value}
        detail = f"keepalived has priority {self._value} for {name}"
        if self._race.is_master:
            say("waiting for it on the wire")
            seconds = await self._on_the_wire(started)
            facts["on_the_wire"] = seconds is not None
            detail += ", and so have its adverts on the wire" if seconds is not None else ", not seen on the wire"
        detail += await self._prediction_checked(started, say, facts)
        if overwritten := self._overwritten():
            facts["overwritten"] = True
            detail += f"; {overwritten}"
        seen = facts.get("on_the_wire", True) or facts.get("seen_master") != self._race.own
        return Verified(ok=True if seen else None, detail=detail, facts=facts)

    def _has_it(self, instances: tuple[VrrpInstance, ...]) -> bool:
        mine = next((i for i in instances if i.name == self._race.view.name), None)
        if mine is None:
            return False
        effective = mine.base_priority if mine.effective_priority is None else mine.effective_priority
        return self._value == (mine.base_priority if self._files else effective)

    def _runs_it(self) -> bool:
        """Where keepalived cannot be asked: its running config has it."""
        running = self._survey.site.running(self._survey.keepalived) if self._files else None
        return running is not None and any(
            i.name == self._race.view.name and i.priority == self._value for i in running.instances
        )

    async def _on_the_wire(self, started: float) -> float | None:
        """Seconds until an own advert had it; None when none came before another node took over."""
        name = self._race.view.name

        def advertised(observation: Observation) -> float | None:
            own = own_advert(observation, name)
            if own is not None and own.last.priority == self._value and own.last.received > started - 1.0:
                return max(0.001, own.last.received - started)
            return None

        return await until(self._watch, advertised, 2 * self._race.interval + MARGIN)

    async def _prediction_checked(self, started: float, say: Callable[[str], None], facts: dict[str, Any]) -> str:
        race, prediction = self._race, self._prediction
        expected = prediction.master
        longest = takeover(1, race.interval)
        after = prediction.moves[-1].after if prediction.moves else longest
        facts |= {
            "predicted_master": expected,
            "predicted_seconds": prediction.moves[-1].after if prediction.moves else 0,
        }
        say(f"watching for {after + MARGIN:.0f} s who is master" if not prediction.moves else f"waiting for {expected}")
        seen: list[str | None] = [race.master]
        moved_at: list[float] = []

        def look(observation: Observation) -> bool:
            view = next((v for v in observation.vrrp_instances or () if v.name == race.view.name), None)
            master = view.master if view else None
            address = race.own if view and view.state is VrrpState.MASTER else master.address if master else None
            if address is not None and address != seen[-1]:
                seen.append(address)
                moved_at.append(observation.snapshot.time - started)
            return bool(prediction.moves) and seen[-1] == expected

        await until(self._watch, look, after + MARGIN)
        facts |= {"seen_master": seen[-1], "seen_seconds": round(moved_at[-1], 2) if moved_at else 0}
        facts["prediction_came_true"] = None if None in {expected, seen[-1]} else seen[-1] == expected
        if expected is None or seen[-1] is None:
            return f"; master now: {seen[-1] or 'not known'}"
        if seen[-1] == expected:
            when = f" after {moved_at[-1]:.1f} s" if moved_at else ""
            return f"; as predicted, {expected} is master{when}"
        return f"; NOT as predicted: {seen[-1]} is master, not {expected} ({prediction.because})"

    def _overwritten(self) -> str:
        """Somebody, such as a controller, wrote the file since."""
        for step in self._files:
            try:
                if step.look() is not Side.AFTER:
                    return (
                        f"{step.path} was written again meanwhile: keepalived keeps {self._value} until its next reload"
                    )
            except StepFailed:  # it cannot be told
                return ""
        return ""
