"""The effect of a config change on each instance: the table of keepalived.md section 11, and the certainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.backend.conf import reader
from kvtui.model.log import LogLine, LogTail
from kvtui.model.prediction import Certainty
from kvtui.model.vrrp import VirtualAddress, VrrpState
from kvtui.rules.observe import observe
from kvtui.rules.vrrp.consequences import Change, consequences
from kvtui.rules.vrrp.others import others
from tests.kit import NOW, VIP, addresses, advertiser, instance, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Prediction

TEXT = """
vrrp_script good {
  script /bin/true
}
vrrp_script bad {
  script /bin/false
  interval 2
}
vrrp_instance vips {
  state BACKUP
  interface eth0
  virtual_router_id 50
  priority 101
  advert_int 1
  version 2
  virtual_ipaddress {
    10.4.0.50
  }
}
"""
SECOND = TEXT[TEXT.index("vrrp_instance") :].replace("vips", "more").replace("_id 50", "_id 51").replace("0.50", "0.51")
PEER = (advertiser(0, outgoing=True, priority=101), advertiser(1, at=NOW - 40, priority=100))
ALONE = (advertiser(0, outgoing=True, priority=101),)


def parsed(folder: Path, text: str) -> Conf:
    path = folder / "keepalived.conf"
    path.write_text(text)
    return reader.read(str(path), now=NOW)


def master(advertisers: Any = PEER, **changes: Any) -> Observation:
    one = instance(
        VrrpState.MASTER,
        **{"version": 2, "base_priority": 101, "effective_priority": 101, "nopreempt": False, **changes},
    )
    return observe(snapshot(instances=(one,), addresses=addresses(VIP), advertisers=advertisers))


def backup(**changes: Any) -> Observation:
    one = instance(
        VrrpState.BACKUP,
        **{"version": 2, "base_priority": 101, "effective_priority": 101, "nopreempt": False, **changes},
    )
    return observe(snapshot(instances=(one,), addresses=addresses(), advertisers=(advertiser(2, priority=102),)))


def first(folder: Path, seen: Observation, old: str, new: str, text: str = TEXT, **results: Any) -> Prediction:
    """Returns the effect on the instance ``vips`` when the config changes from one text to another."""
    assert old in text
    change = Change(parsed(folder, text), parsed(folder, text.replace(old, new, 1)), **results)
    return consequences(seen, change)[0].prediction


TRACK = "  advert_int 1"
AUTH = f"  authentication {{\n auth_type PASS\n auth_pass x\n }}\n{TRACK}"
EXCLUDED = "  virtual_ipaddress_excluded {\n 10.4.0.60\n }\n  virtual_ipaddress {"


@pytest.mark.parametrize(
    ("old", "new", "then", "vips", "two", "certainty"),
    [
        ("priority 101", "priority 90", "BACKUP", (), False, "likely"),
        ("priority 101", "priority 150", "MASTER", (VIP,), False, "certain"),
        ("priority 101", "priority 255", "MASTER", (VIP,), False, "certain"),
        (TRACK, f"  nopreempt\n{TRACK}", "MASTER", (VIP,), False, "certain"),
        ("state BACKUP", "state MASTER", "MASTER", (VIP,), False, "certain"),
        ("10.4.0.50", "10.4.0.50\n 10.4.0.60", "MASTER", (VIP, "10.4.0.60"), True, "likely"),
        ("10.4.0.50", "10.4.0.60", "MASTER", ("10.4.0.60",), False, "likely"),
        ("  virtual_ipaddress {", EXCLUDED, "MASTER", (VIP, "10.4.0.60"), False, "certain"),
        (TRACK, AUTH, "MASTER", (VIP,), True, "likely"),
        ("advert_int 1", "advert_int 2", "MASTER", (VIP,), True, "likely"),
        ("version 2", "version 3", "MASTER", (VIP,), True, "likely"),
        ("virtual_router_id 50", "virtual_router_id 52", "MASTER", (VIP,), True, "likely"),
        (TRACK, f"  unicast_peer {{\n 10.4.0.4\n }}\n{TRACK}", "MASTER", (VIP,), True, "likely"),
        ("vrrp_instance vips", "vrrp_instance web", "MASTER", (VIP,), False, "certain"),
    ],
)
def test_the_master_of_section_11(
    tmp_path: Path, old: str, new: str, then: str | None, vips: Any, two: bool | None, certainty: str | None
) -> None:

    found = first(tmp_path, master(), old, new)
    assert (found.state.then, found.vips_here.then, found.two_owners) == (then, vips, two), found
    assert found.certainty == certainty, found


def test_a_master_that_heard_nobody_may_not_be_alone(tmp_path: Path) -> None:
    lower = first(tmp_path, master(ALONE), "priority 101", "priority 90")
    assert (lower.state.then, lower.vips_here.then, lower.owner_then) == (None, None, None)
    assert (lower.certainty, lower.within_seconds) == (Certainty.UNKNOWN, 4.0)
    assert "Until then the VIPs stay here" in lower.why
    added = first(tmp_path, master(ALONE), "10.4.0.50", "10.4.0.50\n 10.4.0.60")
    assert (added.state.then, added.two_owners, added.certainty) == ("MASTER", None, Certainty.CERTAIN)


def test_unicast_peers_are_all_there_are(tmp_path: Path) -> None:
    text = TEXT.replace(TRACK, f"  unicast_peer {{\n 10.4.0.4\n }}\n{TRACK}")
    low = advertiser(1, at=NOW - 40, priority=80)
    found = first(tmp_path, master((*ALONE, low)), "priority 101", "priority 90", text)
    assert (found.state.then, found.certainty) == ("MASTER", Certainty.LIKELY)


@pytest.mark.parametrize(
    ("old", "new", "then", "certainty"),
    [
        ("priority 101", "priority 150", "MASTER", "certain"),
        ("priority 101", "priority 102", "BACKUP", "certain"),
        ("priority 101", "priority 50", "BACKUP", "certain"),
        ("priority 101", "priority 150\n nopreempt", "BACKUP", "certain"),
        ("priority 101", "priority 150\n preempt_delay 9", "MASTER", "likely"),
        ("10.4.0.50", "10.4.0.50\n 10.4.0.60", "MASTER", "likely"),
        (TRACK, AUTH, "MASTER", "likely"),
    ],
)
def test_a_backup(tmp_path: Path, old: str, new: str, then: str, certainty: str) -> None:
    found = first(tmp_path, backup(), old, new)
    assert (found.state.then, found.certainty) == (then, certainty), found


@pytest.mark.parametrize(
    ("track", "results", "then"),
    [
        ("good", {("script", "good"): True}, "MASTER"),
        ("bad", {("script", "bad"): False}, "FAULT"),
        ("bad weight -10", {("script", "bad"): False}, "BACKUP"),
        ("bad", {}, None),
    ],
)
def test_a_new_script(tmp_path: Path, track: str, results: Any, then: str | None) -> None:
    new = f"  track_script {{\n {track}\n }}\n{TRACK}"
    found = first(tmp_path, master(), TRACK, new, results=results)
    assert found.state.then == then, found
    if then is None:
        assert "if bad fails, it goes to FAULT and the VIPs leave" in found.why


def test_a_weighted_script_counts_in_the_priority(tmp_path: Path) -> None:
    """The wire carries 60 + 30 = 90; the current effective priority shows that the script succeeds."""
    text = TEXT.replace(TRACK, f"  track_script {{\n good weight 30\n }}\n{TRACK}")
    seen = master(effective_priority=131)
    change = Change(parsed(tmp_path, text), parsed(tmp_path, text)).with_priority("vips", 60)
    (found,) = consequences(seen, change)
    assert found.effective is not None
    assert (found.effective.priority, found.effective.text) == (90, "60 + 30 (good) = 90")
    assert found.prediction.state.then == "BACKUP"


def test_a_lost_interface_is_a_fault_at_any_priority(tmp_path: Path) -> None:
    seen = observe(
        snapshot(instances=(instance(VrrpState.FAULT, version=2, base_priority=101),), addresses=addresses())
    )
    found = first(tmp_path, seen, "priority 101", "priority 200")
    assert (found.state.then, found.vips_here.then) == ("FAULT", ())


def test_each_instance_has_a_prediction(tmp_path: Path) -> None:
    two = instance(
        VrrpState.MASTER, name="more", vrid=51, version=2, vips=(VirtualAddress("10.4.0.51", 32),), base_priority=101
    )
    one = instance(VrrpState.MASTER, version=2, base_priority=101, effective_priority=101, nopreempt=False)
    held = addresses(VIP, "10.4.0.51")
    seen = observe(snapshot(instances=(one, two), addresses=held, advertisers=PEER))
    before = parsed(tmp_path, TEXT + SECOND)
    found = [c.prediction for c in consequences(seen, Change(before, parsed(tmp_path, SECOND)))]
    assert [(p.instance, p.state.then, p.vips_here.then) for p in found] == [
        ("more", "MASTER", ("10.4.0.51",)),
        ("vips", None, ()),
    ]
    added = consequences(master(), Change(parsed(tmp_path, TEXT), parsed(tmp_path, TEXT + SECOND)))
    assert [(c.prediction.instance, c.prediction.state.now, c.prediction.state.then) for c in added] == [
        ("vips", "MASTER", "MASTER"),
        ("more", None, "MASTER"),
    ]


def test_members_of_a_sync_group_move_together(tmp_path: Path) -> None:
    group = "vrrp_sync_group g {\n group {\n vips\n more\n }\n}\n"
    two = instance(
        VrrpState.MASTER, name="more", vrid=51, version=2, vips=(VirtualAddress("10.4.0.51", 32),), base_priority=101
    )
    one = instance(VrrpState.MASTER, version=2, base_priority=101, effective_priority=101, nopreempt=False)
    held = addresses(VIP, "10.4.0.51")
    seen = observe(snapshot(instances=(one, two), addresses=held, advertisers=PEER))
    before = parsed(tmp_path, TEXT + SECOND + group)
    change = Change(before, before).with_priority("vips", 90)
    found = [c.prediction for c in consequences(seen, change)]
    assert [p.state.then for p in found] == ["MASTER", "MASTER"]
    assert "it moves with all its members or not at all, and more stays" in found[0].why
    both = change.with_priority("more", 90)
    assert next(c.prediction.state.then for c in consequences(seen, both)) == "BACKUP"
    failing = Change(before, before, {("interface", "eth0"): False})
    assert [c.prediction.state.then for c in consequences(seen, failing)] == ["FAULT", "FAULT"]


@pytest.mark.parametrize(
    "line",
    [
        "(vips) Received advert from 10.4.0.4 with lower priority 100, ours 101, forcing new election",
        "(vips) received lower priority (100) advert from 10.4.0.4 - discarding",
    ],
)
def test_keepaliveds_log_names_a_silent_backup(tmp_path: Path, line: str) -> None:
    seen = master(ALONE)
    seen = replace(seen, snapshot=replace(seen.snapshot, log=LogTail((LogLine(line), LogLine("(more) x")))))
    found = first(tmp_path, seen, "priority 101", "priority 90")
    assert (found.state.then, found.owner_then, found.certainty) == ("BACKUP", None, Certainty.LIKELY)
    assert "10.4.0.4 has the highest priority (100)" in found.why


def test_a_master_whose_addresses_are_not_read_yet_is_not_taken_for_another_node() -> None:
    alone = instance(VrrpState.MASTER, master_address="10.4.0.5", master_priority=102)
    late = snapshot(instances=(alone,), addresses=None, advertisers=())
    assert others(late, alone).known == ()


@pytest.mark.parametrize("ahead", [3600.0, -3600.0], ids=["clock set back", "clock set forward"])
def test_adverts_that_an_earlier_keepalived_received_do_not_count(tmp_path: Path, ahead: float) -> None:
    """Also if the clock was set since: the log's times do not show what came first."""
    line = "(vips) received lower priority (100) advert from 10.4.0.4 - discarding"
    earlier, start = LogLine(line, NOW + ahead), LogLine("Starting Keepalived v2.2.7 (01/16,2022)", NOW - 60)
    for lines, owner in (((earlier, start), False), ((start, earlier), True)):
        seen = master(ALONE)
        seen = replace(seen, snapshot=replace(seen.snapshot, log=LogTail(lines)))
        found = first(tmp_path, seen, "priority 101", "priority 90")
        assert ("10.4.0.4" in found.why) is owner


def test_an_unknown_state_has_no_prediction(tmp_path: Path) -> None:
    blind = observe(snapshot(instances=None, addresses=None, advertisers=None))
    for old, new in (("priority 101", "priority 90"), (TRACK, AUTH)):
        found = first(tmp_path, blind, old, new)
        assert (found.state.then, found.vips_here.now, found.two_owners) == (None, None, None)
        assert found.certainty is Certainty.UNKNOWN


def test_two_removed_instances_of_one_virtual_router_are_both_predicted(tmp_path: Path) -> None:
    twin = TEXT[TEXT.index("vrrp_instance") :].replace("vips", "twin").replace("0.50", "0.52")
    only_scripts = TEXT[: TEXT.index("vrrp_instance")]
    change = Change(parsed(tmp_path, TEXT + twin), parsed(tmp_path, only_scripts))
    found = consequences(master(), change)
    assert [c.prediction.instance for c in found] == ["vips", "twin"]
