"""A prediction rests on who was heard: a kvtui that has just started listens first, and says what it does not know."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.contenders import contest, still_to_hear, told
from kvtui.actions.intent import Intent
from kvtui.actions.plan import Verb
from kvtui.actions.priority import plan_priority
from kvtui.actions.site import Machine
from kvtui.actions.watch import DumpWatch
from kvtui.backend.demo import Demo
from kvtui.cli.act import act
from kvtui.cli.invocation import Invocation
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.actions.nodes import verified
from tests.actions.surveys import surveyed
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
        (Intent(Verb.PRIORITY, "vips", value=90), [1.2, 3.0]),
        (Intent(Verb.FAILOVER, "vips"), [1.2, 3.0]),
        (Intent(Verb.RELOAD), [1.2]),
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
    assert ("no advert of vips was heard yet: listening for up to 3 s" in err) is (len(listened) > 1)
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
    [((), "no node has been heard of VRID 50 yet"), (None, "adverts cannot be captured")],
)
def test_who_was_never_heard_is_not_foretold(advertisers: tuple[()] | None, why: str, tmp_path: Path) -> None:
    seen = backup(advertisers=advertisers)
    found = contest(seen, "vips").predicted(200)
    assert (found.master, found.moves, found.certain) == (None, (), False)
    effects = plan_priority(seen, surveyed(tmp_path), "vips", 200, unused).plan.effects
    assert f"who is master then is not known: {why}" in effects
    assert not any("becomes master" in e or "does not change" in e for e in effects)


async def unused() -> Observation:
    raise AssertionError


def test_a_peer_that_was_heard_is_reckoned_with_though_it_is_master_no_more() -> None:
    seen = backup(advertisers=(advertiser(2, at=NOW - 30, priority=101),))
    assert contest(seen, "vips").master is None
    assert contest(seen, "vips").predicted(200).master == contest(seen, "vips").own


def test_an_instance_in_fault_takes_no_part() -> None:
    seen = backup(VrrpState.FAULT, advertisers=(advertiser(2),))
    race = contest(seen, "vips")
    found = race.predicted(254)
    assert (found.master, found.moves) == (race.master, ())
    (said, _) = told(found, race.own)
    assert said == "the master does not change: vips is in FAULT here and takes no part"


class Shown(DumpWatch):
    """Keepalived says what it is wanted to say."""

    async def instances(self) -> tuple[VrrpInstance, ...]:
        return (instance(base_priority=90, effective_priority=90),)


class Told(Machine):
    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        return Shown(keepalived)


def test_what_was_not_foretold_neither_came_true_nor_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is verified by keepalived's own words; whoever is master then is said."""
    monkeypatch.setattr("kvtui.actions.priority.MARGIN", 0.0)
    quick: dict[str, Any] = {"instances": (instance(advert_interval=0.01),)}
    survey = replace(surveyed(tmp_path), site=Told())

    async def watch() -> Observation:
        return backup(advertisers=(advertiser(2),), **quick)

    found = verified(plan_priority(backup(advertisers=(), **quick), survey, "vips", 90, watch))
    assert found.ok
    assert found.facts["prediction_came_true"] is None
    assert (found.facts["predicted_master"], found.facts["seen_master"]) == (None, "10.4.0.5")
    assert found.detail.startswith("keepalived has priority 90 for vips; master now: 10.4.0.5")
