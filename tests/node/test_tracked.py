"""When VrrpLayer also needs the text dump, the log or more frequent dumps."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.backend.keepalived.dumps.merge import with_growth
from kvtui.backend.keepalived.dumps.requester import Dump
from kvtui.backend.node.vrrp_layer import disputes, fails, tracks_moved
from kvtui.model.vrrp import Tracked, VrrpState
from tests.kit import NOW, advertiser, instance


def test_a_fault_or_another_effective_priority_needs_the_text_dump() -> None:
    before = (instance(),)
    assert not tracks_moved(before, (instance(VrrpState.MASTER),))
    assert tracks_moved(before, (instance(VrrpState.FAULT),))
    assert tracks_moved(before, (instance(effective_priority=80),))
    assert not tracks_moved((instance(VrrpState.FAULT),), (instance(VrrpState.FAULT),))


def test_the_log_is_read_only_while_something_fails() -> None:
    assert fails(instance(VrrpState.FAULT))
    assert fails(instance(tracked=(Tracked("script", "chk", weight=-2, good=False),)))
    assert not fails(instance(tracked=(Tracked("script", "chk", weight=-2, good=True), Tracked("interface", "eth1"))))


def test_a_dispute_is_recognized() -> None:
    """Another node advertises an instance of which this node is master: counters show whether keepalived rejects it."""
    one = Dump((instance(VrrpState.MASTER),), None, NOW, "json")
    assert disputes(one, (advertiser(2),), NOW)
    assert not disputes(one, (advertiser(0, outgoing=True), advertiser(2, at=NOW - 60)), NOW)
    assert not disputes(Dump((instance(),), None, NOW, "json"), (advertiser(2),), NOW)


def test_growing_counters_keep_the_time_of_their_growth() -> None:
    first = (instance(counters={"auth_failure": 1}),)
    second = with_growth(first, (instance(counters={"auth_failure": 3, "addr_list_err": 0}),), NOW)
    assert second[0].grown == {"auth_failure": NOW}
    third = with_growth(second, (instance(counters={"auth_failure": 3, "addr_list_err": 0}),), NOW + 30)
    assert third[0].grown == {"auth_failure": NOW}
    restarted = with_growth(third, (replace(instance(), counters={}),), NOW + 60)
    assert with_growth(restarted, (instance(counters={"auth_failure": 1}),), NOW + 90)[0].grown == {}
