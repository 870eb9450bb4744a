"""Verifies a change of priority: in keepalived, on the wire, and against the prediction."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.actions.core.election_context import own_advert
from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.watch import until
from kvtui.actions.reload.verifier import DIED
from kvtui.actions.steps.file import ReplaceFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.consequence import Consequence

TIMEOUT = 5.0
"""Seconds until keepalived itself must show the new priority."""
MARGIN = 2.0
"""Seconds, and two intervals, until an advert must have it."""


class PriorityVerifier:
    """Waits for the priority in keepalived and on the wire, then compares the prediction with what happens."""

    def __init__(
        self,
        observation: Observation,
        preflight: Preflight,
        election: ElectionContext,
        value: int,
        expected: Sequence[Consequence],
        watch: Watch,
        steps: tuple[Step, ...],
        backend: ActionBackend,
    ) -> None:
        self._before = observation
        self._preflight = preflight
        self._election = election
        self._value = value
        self._expected = expected
        self._mine = next((c for c in expected if c.prediction.instance == election.view.name), None)
        self._watch = watch
        self._files = [s for s in steps if isinstance(s, ReplaceFile)]
        self._backend = backend

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        started = time.time()
        since = (await self._watch()).snapshot.time  # what comes of it may come before keepalived shows its dump
        election = self._election
        name = election.view.name
        say(f"waiting for priority {self._value} of {name} in keepalived")
        dumps = self._backend.dumps(self._preflight.keepalived)
        if await dumps.until(self._has_it, TIMEOUT) is None and not self._runs_it():
            if dumps.ended():
                return Verification(ok=False, detail=DIED.format(pid=self._preflight.keepalived.pid))
            why = dumps.error or "see its log"
            detail = f"priority {self._value} is written, but keepalived does not show it: {why}"
            if path := self._overwritten_file():
                detail = f"{path} was overwritten before keepalived read priority {self._value}: it runs that file"
            return Verification(ok=None, detail=detail)
        facts: dict[str, Any] = {"priority_before": election.view.priority, "priority_after": self._value}
        detail = f"keepalived has priority {self._value} for {name}"
        if election.is_master:
            say("waiting for it on the wire")
            seconds = await self._on_the_wire(started)
            facts["on_the_wire"] = seconds is not None
            detail += ", and so have its adverts on the wire" if seconds is not None else ", not seen on the wire"
        verdict = await watch_outcome(self._before, self._expected, self._watch, say, since)
        facts |= self._facts(verdict)
        detail += f"; {verdict.detail}"
        if path := self._overwritten_file():
            facts["overwritten"] = True
            detail += f"; {path} was overwritten since: keepalived keeps {self._value} until its next reload"
        seen = facts.get("on_the_wire", True) or facts.get("seen_master") != election.own
        return replace(verdict, ok=verdict.ok if seen else None, detail=detail, facts=facts)

    def _facts(self, verdict: Verification) -> dict[str, Any]:
        if self._mine is None:
            return {}
        seen = next((o for o in verdict.observed if o.instance == self._mine.prediction.instance), None)
        moved = seen is not None and seen.owner_then != self._election.master
        return {
            "predicted_master": self._mine.prediction.owner_then,
            "predicted_seconds": self._mine.prediction.within_seconds or 0,
            "seen_master": seen.owner_then if seen else None,
            "seen_seconds": round(verdict.seconds, 2) if moved else 0,
            "prediction_came_true": verdict.as_predicted,
        }

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
        """Returns the seconds until an own advert had the effective priority; None when another node took over."""
        name = self._election.view.name
        effective = self._mine.effective.priority if self._mine and self._mine.effective else None
        wanted = self._value if effective is None else effective

        def advertised(observation: Observation) -> float | None:
            own = own_advert(observation, name)
            if own is not None and own.last.priority == wanted and own.last.received > started - 1.0:
                return max(0.001, own.last.received - started)
            return None

        return await until(self._watch, advertised, 2 * self._election.interval + MARGIN)

    def _overwritten_file(self) -> str:
        """Returns the file that something else, such as a controller, wrote since; empty when none, or unknown."""
        for step in self._files:
            try:
                if step.state() is not StepState.APPLIED:
                    return step.path
            except StepError:
                return ""
        return ""
