"""The plan of a failover: which way it takes, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from kvtui.actions.failover import plan_failover
from kvtui.actions.plan import Grade
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.actions.nodes import grades
from tests.actions.surveys import CONF, surveyed
from tests.actions.test_priority import MASTER, master, tracked
from tests.actions.test_reload import nothing
from tests.build import VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.observation import Observation


def alone(**changes: Any) -> Observation:
    """MASTER, and nobody else was ever heard."""
    held = {"addresses": addresses(VIP), "advertisers": (advertiser(0, outgoing=True),)}
    return observe(snapshot(instances=(instance(VrrpState.MASTER, **changes),), **held))


def test_with_nopreempt_the_vip_is_taken_off(tmp_path: Path) -> None:
    action = plan_failover(master(), surveyed(tmp_path), "vips", nothing)
    assert action.plan.refusal(force=False) is None
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup", "address"]
    assert action.steps[-1].to_json()["priority"] == 1
    assert action.plan.steps[-1] == f"remove {VIP}/32 from eth0, so that keepalived steps down"
    assert "with nopreempt a lower priority alone moves nothing" in action.plan.effects[0]
    assert action.plan.effects[1].startswith("10.4.0.4 becomes master within 0.6 s, for up to 0.6 s of which nobody")
    assert action.plan.effects[-1] == "undo brings priority 100 back; the VIP stays where it is then (nopreempt)"


def test_peers_that_may_preempt_are_left_to_it(tmp_path: Path) -> None:
    text = CONF.replace("  nopreempt\n", "")
    action = plan_failover(master(nopreempt=False), surveyed(tmp_path, text, text), "vips", nothing)
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup"]
    assert "comes back" in action.plan.effects[-1]


@pytest.mark.parametrize(("weight", "value"), [(0, "1"), (2, "-127"), (-100, "3")])
def test_a_track_file_is_the_gentlest(tmp_path: Path, weight: int, value: str) -> None:
    text = tracked(tmp_path, weight)
    action = plan_failover(master(), surveyed(tmp_path, text, text), "vips", nothing)
    assert [s.kind for s in action.steps] == ["track value"]
    assert [c.after for c in action.plan.changes] == [value]


def test_refused_where_it_is_not_master(tmp_path: Path) -> None:
    shown = plan_failover(observe(snapshot()), surveyed(tmp_path), "vips", nothing).plan
    assert "vips is BACKUP here, not MASTER" in (shown.refusal(force=True) or "")


def test_unsafe_when_nobody_was_ever_heard(tmp_path: Path) -> None:
    shown = plan_failover(alone(), surveyed(tmp_path), "vips", nothing).plan
    assert "no peer has been seen on the wire" in (shown.refusal(force=False) or "")
    assert shown.refusal(force=True) is None


def test_what_keepalived_heard_counts(tmp_path: Path) -> None:
    shown = plan_failover(alone(counters={"advert_rcvd": 12}), surveyed(tmp_path), "vips", nothing).plan
    assert shown.refusal(force=False) is None
    assert "keepalived has received 12 adverts" in grades(shown)[Grade.NOTE]


def test_configured_peers_are_warned_of(tmp_path: Path) -> None:
    shown = plan_failover(alone(unicast_peers=("10.4.0.4",)), surveyed(tmp_path), "vips", nothing).plan
    assert shown.refusal(force=False) is None
    assert "10.4.0.4 are configured as peers" in grades(shown)[Grade.WARNING]


def test_unsafe_where_adverts_cannot_be_seen(tmp_path: Path) -> None:
    held = {**MASTER, "advertisers": None}
    seen = observe(snapshot(instances=(instance(VrrpState.MASTER, unicast_peers=("10.4.0.4",)),), **held))
    shown = plan_failover(seen, surveyed(tmp_path), "vips", nothing).plan
    assert "adverts cannot be captured" in (shown.refusal(force=False) or "")


def test_keepalived_before_2_0_does_not_step_down(tmp_path: Path) -> None:
    survey = surveyed(tmp_path, daemon_changes={"version": "1.4.5"})
    shown = plan_failover(master(), survey, "vips", nothing).plan
    assert "keepalived 1.4.5 does not step down" in (shown.refusal(force=True) or "")


def test_members_of_the_sync_group_are_named(tmp_path: Path) -> None:
    both = (instance(VrrpState.MASTER, sync_group="g"), instance(name="other", vrid=51, sync_group="g"))
    shown = plan_failover(observe(snapshot(instances=both, **MASTER)), surveyed(tmp_path), "vips", nothing).plan
    assert "sync group g: other changes state together with it" in grades(shown)[Grade.WARNING]


def test_a_priority_that_cannot_be_edited_is_refused(tmp_path: Path) -> None:
    text = "$P=100\n" + CONF.replace("priority 100", "priority $P")
    survey = replace(surveyed(tmp_path, text, text))
    action = plan_failover(master(), survey, "vips", nothing)
    assert "cannot be changed" in (action.plan.refusal(force=True) or "")
    assert action.steps == ()
