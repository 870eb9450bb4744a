"""``kvtui failover``: makes the VIPs of one instance leave this node, by the gentlest way that works here.

Measured (keepalived.md section 5), gentlest first:

1. A track file of the instance: FAULT. Nothing is reloaded; works against nopreempt; 0.65 s.
2. Peers may preempt: the lowest priority. The VIP stays here until a peer has it (3 adverts and the skew).
3. nopreempt: the lowest priority, then the VIP is taken off, so that keepalived itself steps down. Nobody owns the VIP
   for the successor's skew, less than one advert interval.

Is anybody there to take over? A backup is silent, so kvtui may never have heard one. It is enough that kvtui heard a
peer's advert, or that keepalived counts adverts received since it started. Peers that are only configured
(``unicast_peer``) are warned of. With neither the plan is unsafe: --force tries all the same, and when nobody takes
over in time everything is put back, so the worst is that time without an owner.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kvtui.actions.contenders import contest, group_remark, lasting_owner, own_advert, successors, told
from kvtui.actions.plan import Change, Grade, Plan, Remark, Verb
from kvtui.actions.reconfigure import reconfiguration
from kvtui.actions.runner import Action, Verified
from kvtui.actions.steps.address import RemoveAddress
from kvtui.actions.steps.daemon import Daemon
from kvtui.actions.track_knobs import knobs
from kvtui.actions.watch import until
from kvtui.model.record import dataclass
from kvtui.rules.vrrp.claims import began
from kvtui.rules.vrrp.election import Leaving, skew, takeover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.actions.contenders import Contest
    from kvtui.actions.step import Step
    from kvtui.actions.survey import Survey
    from kvtui.actions.track_knobs import Knob
    from kvtui.actions.watch import Watch
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.vrrp.election import Prediction

LOWEST = 1
MARGIN = 3.0
"""Seconds after the predicted time before everything is put back."""


class Way(StrEnum):
    """How the VIP is made to leave."""

    TRACK_FILE = "track file FAULT"
    PREEMPTED = "lowest priority, peers preempt"
    STEP_DOWN = "lowest priority, then the VIP is removed so that keepalived steps down"


def plan_failover(observation: Observation, survey: Survey, instance: str, watch: Watch) -> Action:
    """The plan to make the instance's VIPs leave this node.

    Args:
        observation: of the node now; the longer kvtui has listened, the more peers it knows.
        survey: of its config, made just now.
        instance: name.
        watch: gives new observations, for the verification.

    Raises:
        NoSuchInstance: there is none of that name.
    """
    race = contest(observation, instance)
    way = _way(observation, survey, race)
    prediction = race.predicted(LOWEST, Leaving.STAYS if way.way is Way.PREEMPTED else Leaving.STEPS_DOWN)
    back = _way_back(race, way)
    plan = Plan(
        verb=Verb.FAILOVER,
        target=instance,
        summary=f"make {', '.join(race.view.vips) or instance} leave this node: {way.way.value}",
        changes=way.changes,
        steps=tuple(s.describe() for s in way.steps),
        effects=(*_expected(race, way, prediction), back),
        remarks=(*_refusals(race), *_peers(race), *way.remarks, *group_remark(observation, race)),
        diff=way.diff,
        by_hand=way.by_hand,
    )
    return Action(plan, way.steps, Verification(race, way, prediction, watch, observation.snapshot.time, back))


@dataclass(frozen=True, slots=True)
class _Plan:
    """One way, worked out."""

    way: Way
    why: str
    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()
    changes: tuple[Change, ...] = ()
    diff: str = ""
    by_hand: tuple[str, ...] = ()


def _way(observation: Observation, survey: Survey, race: Contest) -> _Plan:
    found = (k for k in knobs(survey, race.view.name) if not survey.site.obstacle(survey.keepalived, k.path))
    usable = sorted(found, key=lambda k: (len(k.checked), len(k.shared)))
    if usable:
        return _by_track_file(survey, usable[0])
    config = reconfiguration(survey, race.view.name, LOWEST)
    plan = _Plan(
        Way.PREEMPTED,
        "peers may preempt, and keep the VIP here until one of them has it",
        config.steps,
        config.remarks,
        config.changes,
        config.diff,
        config.by_hand,
    )
    if not config.steps and all(r.grade < Grade.IMPOSSIBLE for r in config.remarks):
        why = f"{race.view.name} has priority {LOWEST} already, and still nobody took over"
        plan = replace(plan, remarks=(*plan.remarks, Remark(Grade.NOTE, why)))
    return _stepping_down(observation, survey, race, plan) if race.view.nopreempt else plan


def _by_track_file(survey: Survey, knob: Knob) -> _Plan:
    value = knob.fault_value()
    remarks = []
    if knob.shared:
        remarks.append(Remark(Grade.WARNING, f"{', '.join(knob.shared)} track this file as well and leave too"))
    if knob.checked:
        reals = ", ".join(knob.checked)
        remarks.append(Remark(Grade.WARNING, f"it is the FILE_CHECK of {reals} as well: their weights here change too"))
    return _Plan(
        Way.TRACK_FILE,
        f"it tracks {knob.path}: no reload, and it works against nopreempt",
        survey.site.steps((knob.step(Daemon.of(survey.keepalived), value),)),
        tuple(remarks),
        (Change(f"track file {knob.name}", str(knob.value), str(value)),),
        by_hand=(f"echo {value} > {survey.keepalived.outside(knob.path)}",),
    )


def _stepping_down(observation: Observation, survey: Survey, race: Contest, plan: _Plan) -> _Plan:
    why = "with nopreempt a lower priority alone moves nothing"
    plan = replace(plan, way=Way.STEP_DOWN, why=why)
    vip = next((v for v in observation.vips or () if v.instance == race.view.name and v.present and v.interface), None)
    if vip is None or vip.interface is None:
        text = f"no VIP of {race.view.name} is on an interface here"
        return replace(plan, steps=(), remarks=(*plan.remarks, Remark(Grade.IMPOSSIBLE, text)))
    if not _steps_down(survey.keepalived.version):
        text = f"keepalived {survey.keepalived.version} does not step down when its VIP is removed (2.0.0 and later do)"
        return replace(plan, steps=(), remarks=(*plan.remarks, Remark(Grade.IMPOSSIBLE, text)))
    if not plan.steps and any(r.grade is Grade.IMPOSSIBLE for r in plan.remarks):
        return plan
    daemon = Daemon.of(survey.keepalived)
    remove = RemoveAddress(daemon, race.view.name, LOWEST, vip.address, vip.prefixlen, vip.interface)
    return replace(
        plan,
        steps=(*plan.steps, *survey.site.steps((remove,))),
        changes=(*plan.changes, Change(f"{vip.address} on {vip.interface}", "present", "gone")),
        by_hand=(
            *plan.by_hand,
            f"nsenter -t {daemon.pid} -n ip addr del {vip.address}/{vip.prefixlen} dev {vip.interface}",
        ),
    )


def _steps_down(version: str | None) -> bool:
    match = re.match(r"(\d+)\.", version or "")
    return match is None or int(match[1]) >= 2


def _refusals(race: Contest) -> Iterator[Remark]:
    if not race.is_master:
        text = f"{race.view.name} is {race.view.state.value} here, not MASTER: there is nothing to fail over"
        yield Remark(Grade.IMPOSSIBLE, text)
    if not race.listening:
        yield Remark(
            Grade.UNSAFE, "adverts cannot be captured, so it would not be seen whether another node takes over"
        )


def _peers(race: Contest) -> Iterator[Remark]:
    """Whether somebody is there to take over: see the module."""
    name, vrid = race.view.name, race.view.vrid
    received = (race.view.counters or {}).get("advert_rcvd", 0)
    if race.heard:
        return
    if received:
        yield Remark(
            Grade.NOTE,
            f"no other node was heard since kvtui listens (backups are silent), but keepalived has received {received} "
            f"adverts of others for {name} since it started",
        )
    elif race.peers:
        peers = ", ".join(p.address for p in race.peers)
        yield Remark(
            Grade.WARNING,
            f"no other node of VRID {vrid} was ever heard; {peers} are configured as peers. If none of them takes over "
            "in time, everything is put back",
        )
    else:
        yield Remark(
            Grade.UNSAFE,
            f"no peer has been seen on the wire: neither kvtui nor keepalived ever heard another node of VRID {vrid} "
            "(a backup is silent, so there may be one). If nobody takes over in time, everything is put back",
        )


def _longest(race: Contest, way: _Plan, prediction: Prediction) -> float:
    """Seconds until somebody must have taken over."""
    if prediction.moves:
        return prediction.moves[-1].after
    if way.way is Way.PREEMPTED:
        return takeover(LOWEST, race.interval) + (race.view.preempt_delay or 0.0)
    return skew(LOWEST, race.interval)


def _expected(race: Contest, way: _Plan, prediction: Prediction) -> Iterator[str]:
    yield f"the way: {way.way.value}, as {way.why}"
    if prediction.moves:
        yield from told(prediction, race.own)
    else:
        within = _longest(race, way, prediction)
        owned = "the VIP stays here until then" if way.way is Way.PREEMPTED else "nobody owns the VIP until then"
        yield f"another node becomes master within {within:.1f} s; {owned}. Which one is not known: none was heard yet"


def _way_back(race: Contest, way: _Plan) -> str:
    what = "sets the track file back" if way.way is Way.TRACK_FILE else f"brings priority {race.view.priority} back"
    if race.view.nopreempt:
        return f"undo {what}; the VIP stays where it is then (nopreempt)"
    return f"undo {what}; then the VIP comes back if this node has the highest priority, which it does not keep from it"


SETTLING = 6
"""Advert intervals, at most, until it is settled who has it. Two are enough unless two backups took over at once."""


class Verification:
    """Another node must advertise the VRID, and the VIPs must be gone here; else everything is put back.

    Args:
        race: before.
        way: that was taken.
        prediction: what was foretold.
        watch: gives new observations.
        planned_at: seconds since the epoch; what was heard later is news.
        back: what an undo would do, for the journal.
    """

    def __init__(
        self, race: Contest, way: _Plan, prediction: Prediction, watch: Watch, planned_at: float, back: str
    ) -> None:
        self._race = race
        self._way = way
        self._prediction = prediction
        self._watch = watch
        self._planned_at = planned_at
        self._back = back
        self._left_at: float | None = None
        self._taken_at: float | None = None
        self._began_at = 0.0
        self._owner: str | None = None
        self._claimed: dict[str, None] = {}
        self._held: tuple[str, ...] = ()

    async def __call__(self, say: Callable[[str], None]) -> Verified:
        """The runner's ``verify``."""
        self._began_at = time.time()
        longest = _longest(self._race, self._way, self._prediction)
        timeout = longest + MARGIN
        say(f"waiting up to {timeout:.0f} s for another node to take over")
        taken = await until(self._watch, self._moved, timeout)
        settled = None
        if taken:
            say("waiting until one node alone goes on: two backups may both have taken over")
            rest = max(0.0, self._began_at + longest - time.time())
            settled = await until(self._watch, self._settled, rest + SETTLING * self._race.interval)
        facts = self._facts(settled=settled is True)
        if settled:
            return Verified(ok=True, detail=self._told(), facts=facts)
        if self._held and (taken or self._owner):
            return Verified(ok=False, detail=self._kept(), facts=facts)
        if taken:
            return Verified(ok=None, detail=self._unsettled(), facts=facts)
        if not self._race.listening and not self._held:
            return Verified(ok=None, detail="the VIP left this node; adverts cannot be captured", facts=facts)
        return Verified(ok=False, detail=f"no other node took over within {timeout:.1f} s", facts=facts)

    def _moved(self, observation: Observation) -> bool:
        name = self._race.view.name
        self._held = tuple(v.address for v in observation.vips or () if v.instance == name and v.present)
        self._note_leaving(observation)
        found = successors(observation, name, self._planned_at)
        if found and self._taken_at is None:
            self._taken_at = min(self._since(a) for a in found)
        self._claimed |= {a.last.source: None for a in found}
        self._owner = found[0].last.source if found else None
        return bool(found) and not self._held

    def _since(self, advertiser: Advertiser) -> float:
        """When it took over: its first advert without a pause since, as far as that is known."""
        since = began(advertiser)
        return since if since > self._planned_at else advertiser.last.received

    def _settled(self, observation: Observation) -> bool:
        """One of the others alone goes on, and nobody else is still to come.

        Backups whose priorities differ by one wait 4 ms apart: both take over, and the better one prevails. One with
        a preempt_delay comes when others had it for a while.
        """
        moved = self._moved(observation)
        last = lasting_owner(observation, self._race.view.name)
        if not moved or last is None or last.last.source != self._owner:
            return False
        final = self._prediction.moves[-1] if self._prediction.moves else None
        if final is None or final.to == self._owner:
            return True
        return observation.snapshot.time > self._began_at + final.after + self._race.interval

    def _kept(self) -> str:
        """The VIP did not leave this node for good."""
        vips = ", ".join(self._held)
        if self._owner is None:
            return f"{' and '.join(self._claimed)} took over, but {vips} is here again"
        return f"{self._owner} advertises, but {vips} is still on this node, too"

    def _unsettled(self) -> str:
        """The VIP left, and that is all that is sure."""
        vips = ", ".join(self._race.view.vips)
        claimed = " and ".join(self._claimed)
        seconds = SETTLING * self._race.interval
        return f"{vips} left this node, but it is not settled who has it: after {seconds:.0f} s {claimed} advertised"

    def _note_leaving(self, observation: Observation) -> None:
        """When the VIP left: at our own removal, else at our advert of priority 0, else when it was seen gone."""
        if self._left_at is not None:
            return
        removed = [s.removed_at for s in self._way.steps if isinstance(s, RemoveAddress) and s.removed_at is not None]
        own = own_advert(observation, self._race.view.name)
        if removed:
            self._left_at = removed[0]
        elif own is not None and own.stepped_down and own.last.received > self._planned_at:
            self._left_at = own.last.received
        elif not self._held:
            self._left_at = time.time()

    def _ownerless(self) -> float | None:
        if self._left_at is None or self._taken_at is None:
            return None
        return round(max(0.0, self._taken_at - self._left_at), 2)

    def _facts(self, *, settled: bool) -> dict[str, Any]:
        moves = self._prediction.moves
        owner, expected = (self._owner if settled else None), self._prediction.master
        return {
            "way": self._way.way.value,
            "vips": list(self._race.view.vips),
            "owner_before": self._race.own,
            "owner_after": owner,
            "took_over": list(self._claimed),
            "seconds_without_owner": self._ownerless(),
            "still_here": list(self._held),
            "predicted_master": expected,
            "predicted_seconds": moves[-1].after if moves else None,
            "prediction_came_true": None if None in (expected, owner) else expected == owner,
            "undo": self._back,
        }

    def _told(self) -> str:
        seconds = self._ownerless()
        text = f"{self._owner} is master and has {', '.join(self._race.view.vips)}"
        text += f"; {seconds:.2f} s without an owner" if seconds else "; at no time without an owner"
        if others := [c for c in self._claimed if c != self._owner]:
            text += f"; {', '.join(others)} took over as well and gave way"
        if self._prediction.master not in (None, self._owner):
            text += f"; NOT as predicted: {self._prediction.master} was expected ({self._prediction.because})"
        return f"{text}. {self._back[0].upper()}{self._back[1:]}"
