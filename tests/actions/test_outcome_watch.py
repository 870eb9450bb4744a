"""The outcome of a plan: as predicted, VIP lost, VIP on two nodes, VIP moved, or not verified."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core import watch as watching
from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.model.prediction import Certainty, Prediction, StateChange, VipsChange
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from kvtui.rules.vrrp.consequence import Consequence
from tests.kit import NOW, VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from kvtui.actions.core.runner import Verification
    from kvtui.model.observation import Observation

OWN = advertiser(0, outgoing=True, at=NOW)
STAYS = Prediction(
    "vips",
    StateChange("MASTER", "MASTER"),
    VipsChange((VIP,), (VIP,)),
    "10.4.0.3",
    two_owners=False,
    within_seconds=None,
    certainty=Certainty.CERTAIN,
    why="nothing changes",
)
MOVES = replace(
    STAYS,
    state=StateChange("MASTER", "BACKUP"),
    vips_here=VipsChange((VIP,), ()),
    owner_then="10.4.0.4",
    within_seconds=3.6,
    certainty=Certainty.LIKELY,
)
UNKNOWN = replace(
    STAYS,
    state=StateChange("MASTER", None),
    vips_here=VipsChange((VIP,), None),
    owner_then=None,
    certainty=Certainty.UNKNOWN,
)


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now


def here(**changes: Any) -> Observation:
    """MASTER with the VIP."""
    seen = {"instances": (instance(VrrpState.MASTER, **changes),), "addresses": addresses(VIP), "advertisers": (OWN,)}
    return observe(snapshot(**seen))


def moved(node: int = 1) -> Observation:
    heard = (advertiser(node, at=NOW),)
    return observe(snapshot(instances=(instance(),), addresses=addresses(), advertisers=heard))


def lost() -> Observation:
    return observe(snapshot(instances=(instance(),), addresses=addresses(), advertisers=()))


def watched(
    monkeypatch: pytest.MonkeyPatch, prediction: Prediction, *seen: Observation, watch: float = 0.0
) -> tuple[Verification, float]:
    """Returns verification and duration for these observations, half a second apart; the last one repeats."""
    clock = Clock()
    monkeypatch.setattr(watching, "time", clock)
    monkeypatch.setattr(watching, "PAUSE", 0)
    coming = list(seen)

    async def next_observation() -> Observation:
        clock.now += 0.5
        now = coming.pop(0) if len(coming) > 1 else coming[0]
        advertisers = tuple(
            replace(a, last=replace(a.last, received=NOW + clock.now)) for a in now.snapshot.advertisers or ()
        )
        return observe(replace(now.snapshot, time=NOW + clock.now, advertisers=advertisers))

    async def run() -> Verification:
        return await watch_outcome(here(), [Consequence(prediction, watch)], next_observation, lambda _text: None)

    return asyncio.run(run()), clock.now


def test_a_certain_outcome_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seconds = watched(monkeypatch, STAYS, here())
    assert (found.ok, found.as_predicted) == (True, True)
    assert found.detail == "as predicted: vips is MASTER"
    assert seconds <= 1.5


def test_a_likely_outcome_is_watched_until_a_move_is_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    """A move after 10 s of preempt_delay is detected and reported as not predicted."""
    likely = replace(STAYS, certainty=Certainty.LIKELY)
    found, seconds = watched(monkeypatch, likely, here(), watch=13.0)
    assert (found.ok, seconds) == (True, 15.5)
    found, _ = watched(monkeypatch, likely, *[here()] * 20, moved(), watch=13.0)
    assert (found.ok, found.as_predicted) == (None, False)
    assert "10.4.0.50 moved to 10.4.0.4, which was not predicted: undo the change with `kvtui undo`" in found.detail


def test_a_move_as_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seconds = watched(monkeypatch, MOVES, here(), here(), moved(), watch=3.6)
    assert (found.ok, found.as_predicted) == (True, True)
    assert found.detail == "as predicted: vips is BACKUP, 10.4.0.4 is master"
    assert [o.owner_then for o in found.observed] == ["10.4.0.4"]
    assert seconds < 3.6
    found, _ = watched(monkeypatch, MOVES, moved(2), watch=3.6)
    assert (found.ok, found.as_predicted) == (True, False)
    assert "NOT as predicted, but no VIP is lost" in found.detail


@pytest.mark.parametrize("prediction", [STAYS, UNKNOWN])
def test_a_vip_that_nobody_has_is_lost(monkeypatch: pytest.MonkeyPatch, prediction: Prediction) -> None:
    found, _ = watched(monkeypatch, prediction, lost(), watch=1.0)
    assert found.ok is None
    assert "10.4.0.50 left this node, and no other node advertises it" in found.detail


def test_an_unknown_outcome_is_ok_where_another_node_has_the_vip(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = watched(monkeypatch, UNKNOWN, moved(), watch=1.0)
    assert (found.ok, found.as_predicted) == (True, None)


def test_a_vip_on_two_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that rejects our adverts sends few of its own; keepalived's counters show that it is there."""
    found, _ = watched(monkeypatch, STAYS, here(counters={"addr_list_err": 3}), watch=1.0)
    assert (found.ok, found.as_predicted) == (None, False)
    assert "10.4.0.50 is on two nodes" in found.detail
    known = replace(STAYS, two_owners=True, certainty=Certainty.LIKELY)
    found, _ = watched(monkeypatch, known, here(counters={"addr_list_err": 3}), watch=1.0)
    assert (found.ok, found.as_predicted) == (True, True)
    found, _ = watched(monkeypatch, known, here(), watch=1.0)
    assert [o.two_owners for o in found.observed] == [None]  # missing adverts prove nothing


def test_an_interrupted_watch_is_unverified_and_puts_nothing_back() -> None:
    running: list[asyncio.Task[Verification]] = []

    async def next_observation() -> Observation:
        running[0].cancel()
        await asyncio.sleep(60)
        raise AssertionError

    async def run() -> Verification:
        running.append(
            asyncio.ensure_future(
                watch_outcome(here(), [Consequence(UNKNOWN, 50.0)], next_observation, lambda _text: None)
            )
        )
        return await running[0]

    found = asyncio.run(run())
    assert (found.ok, found.as_predicted) == (None, None)
    assert found.detail.startswith("not verified: watching was interrupted")
