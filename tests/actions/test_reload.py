"""The plan of a reload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import NoteSeverity
from kvtui.actions.live import LIVE
from kvtui.actions.reload.plan import plan_reload
from kvtui.actions.reload.verifier import undone_drains
from kvtui.rules.observe import observe
from tests.actions.nodes import grades, nothing
from tests.actions.preflights import CONF, preflight_of, printing
from tests.kit import real, snapshot, table

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.actions.core.plan import Plan
    from kvtui.actions.core.preflight import Preflight


def plan(preflight: Preflight, *weights: int) -> Plan:
    reals = [real(5 + n, weight=w) for n, w in enumerate(weights or (1, 1))]
    return plan_reload(observe(snapshot(ipvs=table(*reals))), preflight, nothing, backend=LIVE).plan


def test_nothing_changed(tmp_path: Path) -> None:
    shown = plan(preflight_of(tmp_path, "# a comment\n" + CONF))
    assert shown.diff == ""
    assert shown.refusal(force=False) is None
    assert "nothing changed" in grades(shown)[NoteSeverity.NOTE]


def test_changes_are_named(tmp_path: Path) -> None:
    text = CONF.replace("priority 100", "priority 90").replace("weight 1", "weight 5", 1)
    shown = plan(preflight_of(tmp_path, text))
    assert [(c.what, c.before, c.after) for c in shown.changes] == [
        ("vips priority", "100", "90"),
        ("10.2.68.5:8080 in 10.4.0.50:80", "weight 1", "weight 5"),
    ]
    assert "-  priority 100\n+  priority 90\n" in shown.diff


def test_a_fatal_config_is_refused_even_with_force(tmp_path: Path) -> None:
    shown = plan(preflight_of(tmp_path, test=printing("(vips) the virtual router id must be set")))
    assert "virtual router id must be set" in (shown.refusal(force=True) or "")


def test_a_missing_include_can_be_forced(tmp_path: Path) -> None:
    shown = plan(preflight_of(tmp_path, CONF + "include gone.conf\n"))
    assert "gone.conf" in (shown.refusal(force=False) or "")
    assert shown.refusal(force=True) is None


def test_new_warnings_are_warnings_and_old_ones_notes(tmp_path: Path) -> None:
    test = printing("(/c: Line 1) Unknown keyword 'a'\n(/c: Line 2) Unknown keyword 'b'")
    shown = plan(preflight_of(tmp_path, test=test, baseline=printing("(/c: Line 1) Unknown keyword 'a'")))
    assert grades(shown)[NoteSeverity.WARNING] == "/c:2: Unknown keyword 'b'\n"
    assert "'a'" in grades(shown)[NoteSeverity.NOTE]
    assert shown.refusal(force=False) is None


def test_many_warnings_are_counted(tmp_path: Path) -> None:
    output = "\n".join(f"(/c: Line {n}) Unknown keyword 'k{n}'" for n in range(1, 41))
    warnings = grades(plan(preflight_of(tmp_path, test=printing(output))))[NoteSeverity.WARNING].splitlines()
    assert (len(warnings), warnings[-1]) == (7, "and 34 more like these")


def test_an_untested_change_needs_force(tmp_path: Path) -> None:
    text = CONF.replace("priority 100", "priority 90")
    shown = plan(preflight_of(tmp_path, text, test=None, test_error="run kvtui as root"))
    assert shown.refusal(force=False) is not None
    assert shown.refusal(force=True) is None


def test_a_removed_instance_is_a_warning(tmp_path: Path) -> None:
    second = CONF[CONF.index("vrrp_instance") : CONF.index("virtual_server")].replace("vips", "two").replace("50", "51")
    shown = plan(preflight_of(tmp_path, CONF, running=CONF + second))
    assert "not in the new config: two" in grades(shown)[NoteSeverity.WARNING]


def test_a_drain_that_the_reload_undoes_is_named(tmp_path: Path) -> None:
    shown = plan(preflight_of(tmp_path, CONF.replace("weight 1", "weight 5", 1)), 0, 0)
    assert grades(shown)[NoteSeverity.WARNING] == (
        "10.2.68.5:8080 in 10.4.0.50:80 is drained: the reload sets its configured weight 5\n"
    )


def test_undone_drains() -> None:
    before = {("v", "a"): 0, ("v", "b"): 0, ("v", "c"): 2, ("v", "d"): 0}
    after = {("v", "a"): 3, ("v", "b"): 0, ("v", "c"): 0}
    assert undone_drains(before, after) == ["a in v (weight 3 again)"]


def test_before_2_2_0_there_is_no_diff(tmp_path: Path) -> None:
    shown = plan(preflight_of(tmp_path, running=None))
    assert shown.diff == ""
    assert "no diff: the config that runs cannot be read" in grades(shown)[NoteSeverity.NOTE]
