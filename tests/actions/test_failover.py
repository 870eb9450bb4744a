"""The plan of a failover: its method, and when it is refused."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core import watch
from kvtui.actions.core.plan import NoteSeverity
from kvtui.actions.failover import verifier as failover
from kvtui.actions.failover.plan import plan_failover
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.actions.nodes import MASTER, grades, master, nothing
from tests.actions.preflights import CONF, preflight_of, tracked
from tests.kit import NOW, VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kvtui.actions.core.runner import Verification
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import Advertiser


def alone(**changes: Any) -> Observation:
    """Returns a MASTER that has heard no other node."""
    held = {"addresses": addresses(VIP), "advertisers": (advertiser(0, outgoing=True),)}
    return observe(snapshot(instances=(instance(VrrpState.MASTER, **changes),), **held))


def test_with_nopreempt_the_vip_is_removed(tmp_path: Path) -> None:
    action = plan_failover(master(), preflight_of(tmp_path), "vips", nothing, backend=LIVE)
    assert action.plan.refusal(force=False) is None
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
    assert action.steps[-1].to_json()["priority"] == 1
    assert action.plan.steps[-1] == f"remove {VIP}/32 from eth0, so that keepalived steps down"
    assert action.plan.effects[0] == (
        f"vips: MASTER → BACKUP within 0.6 s (likely); {VIP} leaves this node for 10.4.0.4. Nobody has the VIPs for up "
        "to 0.6 s; 10.4.0.4 takes over"
    )
    assert "with nopreempt a lower priority alone does not cause a failover" in action.plan.effects[1]
    assert action.plan.effects[-1] == "Undo restores priority 100; the VIP stays where it is then (nopreempt)"


def test_a_lower_priority_is_enough_where_peers_may_preempt(tmp_path: Path) -> None:
    text = CONF.replace("  nopreempt\n", "")
    action = plan_failover(master(nopreempt=False), preflight_of(tmp_path, text, text), "vips", nothing, backend=LIVE)
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup"]
    assert "the VIP returns if this node then wins the election" in action.plan.effects[-1]


def test_failover_does_not_use_a_track_file_that_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tracked(tmp_path, 0)
    preflight = preflight_of(tmp_path, text, text)
    control = str(tmp_path / "offset")
    monkeypatch.setattr(LiveBackend, "obstacle", lambda _self, _of, path: "read-only" if path == control else None)
    steps = plan_failover(master(), preflight, "vips", nothing, backend=LIVE).steps
    assert [s.kind for s in steps] == ["hangup", "file", "hangup", "address"]


@pytest.mark.parametrize(("weight", "value"), [(0, "1"), (2, "-127"), (-100, "3")])
def test_a_track_file_is_preferred(tmp_path: Path, weight: int, value: str) -> None:
    text = tracked(tmp_path, weight)
    action = plan_failover(master(), preflight_of(tmp_path, text, text), "vips", nothing, backend=LIVE)
    assert [s.kind for s in action.steps] == ["track value"]
    assert [c.after for c in action.plan.changes] == [value]


def test_failover_is_refused_where_the_instance_is_not_master(tmp_path: Path) -> None:
    shown = plan_failover(observe(snapshot()), preflight_of(tmp_path), "vips", nothing, backend=LIVE).plan
    assert "vips is BACKUP here, not MASTER" in (shown.refusal(force=True) or "")


def test_failover_is_unsafe_when_no_peer_was_heard(tmp_path: Path) -> None:
    shown = plan_failover(alone(), preflight_of(tmp_path), "vips", nothing, backend=LIVE).plan
    assert "no peer has been seen on the wire" in (shown.refusal(force=False) or "")
    assert shown.refusal(force=True) is None


def test_adverts_that_keepalived_received_count(tmp_path: Path) -> None:
    shown = plan_failover(
        alone(counters={"advert_rcvd": 12}), preflight_of(tmp_path), "vips", nothing, backend=LIVE
    ).plan
    assert shown.refusal(force=False) is None
    assert "keepalived has received 12 adverts" in grades(shown)[NoteSeverity.NOTE]


def test_configured_peers_that_were_not_heard_are_a_warning(tmp_path: Path) -> None:
    shown = plan_failover(
        alone(unicast_peers=("10.4.0.4",)), preflight_of(tmp_path), "vips", nothing, backend=LIVE
    ).plan
    assert shown.refusal(force=False) is None
    assert "known: 10.4.0.4 (a unicast_peer). If no node takes over in time" in grades(shown)[NoteSeverity.WARNING]


def test_failover_is_unsafe_where_adverts_cannot_be_captured(tmp_path: Path) -> None:
    held = {**MASTER, "advertisers": None}
    seen = observe(snapshot(instances=(instance(VrrpState.MASTER, unicast_peers=("10.4.0.4",)),), **held))
    shown = plan_failover(seen, preflight_of(tmp_path), "vips", nothing, backend=LIVE).plan
    assert "adverts cannot be captured" in (shown.refusal(force=False) or "")


def test_keepalived_before_2_0_does_not_step_down(tmp_path: Path) -> None:
    preflight = preflight_of(tmp_path, daemon_changes={"version": "1.4.5"})
    shown = plan_failover(master(), preflight, "vips", nothing, backend=LIVE).plan
    assert "keepalived 1.4.5 does not step down" in (shown.refusal(force=True) or "")


def test_members_of_the_sync_group_move_too(tmp_path: Path) -> None:
    both = (
        instance(VrrpState.MASTER, sync_group="g"),
        instance(VrrpState.MASTER, name="other", vrid=51, sync_group="g"),
    )
    second = CONF[CONF.index("vrrp_instance") : CONF.index("virtual_server")].replace("vips", "other")
    group = "vrrp_sync_group g {\n group {\n vips\n other\n }\n}\n"
    text = CONF + second.replace("_id 50", "_id 51").replace("0.50", "0.51") + group
    shown = plan_failover(
        observe(snapshot(instances=both, **MASTER)), preflight_of(tmp_path, text, text), "vips", nothing, backend=LIVE
    ).plan
    assert "Sync group g: it moves with vips" in shown.effects[1]
    assert [p.state.then for p in shown.prediction] == ["BACKUP", "BACKUP"]


def test_failover_is_safe_where_peers_may_preempt(tmp_path: Path) -> None:
    text = CONF.replace("  nopreempt\n", "")
    preflight = preflight_of(tmp_path, text, text)
    shown = plan_failover(alone(nopreempt=False), preflight, "vips", nothing, backend=LIVE).plan
    assert shown.refusal(force=False) is None
    assert "Nothing is lost: the VIP stays here until another node takes it" in grades(shown)[NoteSeverity.NOTE]
    assert [p.state.then for p in shown.prediction] == [None]


def test_a_priority_that_cannot_be_edited_is_refused(tmp_path: Path) -> None:
    text = "$P=100\n" + CONF.replace("priority 100", "priority $P")
    preflight = replace(preflight_of(tmp_path, text, text))
    action = plan_failover(master(), preflight, "vips", nothing, backend=LIVE)
    assert "cannot be changed" in (action.plan.refusal(force=True) or "")
    assert action.steps == ()


@dataclass
class FakeTime:
    """Replaces ``time``; a test advances it."""

    now: float = NOW

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def every_second(node: int, start: float, end: float = 1e9) -> Callable[[float], tuple[Advertiser, ...]]:
    """Returns a function of time: the adverts of one node until then, sent from ``start`` to ``end`` (seconds)."""

    def known(now: float) -> tuple[Advertiser, ...]:
        at = [NOW + start + n for n in range(60) if NOW + start + n <= min(now, NOW + end)]
        return (replace(advertiser(node, at=at[-1]), since=NOW + start),) if at else ()

    return known


def verified(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *nodes: Callable[[float], tuple[Advertiser, ...]], held: bool = False
) -> tuple[Verification, float]:
    """Returns the verification of these adverts after the VIP was removed, and its duration in seconds."""
    ticks = FakeTime()
    monkeypatch.setattr(failover, "time", ticks)
    monkeypatch.setattr(watch, "time", ticks)
    monkeypatch.setattr(watch, "PAUSE", 0)
    own = replace(advertiser(0, outgoing=True, priority=0), since=NOW - 100)

    async def state() -> Observation:
        ticks.now += 0.05
        heard = (own, *itertools.chain(*(n(ticks.now) for n in nodes)))
        there = addresses(VIP) if held else addresses()
        return observe(snapshot(time=ticks.now, instances=(instance(),), advertisers=heard, addresses=there))

    action = plan_failover(master(), preflight_of(folder), "vips", state, backend=LIVE)
    found = asyncio.run(_verify(action.verify))
    return found, ticks.now - NOW


async def _verify(verify: Callable[[Callable[[str], None]], Any]) -> Verification:
    found: Verification = await verify(lambda _text: None)
    return found


def test_the_reported_owner_is_the_one_that_stays_master(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Node 1 has the lower priority and steps down in either order. The VIP was seen gone after 0.05 s."""
    found, seconds = verified(monkeypatch, tmp_path, every_second(1, 0.6, 0.7), every_second(2, 0.604))
    assert found.ok is True
    assert (found.facts["owner_after"], found.facts["seconds_without_owner"]) == ("10.4.0.5", 0.55)
    assert 2.6 < seconds < 3.8
    found, _ = verified(monkeypatch, tmp_path, every_second(1, 0.604, 0.7), every_second(2, 0.6))
    assert (found.facts["owner_after"], found.facts["took_over"]) == ("10.4.0.5", ["10.4.0.5"])


