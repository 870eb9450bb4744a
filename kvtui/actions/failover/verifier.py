"""Verifies a failover: another node has the VIPs, and this one does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kvtui.actions.core.election_context import lasting_owner, own_advert, successors
from kvtui.actions.core.outcome_watch import MAX_WATCH
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.watch import until
from kvtui.actions.steps.address import RemoveAddress
from kvtui.rules.vrrp.claims import began
from kvtui.rules.vrrp.verdict import came_true, observed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.election_context import ElectionContext
    from kvtui.actions.core.watch import Watch
    from kvtui.actions.failover.methods import FailoverMethod
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.vrrp.consequence import Consequence

MARGIN = 3.0
"""Seconds after the predicted time before everything is put back."""
MAX_SETTLING = 6
"""Maximum advert intervals until one node alone is master. Two are enough unless two backups took over at once."""


class FailoverVerifier:
    """Waits until another node advertises the VRID and the VIPs are gone here; else everything is put back."""

    def __init__(
        self,
        observation: Observation,
        election: ElectionContext,
        method: FailoverMethod,
        expected: Sequence[Consequence],
        mine: Consequence | None,
        watch: Watch,
        undo_text: str,
    ) -> None:
        self._before = observation
        self._expected = expected
        self._within = (mine.prediction.within_seconds or mine.watch) if mine else 0.0
        self._predicted = mine.prediction.owner_then if mine else None
        self._election = election
        self._method = method
        self._watch = watch
        self._planned_at = observation.snapshot.time
        self._is_coordinated = bool((observation.snapshot.reported_peers or {}).get(election.view.name))
        self._undo_text = undo_text
        self._left_at: float | None = None
        self._taken_at: float | None = None
        self._began_at = 0.0
        self._owner: str | None = None
        self._claimed: dict[str, None] = {}
        self._held: tuple[str, ...] = ()

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        self._began_at = time.time()
        longest = self._within
        timeout = min(MAX_WATCH, longest + MARGIN)
        say(f"waiting up to {timeout:.0f} s for another node to take over")
        taken = await until(self._watch, self._moved, timeout)
        settled = None
        if taken:
            say("waiting until one node alone advertises: two backups may both have taken over")
            rest = max(0.0, self._began_at + longest - time.time())
            settled = await until(self._watch, self._settled, rest + MAX_SETTLING * self._election.interval)
        facts = self._facts(settled=settled is True)
        if settled:
            predictions = [c.prediction for c in self._expected]
            seen = observed(self._before, await self._watch(), predictions)
            results = [r for p, o in zip(predictions, seen, strict=True) if (r := came_true(p, o)) is not None]
            return Verification(True, self._summary(), facts, all(results) if results else None, seen)  # noqa: FBT003
        if self._held and (taken or self._owner):
            return Verification(ok=False, detail=self._kept(), facts=facts)
        if taken:
            return Verification(ok=None, detail=self._unsettled(), facts=facts)
        if not self._election.others.listening and not self._held:
            return Verification(ok=None, detail="the VIP left this node; adverts cannot be captured", facts=facts)
        return Verification(ok=False, detail=f"no other node took over within {timeout:.1f} s", facts=facts)

    def _moved(self, observation: Observation) -> bool:
        name = self._election.view.name
        self._held = tuple(v.address for v in observation.vips or () if v.instance == name and v.present)
        self._note_leaving(observation)
        found = successors(observation, name, self._planned_at)
        if found and self._taken_at is None:
            self._taken_at = min(self._since(a) for a in found)
        self._claimed |= {a.last.source: None for a in found}
        self._owner = found[0].last.source if found else None
        return bool(found) and not self._held

    def _since(self, advertiser: Advertiser) -> float:
        """Returns when it took over: its first advert without a pause since, as far as known."""
        since = began(advertiser)
        return since if since > self._planned_at else advertiser.last.received

    def _settled(self, observation: Observation) -> bool:
        """Whether one of the others advertises alone, and no other node is expected to preempt it.

        Backups whose priorities differ by one wait 4 ms apart: both take over, and the one with the higher priority
        wins. One with a preempt_delay takes over later. A kvtui that coordinates all nodes asks them itself.
        """
        moved = self._moved(observation)
        if moved and self._is_coordinated and self._owner == self._predicted:
            return True
        last = lasting_owner(observation, self._election.view.name)
        if not moved or last is None or last.last.source != self._owner:
            return False
        if self._predicted in (None, self._owner):
            return True
        return observation.snapshot.time > self._began_at + self._within + self._election.interval

    def _kept(self) -> str:
        vips = ", ".join(self._held)
        if self._owner is None:
            return f"{' and '.join(self._claimed)} took over, but {vips} is here again"
        return f"{self._owner} advertises, but {vips} is still on this node too"

    def _unsettled(self) -> str:
        vips = ", ".join(self._election.view.vips)
        claimed = " and ".join(self._claimed)
        seconds = MAX_SETTLING * self._election.interval
        return f"{vips} left this node, but its owner is not clear after {seconds:.0f} s: {claimed} advertised"

    def _note_leaving(self, observation: Observation) -> None:
        """Sets when the VIP left: at our own removal, else at our advert of priority 0, else when it was seen gone."""
        if self._left_at is not None:
            return
        steps = self._method.part.steps
        removed = [s.removed_at for s in steps if isinstance(s, RemoveAddress) and s.removed_at is not None]
        own = own_advert(observation, self._election.view.name)
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
        owner, expected = (self._owner if settled else None), self._predicted
        return {
            "way": self._method.kind.value,
            "vips": list(self._election.view.vips),
            "owner_before": self._election.own,
            "owner_after": owner,
            "took_over": list(self._claimed),
            "seconds_without_owner": self._ownerless(),
            "still_here": list(self._held),
            "predicted_master": expected,
            "predicted_seconds": round(self._within, 2) if expected else None,
            "prediction_came_true": None if None in (expected, owner) else expected == owner,
            "undo": self._undo_text,
        }

    def _summary(self) -> str:
        seconds = self._ownerless()
        text = f"{self._owner} is master and has {', '.join(self._election.view.vips)}"
        text += f"; {seconds:.2f} s without an owner" if seconds else "; never without an owner"
        if others := [c for c in self._claimed if c != self._owner]:
            text += f"; {', '.join(others)} also took over and gave way"
        if self._predicted not in (None, self._owner):
            text += f"; NOT as predicted: {self._predicted} was expected"
        return f"{text}. {self._undo_text}"
