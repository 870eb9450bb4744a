"""Findings about the master: each on its condition; none on a healthy node."""

from __future__ import annotations

from msgspec.structs import replace

from kvtui.model.finding import Severity
from kvtui.model.vrrp import AddressFamily, TrackFile, Transition, VrrpState
from tests.kit import NOW, VIP, addresses, advertiser, instance, keepalived
from tests.triage.case import backup, master, only, suspected


def test_no_findings_on_a_healthy_backup() -> None:
    assert suspected(backup()) == {}


def test_no_findings_on_a_healthy_master() -> None:
    assert suspected(master()) == {}


def test_two_masters_are_named_with_their_priorities() -> None:
    found = only(master(advertisers=(advertiser(0, outgoing=True), advertiser(2))))

    assert (found.id, found.severity, found.object, found.vips) == ("two-masters", Severity.CRITICAL, "vips", (VIP,))
    assert found.title == "2 nodes are master of VRID 50 (vips): split brain"
    assert found.evidence[:2] == (
        "this node (10.4.0.3) advertises VRID 50 on eth0 with priority 100, last heard 0.5 s ago (adverts)",
        "10.4.0.5 advertises VRID 50 on eth0 with priority 102, last heard 0.5 s ago (adverts)",
    )


def test_a_takeover_is_not_a_split_brain() -> None:
    before = replace(advertiser(1, at=NOW - 0.7), since=NOW - 90)
    after = replace(advertiser(2, at=NOW - 0.1), since=NOW - 0.1)

    assert suspected(backup(advertisers=(before, after))) == {}


def test_no_master() -> None:
    found = only(backup(advertisers=(advertiser(2, at=NOW - 4.2),)))

    assert (found.id, found.severity) == ("no-master", Severity.CRITICAL)
    assert found.evidence[0] == "no advert on eth0 for 4.2 s, none dropped; the last one was 4.2s ago (adverts)"


def test_no_master_is_not_reported_during_an_election() -> None:
    assert suspected(backup(advertisers=(advertiser(2, at=NOW - 3.9),))) == {}


def test_nothing_is_concluded_before_kvtui_has_listened_long_enough() -> None:
    assert suspected(backup(advertisers=()), listened=4.0) == {}
    assert only(backup(advertisers=()), listened=4.2).id == "no-master"


def test_nothing_is_concluded_without_a_capture() -> None:
    assert suspected(backup(advertisers=None)) == {}


def test_a_longer_interval_is_listened_to_for_longer() -> None:
    slow = instance(advert_interval=5.0)

    assert suspected(backup(instances=(slow,), advertisers=()), listened=20.0) == {}
    assert only(backup(instances=(slow,), advertisers=()), listened=21.0).id == "no-master"


def test_fault_with_another_master_is_a_warning() -> None:
    faulty = instance(VrrpState.FAULT, track_files=(TrackFile("vip_ok", "/etc/vip_ok", 1, 0),))
    found = only(backup(instances=(faulty,)))

    assert (found.id, found.severity) == ("instance-fault", Severity.WARNING)
    assert "track file vip_ok: 1 × weight 0 (dump)" in found.evidence


def test_fault_without_another_master_is_critical_and_names_the_link() -> None:
    table = addresses()
    down = replace(table, interfaces=(replace(table.interfaces[0], running=False),))
    found = suspected(backup(instances=(instance(VrrpState.FAULT),), addresses=down, advertisers=()))

    assert set(found) == {"instance-fault"}  # an interface without carrier receives no adverts
    assert found["instance-fault"].severity is Severity.CRITICAL
    assert "interface eth0 is up without carrier (addresses)" in found["instance-fault"].evidence


def changes(*ago: float) -> tuple[Transition, ...]:
    return tuple(
        Transition(NOW - a, 50, AddressFamily.V4, f"10.4.0.{3 + n % 2} → x is master") for n, a in enumerate(ago)
    )


def test_flapping_on_the_wire() -> None:
    found = only(backup(transitions=changes(60, 45, 30, 15)))

    assert (found.id, found.severity) == ("flapping", Severity.CRITICAL)
    assert found.evidence[0] == "4 changes of master in the last 1m00s (adverts)"


def test_changes_of_an_ipv6_instance_with_the_same_vrid_do_not_count() -> None:
    mixed = tuple(replace(t, family=AddressFamily.V6) if n % 2 else t for n, t in enumerate(changes(60, 45, 30, 15)))
    assert suspected(backup(transitions=mixed)) == {}


def test_a_failover_and_its_undo_are_not_flapping() -> None:
    assert suspected(backup(transitions=(*changes(500, 400, 300, 60, 45, 30)[-3:],))) == {}


def test_flapping_in_keepaliveds_counters() -> None:
    often = instance(counters={"become_master": 70, "release_master": 70, "advert_rcvd": 9})
    found = only(backup(instances=(often,)))

    assert (found.id, found.severity) == ("flapping", Severity.WARNING)
    assert found.evidence == ("it became master 70 times in 1h00m (keepalived's counters)",)


def test_a_few_masterships_in_an_hour_are_not_flapping() -> None:
    few = instance(counters={"become_master": 30, "advert_rcvd": 9})

    assert suspected(backup(instances=(few,))) == {}


def test_a_tie_of_priorities() -> None:
    found = only(backup(advertisers=(advertiser(2, priority=100),)))

    assert (found.id, found.severity) == ("priority-tie", Severity.WARNING)
    assert found.remedy == "kvtui priority vips 99  # on one of the two"


def test_nopreempt_keeps_a_lowered_master() -> None:
    lowered = instance(VrrpState.MASTER, effective_priority=50, counters={"advert_rcvd": 5})
    found = only(master(instances=(lowered,), advertisers=(advertiser(0, priority=50, outgoing=True),)))

    assert (found.id, found.severity) == ("nopreempt-keeps-lowered-master", Severity.WARNING)
    assert found.remedy.startswith("kvtui failover vips")


def test_a_lowered_master_that_may_be_preempted_is_not_reported() -> None:
    lowered = instance(VrrpState.MASTER, effective_priority=50, nopreempt=False)

    assert suspected(master(instances=(lowered,))) == {}


def test_adverts_that_a_local_firewall_drops() -> None:
    deaf = instance(VrrpState.MASTER, counters={"advert_rcvd": 0, "packet_len_err": 0, "advert_sent": 60})
    found = suspected(master(instances=(deaf,), advertisers=(advertiser(0, outgoing=True), advertiser(2))))

    assert set(found) == {"two-masters", "adverts-filtered-here"}
    assert found["adverts-filtered-here"].severity is Severity.CRITICAL


def test_adverts_that_keepalived_rejects_are_not_filtered() -> None:
    rejects = instance(VrrpState.MASTER, counters={"advert_rcvd": 0, "addr_list_err": 12})
    found = suspected(master(instances=(rejects,), advertisers=(advertiser(0, outgoing=True), advertiser(2))))

    assert set(found) == {"two-masters", "adverts-rejected"}
    assert found["adverts-rejected"].severity is Severity.WARNING  # counted at some time since keepalived's start


def test_a_name_from_outside_is_quoted_in_commands() -> None:
    named = instance(name="$(reboot)", advert_interval=1.0)
    found = suspected(backup(instances=(named,), advertisers=(advertiser(2, priority=100),)))["priority-tie"]

    assert found.remedy.startswith("kvtui priority '$(reboot)' 99")


def test_without_keepalived_its_state_is_not_reported() -> None:
    gone = backup(chosen=None, keepalived=(replace(keepalived(), netns=1),))

    assert set(suspected(gone)) == {"keepalived-not-running"}