def test_a_node_that_was_master_in_between_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, _ = verified(monkeypatch, tmp_path, every_second(1, 0.6, 0.7), every_second(2, 0.9))
    assert (found.facts["owner_after"], found.facts["took_over"]) == ("10.4.0.5", ["10.4.0.4", "10.4.0.5"])
    assert "0.55 s without an owner; 10.4.0.4 also took over and gave way" in found.detail


def test_two_nodes_that_both_advertise_are_unverified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, seconds = verified(monkeypatch, tmp_path, every_second(1, 0.6), every_second(2, 0.7))
    assert (found.ok, found.facts["owner_after"], found.facts["prediction_came_true"]) == (None, None, None)
    assert found.detail.startswith("10.4.0.50 left this node, but its owner is not clear after 6 s: 10.4.0.4 and")
    assert seconds == pytest.approx(6.7, abs=0.1)


def test_failover_fails_when_the_vip_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, _ = verified(monkeypatch, tmp_path, every_second(1, 0.6), held=True)
    assert (found.ok, found.detail) == (False, "10.4.0.4 advertises, but 10.4.0.50 is still on this node too")


def test_failover_fails_when_no_node_takes_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, _ = verified(monkeypatch, tmp_path)
    assert (found.ok, found.detail) == (False, "no other node took over within 3.6 s")
