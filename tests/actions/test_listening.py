"""A prediction rests on who was heard: a kvtui that has just started listens first, and says what it does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core.election_context import election_context, prediction_lines, still_to_hear
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.watch import DumpWatch
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.priority.plan import plan_priority
from kvtui.backend.demo import Demo
from kvtui.cli.act import act
from kvtui.cli.invocation import Invocation
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.actions.nodes import verified
from tests.actions.preflights import preflight_of
from tests.build import NOW, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import VrrpInstance


class Late(Demo):
    """A demo whose adverts are heard only by one who listens for as long as three of them take."""

    def __init__(self) -> None:
        super().__init__()
        self.listened: list[float] = []

    async def settle(self, timeout: float) -> None:
        self.listened.append(timeout)

    async def read(self) -> Snapshot:
        seen = await super().read()
        return seen if sum(self.listened) > 3.0 else replace(seen, advertisers=())


@pytest.mark.parametrize(
    ("intent", "listened"),
    [
        (Intent(ActionKind.PRIORITY, "vips", value=90), [1.2, 3.0]),
        (Intent(ActionKind.FAILOVER, "vips"), [1.2, 3.0]),
        (Intent(ActionKind.RELOAD), [1.2]),
    ],
)
def test_the_command_line_listens_until_the_master_must_have_been_heard(
    intent: Intent, listened: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Late()
    monkeypatch.setattr(Invocation, "source", lambda _self: source)
    assert act(Invocation(demo=True, dry_run=True), intent) == 0
    assert source.listened == listened
    out, err = capsys.readouterr()
    assert ("no advert of vips received yet: waiting for up to 3 s" in err) is (len(listened) > 1)
    assert "no node has been heard" not in out


def backup(state: VrrpState = VrrpState.BACKUP, **changes: Any) -> Observation:
    """A backup that has heard nobody yet."""
    return observe(snapshot(**{"instances": (instance(state),), "addresses": addresses(), **changes}))


def test_how_long_to_listen() -> None:
    silent = backup(advertisers=())
    assert still_to_hear(silent, "vips") == 3.0
    assert still_to_hear(backup(advertisers=(), instances=(instance(advert_interval=5.0),)), "vips") == 15.0
    assert still_to_hear(silent, "nope") == 0.0
    assert still_to_hear(backup(advertisers=None), "vips") == 0.0  # nothing is heard, however long it takes
    assert still_to_hear(backup(advertisers=(advertiser(2),)), "vips") == 0.0
    assert still_to_hear(backup(advertisers=(advertiser(0, outgoing=True),)), "vips") == 0.0


@pytest.mark.parametrize(
    ("advertisers", "why"),
    [((), "no advert of VRID 50 was heard yet"), (None, "adverts cannot be captured")],
)
def test_who_was_never_heard_is_not_foretold(advertisers: tuple[()] | None, why: str, tmp_path: Path) -> None:
    seen = backup(advertisers=advertisers)
    found = election_context(seen, "vips").predicted(200)
    assert (found.master, found.moves, found.certain) == (None, (), False)
    effects = plan_priority(seen, preflight_of(tmp_path), "vips", 200, unused, backend=LIVE).plan.effects
    assert f"the master after that is unknown: {why}" in effects
    assert not any("becomes master" in e or "does not change" in e for e in effects)


async def unused() -> Observation:
    raise AssertionError


def test_a_peer_that_was_heard_is_reckoned_with_though_it_is_master_no_more() -> None:
    seen = backup(advertisers=(advertiser(2, at=NOW - 30, priority=101),))
    assert election_context(seen, "vips").master is None
    assert election_context(seen, "vips").predicted(200).master == election_context(seen, "vips").own


def test_an_instance_in_fault_takes_no_part() -> None:
    seen = backup(VrrpState.FAULT, advertisers=(advertiser(2),))
    election = election_context(seen, "vips")
    found = election.predicted(254)
    assert (found.master, found.moves) == (election.master, ())
    (said, _) = prediction_lines(found, election.own)
    assert said == "the master does not change: vips is in FAULT here and does not take part"


class Shown(DumpWatch):
    """Keepalived says what it is wanted to say."""

    async def instances(self) -> tuple[VrrpInstance, ...]:
        return (instance(base_priority=90, effective_priority=90),)


class Told(LiveBackend):
    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        return Shown(keepalived)


def test_what_was_not_foretold_neither_came_true_nor_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is verified by keepalived's own words; whoever is master then is said."""
    monkeypatch.setattr("kvtui.actions.priority.verifier.MARGIN", 0.0)
    quick: dict[str, Any] = {"instances": (instance(advert_interval=0.01),)}

    async def watch() -> Observation:
        return backup(advertisers=(advertiser(2),), **quick)

    found = verified(plan_priority(backup(advertisers=(), **quick), preflight_of(tmp_path), "vips", 90, watch, Told()))
    assert found.ok
    assert found.facts["prediction_came_true"] is None
    assert (found.facts["predicted_master"], found.facts["seen_master"]) == (None, "10.4.0.5")
    assert found.detail.startswith("keepalived has priority 90 for vips; master now: 10.4.0.5")
