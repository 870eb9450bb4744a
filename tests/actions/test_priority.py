"""The plan of a changed priority, and its reset through the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.election_context import InstancesUnreadableError, UnknownInstanceError
from kvtui.actions.core.plan import NoteSeverity
from kvtui.actions.failover.plan import plan_failover
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.priority.plan import plan_priority, plan_reset
from kvtui.actions.priority.track_files import TrackFileControl, track_file_controls
from kvtui.model.keepalived import Controller
from kvtui.model.source import SourceName
from kvtui.rules.observe import observe
from tests.actions.nodes import entry_of, grades, master, nothing
from tests.actions.preflights import CONF, preflight_of, tracked
from tests.kit import snapshot

if TYPE_CHECKING:
    from pathlib import Path


def test_the_plan_changes_one_line(tmp_path: Path) -> None:
    action = plan_priority(master(), preflight_of(tmp_path), "vips", 42, nothing, backend=LIVE)
    shown = action.plan
    assert shown.refusal(force=False) is None
    lines = shown.diff.splitlines()
    assert [x for x in lines if x[0] in "+-"][2:] == ["-  priority 100 ! keep", "+  priority 42 ! keep"]
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup"]
    assert [(c.before, c.after) for c in shown.changes] == [("100", "42")]
    assert (tmp_path / "keepalived.conf").read_text() == CONF


FREE = CONF.replace("  nopreempt\n", "")


def test_the_vips_are_kept_only_where_this_node_stays_master(tmp_path: Path) -> None:
    wire = "adverts have priority 42 after at most one with the old one"
    kept = plan_priority(master(), preflight_of(tmp_path), "vips", 42, nothing, backend=LIVE).plan.effects
    assert kept[-1] == f"{wire}; MASTER state and VIPs are kept"
    lost = plan_priority(
        master(nopreempt=False), preflight_of(tmp_path, FREE, FREE), "vips", 42, nothing, backend=LIVE
    ).plan.effects
    assert lost[-1] == wire
    assert lost[0].startswith("vips: MASTER → BACKUP within 3.6 s (likely); 10.4.0.50 leaves this node for 10.4.0.4.")


def test_the_prediction_considers_nopreempt(tmp_path: Path) -> None:
    effects = plan_priority(master(), preflight_of(tmp_path), "vips", 42, nothing, backend=LIVE).plan.effects
    assert "assuming that the other nodes also have nopreempt" in effects[0]
    preempting = plan_priority(
        master(nopreempt=False), preflight_of(tmp_path, FREE, FREE), "vips", 42, nothing, backend=LIVE
    ).plan.effects
    assert "10.4.0.4 has the highest priority (101) and preempts; the VIPs stay here until then" in preempting[0]


@pytest.mark.parametrize(("line", "why"), [("priority $P", "cannot be changed"), ("@x priority 9", "an '@x' line")])
def test_a_priority_that_is_not_literal_is_refused(tmp_path: Path, line: str, why: str) -> None:
    text = "$P=100\n" + CONF.replace("priority 100", line)
    shown = plan_priority(master(), preflight_of(tmp_path, text, text), "vips", 42, nothing, backend=LIVE).plan
    assert why in (shown.refusal(force=True) or "")
    assert "kvtui reload" in (shown.refusal(force=True) or "")


@pytest.mark.parametrize("value", [0, 256, -1])
def test_a_priority_out_of_range_is_refused(tmp_path: Path, value: int) -> None:
    shown = plan_priority(master(), preflight_of(tmp_path), "vips", value, nothing, backend=LIVE).plan
    assert f"priority {value} is not between 1 and 255" in (shown.refusal(force=True) or "")


def test_no_such_instance(tmp_path: Path) -> None:
    with pytest.raises(UnknownInstanceError, match="it has: vips"):
        plan_priority(master(), preflight_of(tmp_path), "nope", 9, nothing, backend=LIVE)


def test_unreadable_instances_are_not_reported_as_none(tmp_path: Path) -> None:
    why = "/proc/820/root cannot be read: no permission"
    known = snapshot(instances=None, running=None, conf=None)
    sources = tuple(replace(s, detail=why) if s.name is SourceName.CONF else s for s in known.sources)
    unreadable = observe(replace(known, sources=sources))
    with pytest.raises(InstancesUnreadableError, match=f"^the instances are unknown: {why}$"):
        plan_priority(unreadable, preflight_of(tmp_path), "vips", 42, nothing, backend=LIVE)


def test_other_edits_of_the_file_are_a_warning(tmp_path: Path) -> None:
    text = CONF.replace("advert_int 1", "advert_int 2")
    shown = plan_priority(master(), preflight_of(tmp_path, text), "vips", 42, nothing, backend=LIVE).plan
    assert "has other edits that do not run yet" in grades(shown)[NoteSeverity.WARNING]


def test_the_controller_that_owns_the_file_is_a_warning(tmp_path: Path) -> None:
    owner = {"controller": Controller(7, "kube-keepalived-vip", ("x",))}
    shown = plan_priority(
        master(), preflight_of(tmp_path, daemon_changes=owner), "vips", 42, nothing, backend=LIVE
    ).plan
    warning = grades(shown)[NoteSeverity.WARNING]
    assert "kube-keepalived-vip (7) owns this file: its next sync writes priority 100 again" in warning
    assert "keepalived runs with 42 until the next reload" in warning


def test_a_mounted_file_is_refused(tmp_path: Path) -> None:
    shown = plan_priority(
        master(), preflight_of(tmp_path, obstacle="it is a mount"), "vips", 42, nothing, backend=LIVE
    ).plan
    assert "it is a mount" in (shown.refusal(force=True) or "")


def test_the_same_value_writes_nothing(tmp_path: Path) -> None:
    action = plan_priority(master(), preflight_of(tmp_path), "vips", 100, nothing, backend=LIVE)
    assert action.steps == ()
    assert "already has priority 100" in grades(action.plan)[NoteSeverity.NOTE]


def test_a_priority_that_is_only_in_the_file_is_reloaded(tmp_path: Path) -> None:
    text = CONF.replace("priority 100", "priority 42")
    action = plan_priority(master(), preflight_of(tmp_path, text), "vips", 42, nothing, backend=LIVE)
    assert [s.kind for s in action.steps] == ["hangup"]


def test_the_track_file_is_preferred_to_the_config(tmp_path: Path) -> None:
    text = tracked(tmp_path, 2, 1)
    preflight = preflight_of(tmp_path, text, text)
    now = master(effective_priority=102)
    action = plan_priority(now, preflight, "vips", 110, nothing, backend=LIVE)
    assert [s.kind for s in action.steps] == ["track value"]
    assert [(c.before, c.after) for c in action.plan.changes] == [("1", "5")]  # 100 + 5 × 2
    assert action.plan.summary == f"priority of vips: 102 → 110, by track file {tmp_path}/offset (weight 2)"
    assert "--config-line (key t) changes the config instead" in grades(action.plan)[NoteSeverity.NOTE]
    assert plan_priority(now, preflight, "vips", 110, nothing, use_track_file=True, backend=LIVE).steps == action.steps
    by_config = plan_priority(now, preflight, "vips", 110, nothing, use_track_file=False, backend=LIVE)
    assert [s.kind for s in by_config.steps] == ["hangup", "file", "hangup"]
    assert NoteSeverity.NOTE not in grades(by_config.plan)


def test_the_config_is_used_where_the_track_file_cannot_reach_the_priority(tmp_path: Path) -> None:
    text = tracked(tmp_path, 2, 1)
    preflight, now = preflight_of(tmp_path, text, text), master(effective_priority=102)
    action = plan_priority(now, preflight, "vips", 111, nothing, backend=LIVE)
    assert [s.kind for s in action.steps] == ["hangup", "file", "hangup"]
    assert (
        "not by its track file: priority 111 cannot be reached exactly from 102"
        in grades(action.plan)[NoteSeverity.NOTE]
    )
    odd = plan_priority(now, preflight, "vips", 111, nothing, use_track_file=True, backend=LIVE).plan
    assert "cannot be reached exactly from 102" in (odd.refusal(force=True) or "")


@pytest.mark.parametrize("use_track_file", [None, True])
def test_a_track_file_that_has_the_value_is_not_written(tmp_path: Path, use_track_file: bool | None) -> None:
    text = tracked(tmp_path, 2, 1)
    now, preflight = master(effective_priority=102), preflight_of(tmp_path, text, text)
    action = plan_priority(now, preflight, "vips", 102, nothing, use_track_file=use_track_file, backend=LIVE)
    assert action.steps == ()
    assert "already has priority 102: nothing to write" in grades(action.plan)[NoteSeverity.NOTE]


def test_a_shared_track_file_is_used_only_on_request(tmp_path: Path) -> None:
    text = tracked(tmp_path, 2, 0)
    second = text[text.index("vrrp_instance") : text.index("virtual_server")]
    text += second.replace("vips", "more").replace("virtual_router_id 50", "virtual_router_id 51")
    preflight, now = preflight_of(tmp_path, text, text), master(effective_priority=100)
    shown = plan_priority(now, preflight, "vips", 110, nothing, backend=LIVE)
    assert [s.kind for s in shown.steps] == ["hangup", "file", "hangup"]
    assert (
        "changes more than this priority: more also track it: their priority changes too"
        in grades(shown.plan)[NoteSeverity.NOTE]
    )
    asked = plan_priority(now, preflight, "vips", 110, nothing, use_track_file=True, backend=LIVE)
    assert [s.kind for s in asked.steps] == ["track value"]
    assert "more also track it: their priority changes too" in grades(asked.plan)[NoteSeverity.WARNING]


def test_a_track_file_of_a_file_check_is_used_only_on_request(tmp_path: Path) -> None:
    check = "weight 1\n    FILE_CHECK {\n track_file offset\n weight 1\n }\n"
    text = tracked(tmp_path, 2, 0).replace("weight 1\n  }", check + "  }", 1)
    preflight, now = preflight_of(tmp_path, text, text), master(effective_priority=100)
    assert [k.checked for k in track_file_controls(preflight, "vips", backend=LIVE)] == [("10.2.68.5:8080",)]
    shown = plan_priority(now, preflight, "vips", 110, nothing, backend=LIVE)
    assert [s.kind for s in shown.steps] == ["hangup", "file", "hangup"]
    theirs = "it is the FILE_CHECK of 10.2.68.5:8080: their weights change too"
    assert theirs in grades(shown.plan)[NoteSeverity.NOTE]
    assert (
        theirs
        in grades(plan_priority(now, preflight, "vips", 110, nothing, use_track_file=True, backend=LIVE).plan)[
            NoteSeverity.WARNING
        ]
    )
    by_file = plan_failover(now, preflight, "vips", nothing, backend=LIVE).plan
    assert "it is also the FILE_CHECK of 10.2.68.5:8080" in grades(by_file)[NoteSeverity.WARNING]


def test_a_track_file_that_cannot_be_replaced_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tracked(tmp_path, 2, 0)
    preflight, now = preflight_of(tmp_path, text, text), master(effective_priority=100)
    monkeypatch.setattr(LiveBackend, "obstacle", lambda *_: "it is mounted read-only")
    shown = plan_priority(now, preflight, "vips", 110, nothing, backend=LIVE)
    assert [s.kind for s in shown.steps] == ["hangup", "file", "hangup"]
    assert "not by its track file: it is mounted read-only" in grades(shown.plan)[NoteSeverity.NOTE]
    asked = plan_priority(now, preflight, "vips", 110, nothing, use_track_file=True, backend=LIVE).plan
    assert "it is mounted read-only" in (asked.refusal(force=True) or "")


def test_255_is_never_reached_by_a_track_file(tmp_path: Path) -> None:
    text = tracked(tmp_path, 1, 0)
    preflight = preflight_of(tmp_path, text, text)
    shown = plan_priority(master(effective_priority=100), preflight, "vips", 255, nothing, backend=LIVE)
    assert [s.kind for s in shown.steps] == ["hangup", "file", "hangup"]
    assert "weighted tracks do not count with 255" in grades(shown.plan)[NoteSeverity.NOTE]
    owner = master(base_priority=255, effective_priority=255)
    assert (
        "weighted tracks do not count"
        in grades(plan_priority(owner, preflight, "vips", 90, nothing, backend=LIVE).plan)[NoteSeverity.NOTE]
    )


@pytest.mark.parametrize(("value", "effective"), [(900, 254), (-150, 1)])
def test_a_capped_priority_is_computed_from_the_configured_one(tmp_path: Path, value: int, effective: int) -> None:
    text = tracked(tmp_path, 1, value)
    preflight = preflight_of(tmp_path, text, text)
    action = plan_priority(master(effective_priority=effective), preflight, "vips", 110, nothing, backend=LIVE)
    assert [(c.before, c.after) for c in action.plan.changes] == [(str(value), "10")]


@pytest.mark.parametrize(("effective", "number"), [(105, "15"), (254, None), (1, None), (None, None)])
def test_other_weights_are_counted_where_keepalived_reports_them(
    tmp_path: Path, effective: int | None, number: str | None
) -> None:
    """A script adds 5; at 1 and 254 the priority without the file is unknown."""
    text = tracked(tmp_path, 1, 10).replace(" offset\n}\n", " offset\n}\n track_script {\n  check weight 5\n }\n")
    text = "vrrp_script check {\n script /usr/bin/true\n}\n" + text
    preflight = preflight_of(tmp_path, text, text)
    now = master(base_priority=90, effective_priority=effective)
    shown = plan_priority(now, preflight, "vips", 110, nothing, backend=LIVE)
    if number:
        assert [(c.before, c.after) for c in shown.plan.changes] == [("10", number)]
        return
    assert [s.kind for s in shown.steps] == ["hangup", "file", "hangup"]
    assert "without offset is unknown" in grades(shown.plan)[NoteSeverity.NOTE]


def test_a_track_file_of_weight_0_sets_no_priority(tmp_path: Path) -> None:
    text = tracked(tmp_path, 0)
    preflight = preflight_of(tmp_path, text, text)
    assert plan_priority(master(), preflight, "vips", 90, nothing, use_track_file=True, backend=LIVE).plan.refusal(
        force=True
    )
    assert [s.kind for s in plan_priority(master(), preflight, "vips", 90, nothing, backend=LIVE).steps] == [
        "hangup",
        "file",
        "hangup",
    ]


@pytest.mark.parametrize("weight", [0, 1, 2, 3, 7, 100, 253, -1, -2, -3, -100, -253])
def test_the_value_that_causes_fault(weight: int) -> None:
    value = TrackFileControl("k", "/k", weight, 0, existed=True, shared=()).fault_value()
    if weight == 0:
        assert value != 0
    else:
        closer = value - (1 if value > 0 else -1)
        assert value * weight <= -254 < closer * weight


def test_track_file_controls(tmp_path: Path) -> None:
    text = tracked(tmp_path, 3, 9)
    assert track_file_controls(preflight_of(tmp_path, text, text), "vips", backend=LIVE) == (
        TrackFileControl("offset", str(tmp_path / "offset"), 3, 9, existed=True, shared=()),
    )
    assert track_file_controls(preflight_of(tmp_path), "vips", backend=LIVE) == ()


def test_reset_reverts_every_change(tmp_path: Path) -> None:
    first = plan_priority(master(), preflight_of(tmp_path), "vips", 90, nothing, backend=LIVE)
    ninety = CONF.replace("priority 100", "priority 90")
    second = plan_priority(master(), preflight_of(tmp_path, ninety, ninety), "vips", 80, nothing, backend=LIVE)
    eighty = CONF.replace("priority 100", "priority 80")
    entries = (entry_of(first, "a", 1.0), entry_of(second, "b", 2.0))
    back = plan_reset(
        master(base_priority=80), preflight_of(tmp_path, eighty, eighty), "vips", entries, nothing, backend=LIVE
    )
    assert [(c.before, c.after) for c in back.plan.changes] == [("80", "100")]


def test_reset_does_not_revert_a_change_that_something_else_made(tmp_path: Path) -> None:
    first = plan_priority(master(), preflight_of(tmp_path), "vips", 90, nothing, backend=LIVE)
    theirs = CONF.replace("priority 100", "priority 70")
    for entry in (entry_of(first, "a", 1.0), replace(entry_of(first, "b", 1.0), result="undone")):
        back = plan_reset(master(), preflight_of(tmp_path, theirs, theirs), "vips", (entry,), nothing, backend=LIVE)
        assert "nothing to reset" in (back.plan.refusal(force=True) or "")
