"""Scripts, priorities and preemption that cannot move a VIP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.model.conf import ConfScript, ConfTrack, Location
from kvtui.model.vrrp import Tracked, VrrpState
from tests.kit import advertiser, conf, instance
from tests.triage.case import backup, master, suspected

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

GOOD = Tracked("script", "chk", weight=-2, good=True)
HEARD = replace(advertiser(2, priority=100), usual_priority=100, last=replace(advertiser(2).last, priority=0))
"""A node that was master with priority 100 and stepped down."""


def preempting(priority: int, *tracked: Tracked) -> Snapshot:
    one = instance(
        VrrpState.MASTER, base_priority=priority, effective_priority=priority, nopreempt=False, tracked=tracked
    )
    return master(instances=(one,), advertisers=(advertiser(0, outgoing=True), HEARD))


def test_a_weight_smaller_than_the_distance_to_the_next_node() -> None:
    found = suspected(preempting(150, GOOD))

    assert set(found) == {"weight-moves-nothing"}
    assert "50 apart" in found["weight-moves-nothing"].evidence[0]
    assert suspected(preempting(101, GOOD)) == {}
    assert suspected(preempting(150, replace(GOOD, weight=-60))) == {}
    assert suspected(preempting(150, replace(GOOD, weight=0))) == {}


def test_a_backup_is_not_reported() -> None:
    low = instance(base_priority=90, effective_priority=90, nopreempt=False, tracked=(GOOD,))
    assert suspected(backup(instances=(low,))) == {}


def test_a_weight_with_nopreempt() -> None:
    assert set(suspected(backup(instances=(instance(tracked=(GOOD,)),)))) == {"weight-with-nopreempt"}
    assert suspected(backup(instances=(instance(tracked=(replace(GOOD, weight=0),)),))) == {}


def test_a_weight_of_the_address_owner() -> None:
    assert set(suspected(preempting(255, GOOD))) >= {"weight-with-priority-255"}


def in_group(tracks: tuple[ConfTrack, ...], **changes: Any) -> Snapshot:
    config = backup().running or conf()
    config = replace(config, instances=(replace(config.instances[0], tracks=tracks),))
    return backup(conf=config, running=config, instances=(instance(sync_group="G", group="224.0.0.18", **changes),))


def test_a_script_that_keepalived_drops_in_a_sync_group() -> None:
    found = suspected(in_group((ConfTrack("script", "chk", -2),)))
    assert set(found) == {"weight-in-sync-group"}
    interface = in_group((ConfTrack("interface", "eth1", 5),), tracked=(Tracked("interface", "eth1"),))
    assert "weight-in-sync-group" in suspected(interface)
    unweighted = in_group((ConfTrack("script", "chk", None),), tracked=(replace(GOOD, weight=0),))
    assert suspected(unweighted) == {}


def test_a_script_that_keepalived_disabled() -> None:
    script = ConfScript(name="chk", command="/bin/false", at=Location("keepalived.conf", 3))
    config = backup().running or conf()
    track = (ConfTrack("script", "chk", None),)
    config = replace(config, scripts=(script,), instances=(replace(config.instances[0], tracks=track),))

    def node(*tracked: Tracked, **changes: Any) -> Snapshot:
        return backup(conf=config, running=config, instances=(instance(tracked=tracked, **changes),))

    found = suspected(node(group="224.0.0.18"))
    assert set(found) == {"script-disabled"}
    assert "kvtui check chk" in found["script-disabled"].remedy
    assert suspected(node(replace(GOOD, weight=0), group="224.0.0.18")) == {}
    assert suspected(node()) == {}  # a JSON dump has no tracks
    unicast = replace(config, instances=(replace(config.instances[0], unicast_source="10.1.0.1"),))
    assert "script-disabled" not in suspected(backup(conf=unicast, running=unicast, instances=None))


def test_nopreempt_with_state_master_is_cleared() -> None:
    config = backup().running or conf()
    config = replace(config, instances=(replace(config.instances[0], state="MASTER", nopreempt_cleared=True),))
    cleared = backup(conf=config, running=config, instances=(instance(nopreempt=False),))
    assert set(suspected(cleared)) == {"nopreempt-cleared"}
    assert suspected(replace(cleared, instances=(instance(nopreempt=True),))) == {}
