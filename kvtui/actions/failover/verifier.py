"""Verifies a failover: another node has the VIPs, and this one does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from kvtui.actions.core.election_context import ElectionContext, confirmed_owner, own_advert, successors
from kvtui.actions.core.outcome_watch import MAX_WATCH, all_came_true
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.watch import Watch, until
from kvtui.actions.steps.address import RemoveAddress
from kvtui.rules.vrrp.claims import began
from kvtui.rules.vrrp.prediction_check import observed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kvtui.actions.core.step import Step
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser
    from kvtui.rules.vrrp.consequence import Consequence

MARGIN = 3.0
"""Seconds after the predicted time before everything is put back."""
MAX_SETTLING = 6
"""Maximum advert intervals until one node alone is master. Two are enough unless two backups took over at once."""


class FailoverVerifier(Struct):
    """Waits until another node advertises the VRID and the VIPs are gone here; else everything is put back.

    Attributes:
        within: seconds until another node must have the VIPs, as predicted.
        left_at: when the VIP left this node.
        claimed: addresses of all nodes that took over, in that order.
        held: the VIPs that are still here.
    """

    before: Observation
    election: ElectionContext
    method: str
    steps: tuple[Step, ...]
    expected: Sequence[Consequence]
    watch: Watch
    undo_text: str
    within: float = 0.0
    predicted: str | None = None
    left_at: float | None = None
    taken_at: float | None = None
    began_at: float = 0.0
    owner: str | None = None
    claimed: dict[str, None] = field(default_factory=dict)
    held: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mine = next((c for c in self.expected if c.prediction.instance == self.election.view.name), None)
        if mine is not None:
            self.within = mine.prediction.within_seconds or mine.watch
            self.predicted = mine.prediction.owner_then

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        self.began_at = time.time()
        timeout = min(MAX_WATCH, self.within + MARGIN)
        say(f"waiting up to {timeout:.0f} s for another node to take over")
        taken = await until(self.watch, self._moved, timeout)
        settled, settling = None, MAX_SETTLING * self.election.interval
        if taken:
            say("waiting until one node alone advertises: two backups may both have taken over")
            rest = max(0.0, self.began_at + self.within - time.time())
            settled = await until(self.watch, self._settled, rest + settling)
        facts = self._facts(settled=settled is True)
        if settled:
            predictions = [c.prediction for c in self.expected]
            seen = observed(self.before, await self.watch(), predictions)
            as_predicted = all_came_true(predictions, seen)
            return Verification(True, self._summary(), facts, as_predicted, seen)  # noqa: FBT003
        held, claimed, vips = ", ".join(self.held), " and ".join(self.claimed), ", ".join(self.election.view.vips)
        if held and self.owner:
            detail = f"{self.owner} advertises, but {held} is still on this node too"
            return Verification(ok=False, detail=detail, facts=facts)
        if held and taken:
            return Verification(ok=False, detail=f"{claimed} took over, but {held} is here again", facts=facts)
        if taken:
            why = f"its owner is not clear after {settling:.0f} s: {claimed} advertised"
            return Verification(None, f"{vips} left this node, but {why}", facts)
        if not self.election.others.listening and not held:
            return Verification(None, "the VIP left this node; adverts cannot be captured", facts)
        return Verification(ok=False, detail=f"no other node took over within {timeout:.1f} s", facts=facts)

    def _moved(self, observation: Observation) -> bool:
        name = self.election.view.name
        self.held = tuple(v.address for v in observation.vips or () if v.instance == name and v.present)
        self._note_leaving(observation)
        found = successors(observation, name, self.before.snapshot.time)
        if found and self.taken_at is None:
            self.taken_at = min(self._since(a) for a in found)
        self.claimed |= {a.last.source: None for a in found}
        self.owner = found[0].last.source if found else None
        return bool(found) and not self.held

    def _since(self, advertiser: Advertiser) -> float:
        """Returns when it took over: its first advert without a pause since, as far as known."""
        since = began(advertiser)
        return since if since > self.before.snapshot.time else advertiser.last.received

    def _settled(self, observation: Observation) -> bool:
        """Whether one of the others advertises alone, and no other node is expected to preempt it.

        Backups whose priorities differ by one wait 4 ms apart: both take over, and the one with the higher priority
        wins. One with a preempt_delay takes over later. A kvtui that coordinates all nodes asks them itself.
        """
        moved = self._moved(observation)
        is_coordinated = (self.before.snapshot.reported_peers or {}).get(self.election.view.name)
        if moved and is_coordinated and self.owner == self.predicted:
            return True
        last = confirmed_owner(observation, self.election.view.name)
        if not moved or last is None or last.last.source != self.owner:
            return False
        if self.predicted in (None, self.owner):
            return True
        return observation.snapshot.time > self.began_at + self.within + self.election.interval

    def _note_leaving(self, observation: Observation) -> None:
        """Sets when the VIP left: at our own removal, else at our advert of priority 0, else when it was seen gone."""
        if self.left_at is not None:
            return
        removed = [s.removed_at for s in self.steps if isinstance(s, RemoveAddress) and s.removed_at is not None]
        own = own_advert(observation, self.election.view.name)
        if removed:
            self.left_at = removed[0]
        elif own is not None and own.stepped_down and own.last.received > self.before.snapshot.time:
            self.left_at = own.last.received
        elif not self.held:
            self.left_at = time.time()

    def _seconds_ownerless(self) -> float | None:
        if self.left_at is None or self.taken_at is None:
            return None
        return round(max(0.0, self.taken_at - self.left_at), 2)

    def _facts(self, *, settled: bool) -> dict[str, Any]:
        owner, expected = (self.owner if settled else None), self.predicted
        return {
            "way": self.method,
            "vips": list(self.election.view.vips),
            "owner_before": self.election.own,
            "owner_after": owner,
            "took_over": list(self.claimed),
            "seconds_without_owner": self._seconds_ownerless(),
            "still_here": list(self.held),
            "predicted_master": expected,
            "predicted_seconds": round(self.within, 2) if expected else None,
            "prediction_came_true": None if None in (expected, owner) else expected == owner,
            "undo": self.undo_text,
        }

    def _summary(self) -> str:
        seconds = self._seconds_ownerless()
        text = f"{self.owner} is master and has {', '.join(self.election.view.vips)}"
        text += f"; {seconds:.2f} s without an owner" if seconds else "; no gap between owners"
        if others := [c for c in self.claimed if c != self.owner]:
            text += f"; {', '.join(others)} also took over and gave way"
        if self.predicted not in (None, self.owner):
            text += f"; NOT as predicted: {self.predicted} was expected"
        return f"{text}. {self.undo_text}"
