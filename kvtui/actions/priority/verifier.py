"""Verifies a change of priority: in keepalived, on the wire, and against the prediction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kvtui.actions.core.election_context import own_advert
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.watch import until
from kvtui.actions.reload.plan import DIED
from kvtui.actions.steps.file import ReplaceFile
from kvtui.model.vrrp import VrrpState
from kvtui.rules.vrrp.election import takeover

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.election import Prediction

TIMEOUT = 5.0
"""Seconds until keepalived itself must show the new priority."""
MARGIN = 2.0
"""Seconds after the predicted time before a prediction counts as missed."""


class PriorityVerifier:
    """Waits for the priority in keepalived and on the wire, then compares the prediction with what happens."""

    def __init__(
        self,
        preflight: Preflight,
        election: ElectionContext,
        value: int,
        prediction: Prediction,
        watch: Watch,
        steps: tuple[Step, ...],
        backend: ActionBackend,
    ) -> None:
        self._preflight = preflight
        self._election = election
        self._value = value
        self._prediction = prediction
        self._watch = watch
        self._files = [s for s in steps if isinstance(s, ReplaceFile)]
        self._backend = backend

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        started = time.time()
        election = self._election
        name = election.view.name
        say(f"waiting for priority {self._value} of {name} in keepalived")
        dumps = self._backend.dumps(self._preflight.keepalived)
        if await dumps.until(self._has_it, TIMEOUT) is None and not self._runs_it():
            if dumps.ended():
                return Verification(ok=False, detail=DIED.format(pid=self._preflight.keepalived.pid))
            why = dumps.error or "see its log"
            detail = f"priority {self._value} is written, but keepalived does not show it: {why}"
            return Verification(ok=None, detail=detail)
        facts: dict[str, Any] = {"priority_before": election.view.priority, "priority_after": self._value}
        detail = f"keepalived has priority {self._value} for {name}"
        if election.is_master:
            say("waiting for it on the wire")
            seconds = await self._on_the_wire(started)
            facts["on_the_wire"] = seconds is not None
            detail += ", and so have its adverts on the wire" if seconds is not None else ", not seen on the wire"
        detail += await self._check_prediction(started, say, facts)
        if overwritten := self._overwritten():
            facts["overwritten"] = True
            detail += f"; {overwritten}"
        seen = facts.get("on_the_wire", True) or facts.get("seen_master") != election.own
        return Verification(ok=True if seen else None, detail=detail, facts=facts)

    def _has_it(self, instances: tuple[VrrpInstance, ...]) -> bool:
        mine = next((i for i in instances if i.name == self._election.view.name), None)
        if mine is None:
            return False
        effective = mine.base_priority if mine.effective_priority is None else mine.effective_priority
        return self._value == (mine.base_priority if self._files else effective)

    def _runs_it(self) -> bool:
        """Looks into the running config, where keepalived cannot be asked."""
        running = self._backend.running_conf(self._preflight.keepalived) if self._files else None
        return running is not None and any(
            i.name == self._election.view.name and i.priority == self._value for i in running.instances
        )

    async def _on_the_wire(self, started: float) -> float | None:
        """Returns the seconds until an own advert had it; None when another node took over before that."""
        name = self._election.view.name

        def advertised(observation: Observation) -> float | None:
            own = own_advert(observation, name)
            if own is not None and own.last.priority == self._value and own.last.received > started - 1.0:
                return max(0.001, own.last.received - started)
            return None

        return await until(self._watch, advertised, 2 * self._election.interval + MARGIN)

    async def _check_prediction(self, started: float, say: Callable[[str], None], facts: dict[str, Any]) -> str:
        election, prediction = self._election, self._prediction
        expected = prediction.master
        moves = prediction.moves
        after = moves[-1].after if moves else takeover(1, election.interval)
        facts |= {"predicted_master": expected, "predicted_seconds": moves[-1].after if moves else 0}
        say(f"waiting for {expected}" if moves else f"watching for {after + MARGIN:.0f} s who is master")
        seen: list[str | None] = [election.master]
        moved_at: list[float] = []

        def check(observation: Observation) -> bool:
            view = next((v for v in observation.vrrp_instances or () if v.name == election.view.name), None)
            master = view.master if view else None
            address = election.own if view and view.state is VrrpState.MASTER else master.address if master else None
            if address is not None and address != seen[-1]:
                seen.append(address)
                moved_at.append(observation.snapshot.time - started)
            return bool(moves) and seen[-1] == expected

        await until(self._watch, check, after + MARGIN)
        facts |= {"seen_master": seen[-1], "seen_seconds": round(moved_at[-1], 2) if moved_at else 0}
        facts["prediction_came_true"] = None if None in {expected, seen[-1]} else seen[-1] == expected
        if expected is None or seen[-1] is None:
            return f"; master now: {seen[-1] or 'unknown'}"
        if seen[-1] == expected:
            when = f" after {moved_at[-1]:.1f} s" if moved_at else ""
            return f"; as predicted, {expected} is master{when}"
        return f"; NOT as predicted: {seen[-1]} is master, not {expected} ({prediction.because})"

    def _overwritten(self) -> str:
        """Returns a sentence when something else, such as a controller, wrote the file since."""
        for step in self._files:
            try:
                if step.state() is not StepState.APPLIED:
                    return f"{step.path} was overwritten since: keepalived keeps {self._value} until its next reload"
            except StepError:  # unknown
                return ""
        return ""
