"""Predictions need adverts: a kvtui that has just started listens first, and reports what is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core.election_context import still_to_hear
from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.watch import DumpWatch
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.priority.plan import plan_priority
from kvtui.backend.demo import Demo
from kvtui.cli.act import act
from kvtui.cli.invocation import Invocation
from kvtui.model.prediction import Certainty
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.actions.nodes import verified
from tests.actions.preflights import CONF, preflight_of
from tests.kit import addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import VrrpInstance


class LateAdverts(Demo):
    """A demo whose adverts arrive only after three advert intervals."""

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
    source = LateAdverts()
    monkeypatch.setattr(Invocation, "source", lambda _self: source)
    assert act(Invocation(demo=True, dry_run=True), intent) == 0
    assert source.listened == listened
    out, err = capsys.readouterr()
    assert ("no advert of vips received yet: waiting for up to 3 s" in err) is (len(listened) > 1)
    assert "no node has been heard" not in out


def backup(state: VrrpState = VrrpState.BACKUP, **changes: Any) -> Observation:
    """Returns a backup that has heard no node yet."""
    return observe(snapshot(**{"instances": (instance(state),), "addresses": addresses(), **changes}))


def test_how_long_to_listen() -> None:
    silent = backup(advertisers=())
    assert still_to_hear(silent, "vips") == 3.0
    assert still_to_hear(backup(advertisers=(), instances=(instance(advert_interval=5.0),)), "vips") == 15.0
    assert still_to_hear(silent, "nope") == 0.0
    assert still_to_hear(backup(advertisers=None), "vips") == 0.0  # adverts cannot be captured
    assert still_to_hear(backup(advertisers=(advertiser(2),)), "vips") == 0.0
    assert still_to_hear(backup(advertisers=(advertiser(0, outgoing=True),)), "vips") == 0.0


@pytest.mark.parametrize("advertisers", [(), None])
def test_the_outcome_is_unknown_where_no_peer_was_heard(advertisers: tuple[()] | None, tmp_path: Path) -> None:
    """The master's priority may be above or below 200; the plan has both outcomes."""
    text = CONF.replace("  nopreempt\n", "")
    seen = backup(advertisers=advertisers, instances=(instance(nopreempt=False),))
    plan = plan_priority(seen, preflight_of(tmp_path, text, text), "vips", 200, unused, backend=LIVE).plan
    (found,) = plan.prediction
    assert (found.state.then, found.owner_then, found.certainty) == (None, None, Certainty.UNKNOWN)
    assert "the master's priority is not known: with more than that it takes over within 3.2 s" in plan.effects[0]


async def unused() -> Observation:
    raise AssertionError


def test_an_instance_in_fault_takes_no_part(tmp_path: Path) -> None:
    seen = backup(VrrpState.FAULT, advertisers=(advertiser(2),))
    plan = plan_priority(seen, preflight_of(tmp_path), "vips", 254, unused, backend=LIVE).plan
    (found,) = plan.prediction
    assert (found.state.then, found.vips_here.then, found.owner_then) == ("FAULT", (), "10.4.0.5")


class FixedDump(DumpWatch):
    """keepalived reports a fixed instance."""

    async def instances(self) -> tuple[VrrpInstance, ...]:
        return (instance(base_priority=90, effective_priority=90),)


class FixedBackend(LiveBackend):
    def dumps(self, keepalived: Keepalived) -> DumpWatch:
        return FixedDump(keepalived)


def test_an_unknown_prediction_has_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """keepalived's dump verifies the priority; the detail names the new master."""
    monkeypatch.setattr("kvtui.actions.core.outcome_watch.MARGIN", 0.0)
    text = (
        CONF.replace("advert_int 1", "advert_int 0.01")
        .replace("  nopreempt\n", "")
        .replace("priority 100", "priority 80")
    )
    quick: dict[str, Any] = {"instances": (instance(advert_interval=0.01, base_priority=80, effective_priority=80),)}

    async def watch() -> Observation:
        return backup(advertisers=(advertiser(2),), **quick)

    found = verified(
        plan_priority(
            backup(advertisers=(), **quick),
            preflight_of(tmp_path, text, text),
            "vips",
            90,
            watch,
            FixedBackend(),
        )
    )
    assert found.ok
    assert found.facts["prediction_came_true"] is None
    assert (found.facts["predicted_master"], found.facts["seen_master"]) == (None, "10.4.0.5")
    assert "s: vips is BACKUP, 10.4.0.5 is master" in found.detail
