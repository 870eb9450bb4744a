"""What keeps an instance in FAULT, or lowers its priority."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kvtui.model.addresses import AddressTable, Interface, InterfaceAddress
from kvtui.model.finding import Severity
from kvtui.model.log import LogLine, LogTail
from kvtui.model.vrrp import Tracked, TrackFile, VirtualAddress, VrrpState
from tests.kit import NOW, addresses, instance, keepalived
from tests.triage.case import backup, master, only, suspected

CHK = Tracked("script", "chk", good=False, detail="'/bin/chk', uid:gid 0:0, timeout 2 sec")
LOG = LogTail(
    (
        LogLine("Script `chk` now returning 1", NOW - 62),
        LogLine("VRRP_Script(chk) failed (exited with status 1)", NOW - 61),
        LogLine("VRRP_Script(other) succeeded", NOW - 5),
    )
)


def fault(**changes: Any) -> Any:
    return (instance(VrrpState.FAULT, **changes),)


def links(*more: Interface, **eth0: Any) -> AddressTable:
    table = addresses()
    return replace(table, interfaces=(replace(table.interfaces[0], **eth0), *more))


def test_a_script_is_named_with_its_user_exit_status_and_time() -> None:
    found = only(backup(instances=fault(tracked=(CHK,)), log=LOG))

    assert found.title == "Instance vips is in FAULT: script chk fails; this node cannot take its VIPs"
    (evidence,) = [e for e in found.evidence if "chk" in e]
    for fact in ("/bin/chk", "uid:gid 0:0", "timeout 2 sec", "exited with status 1", "1m01s ago"):
        assert fact in evidence


def test_a_script_that_has_not_run_is_not_reported() -> None:
    found = only(backup(instances=fault(tracked=(replace(CHK, good=None),))))
    assert "cause unknown" in found.title


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"tracked": (Tracked("interface", "eth1"),)}, "tracked interface eth1 does not exist"),
        (
            {"tracked": (Tracked("interface", "eth0", reverse=True),)},
            "tracked interface eth0 is up, and is tracked with",
        ),
        ({"tracked": (Tracked("process", "haproxy", good=False),)}, "process haproxy fails"),
        ({"tracked": (Tracked("bfd", "peer", good=False),)}, "bfd peer fails"),
        ({"track_files": (TrackFile("tf", "/tmp/tf", 1, 0),)}, "track file tf has the value 1"),
        ({"track_files": (TrackFile("tf", "/tmp/tf", -254, 1),)}, "track file tf has the value -254"),
        ({"interface": "eth7"}, "interface eth7 does not exist"),
        ({"vips": (VirtualAddress("fd00::50", 128),)}, "eth0 has no IPv6 link-local address"),
    ],
)
def test_the_present_cause_is_named(changes: dict[str, Any], cause: str) -> None:
    found = suspected(backup(instances=fault(**changes)))["instance-fault"]
    assert found.title.startswith(f"Instance vips is in FAULT: {cause}")


def test_an_interface_without_an_address_whose_bridge_has_it() -> None:
    bridge = Interface(3, "br-ex", up=True, running=True, mtu=1500, kind="bridge")
    table = replace(links(bridge, master="br-ex"), addresses=(InterfaceAddress("10.4.0.3", 24, "br-ex"),))
    found = suspected(backup(instances=fault(), addresses=table))

    assert "eth0 has no IPv4 address" in found["instance-fault"].title
    assert "br-ex" in found["instance-fault"].remedy
    assert found["interface-is-bridge-port"].severity is Severity.WARNING


def test_an_untracked_interface_is_not_a_cause() -> None:
    found = only(backup(instances=fault(tracks_interface=False), addresses=links(running=False)))
    assert "cause unknown" in found.title


def test_another_member_of_the_sync_group_is_the_cause() -> None:
    first = instance(VrrpState.FAULT, sync_group="G", tracked=(CHK,))
    second = instance(VrrpState.FAULT, name="other", vrid=51, sync_group="G", vips=())
    found = suspected(backup(instances=(second, first)))
    assert "instance-fault" in found
    from kvtui.rules.observe import observe  # noqa: PLC0415
    from kvtui.rules.triage.runner import pending_findings  # noqa: PLC0415

    titles = [p.finding.title for p in pending_findings(observe(backup(instances=(second, first))))]
    assert any(t.startswith("Instance other is in FAULT: vips of its sync group: script chk fails") for t in titles)


def test_without_the_data_dump_the_remedy_is_to_read_the_log() -> None:
    in_pod = only(backup(instances=fault()))
    assert "cause unknown" in in_pod.title
    on_host = only(backup(instances=fault(), keepalived=(keepalived(root=""),)))
    assert on_host.remedy.startswith("journalctl -u keepalived")
    assert "journalctl" not in in_pod.remedy
    to_file = only(backup(instances=fault(), log=replace(LOG, where="/var/log/keepalived.log")))
    assert to_file.remedy.startswith("tail -n 50 /var/log/keepalived.log  # ")


def test_a_lowered_priority_names_each_check_and_its_weight() -> None:
    lowered = instance(VrrpState.MASTER, effective_priority=80, nopreempt=False, tracked=(replace(CHK, weight=-20),))
    found = only(master(instances=(lowered,), log=LOG))

    assert (found.id, found.severity) == ("priority-lowered", Severity.WARNING)
    assert found.title == "Script chk fails: vips has priority 80 instead of 100"
    assert any("exited with status 1" in e and "−20" in e for e in found.evidence)


def test_a_failed_check_that_would_raise_the_priority_is_named_too() -> None:
    """``weight 2``: 102 when it succeeds, 100 when it fails."""
    failed = instance(VrrpState.MASTER, nopreempt=False, tracked=(replace(CHK, weight=2),))
    assert only(master(instances=(failed,))).title == "Script chk fails: vips has priority 100 instead of 102"
    passing = replace(failed, effective_priority=102, tracked=(replace(CHK, weight=2, good=True),))
    assert suspected(master(instances=(passing,))) == {}


def test_a_priority_lowered_by_a_track_file_is_an_operators_change() -> None:
    file = TrackFile("tf", "/etc/tf", -1, 30)
    found = only(
        master(instances=(instance(VrrpState.MASTER, effective_priority=70, nopreempt=False, track_files=(file,)),))
    )
    assert (found.id, found.severity) == ("priority-lowered", Severity.INFO)


def test_nopreempt_keeps_a_master_that_a_named_check_lowers() -> None:
    lowered = instance(VrrpState.MASTER, effective_priority=80, tracked=(replace(CHK, weight=-20),))
    found = suspected(master(instances=(lowered,)))
    assert found["nopreempt-keeps-lowered-master"].title.startswith("Script chk fails")
