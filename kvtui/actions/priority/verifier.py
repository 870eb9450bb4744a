from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.election_context import own_advert
from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.core.watch import until
from kvtui.actions.priority.config_line import find_instance
from kvtui.actions.reload.verifier import DIED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.steps.file import ReplaceFile
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.consequence import Consequence

TIMEOUT = 5.0  # seconds until keepalived itself must show the new priority
MARGIN = 2.0  # seconds, and two intervals, until an advert must have it


class PriorityVerifier(Struct, frozen=True):
    """Waits for the priority in keepalived and on the wire, then compares the prediction with what happens."""

    before: Observation
    preflight: Preflight
    election: ElectionContext
    value: int
    expected: Sequence[Consequence]
    mine: Consequence | None
    watch: Watch
    files: tuple[ReplaceFile, ...]
    backend: ActionBackend

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        started = time.time()
        since = (await self.watch()).snapshot.time  # what comes of it may come before keepalived shows its dump
        election, value, keepalived = self.election, self.value, self.preflight.keepalived
        name = election.view.name
        say(f"waiting for priority {value} of {name} in keepalived")
        dumps = self.backend.dumps(keepalived)
        if await dumps.until(self._has_it, TIMEOUT) is None and not self._runs_it():
            if dumps.ended():
                return Verification(ok=False, detail=DIED.format(pid=keepalived.pid))
            detail = f"priority {value} is written, but keepalived does not show it: {dumps.error or 'see its log'}"
            if path := self._overwritten_file():
                detail = f"{path} was overwritten before keepalived read priority {value}: it runs that file"
            return Verification(ok=None, detail=detail)
        facts: dict[str, Any] = {"priority_before": election.view.priority, "priority_after": value}
        detail = f"keepalived has priority {value} for {name}"
        if election.is_master:
            say("waiting for it on the wire")
            facts["on_the_wire"] = await self._is_advertised(started)
            detail += ", and so have its adverts on the wire" if facts["on_the_wire"] else ", not seen on the wire"
        verification = await watch_outcome(self.before, self.expected, self.watch, say, since)
        facts |= self._facts(verification)
        detail += f"; {verification.detail}"
        if path := self._overwritten_file():
            facts["overwritten"] = True
            detail += f"; {path} was overwritten since: keepalived keeps {value} until its next reload"
        seen = facts.get("on_the_wire", True) or facts.get("seen_master") != election.own
        return replace(verification, ok=verification.ok if seen else None, detail=detail, facts=facts)

    def _facts(self, verification: Verification) -> dict[str, Any]:
        if self.mine is None:
            return {}
        predicted = self.mine.prediction
        seen = next((o for o in verification.observed if o.instance == predicted.instance), None)
        moved = seen is not None and seen.owner_then != self.election.master
        return {
            "predicted_master": predicted.owner_then,
            "predicted_seconds": predicted.within_seconds or 0,
            "seen_master": seen.owner_then if seen else None,
            "seen_seconds": round(verification.seconds, 2) if moved else 0,
            "prediction_came_true": verification.as_predicted,
        }

    def _has_it(self, instances: tuple[VrrpInstance, ...]) -> bool:
        mine = next((i for i in instances if i.name == self.election.view.name), None)
        if mine is None:
            return False
        is_base = self.files or mine.effective_priority is None
        return self.value == (mine.base_priority if is_base else mine.effective_priority)

    def _runs_it(self) -> bool:
        """Looks into the running config, where keepalived cannot be asked."""
        running = self.backend.running_conf(self.preflight.keepalived) if self.files else None
        instance = find_instance(running, self.election.view.name)
        return instance is not None and instance.priority == self.value

    async def _is_advertised(self, started: float) -> bool:
        """Waits for an own advert with the effective priority; none comes when another node takes over."""
        effective = self.mine.effective.priority if self.mine and self.mine.effective else None
        wanted = self.value if effective is None else effective

        def advertised(observation: Observation) -> bool:
            own = own_advert(observation, self.election.view.name)
            return own is not None and own.last.priority == wanted and own.last.received > started - 1.0

        return bool(await until(self.watch, advertised, 2 * self.election.interval + MARGIN))

    def _overwritten_file(self) -> str:
        """Returns the file that something else, such as a controller, wrote since; empty when none, or unknown."""
        try:
            return next((step.path for step in self.files if step.state() is not StepState.APPLIED), "")
        except StepError:
            return ""
