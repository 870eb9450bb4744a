"""Drains by the track file of a FILE_CHECK: the number, other servers of the file, the undrain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import NoteSeverity
from kvtui.actions.core.step import StepError, StepState, object_of
from kvtui.actions.core.step_kinds import make
from kvtui.actions.drain.active_drains import active_drains
from kvtui.actions.drain.check_files import Checked, CheckFileControl, check_file_controls
from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.drain.undrain import plan_undrain
from kvtui.actions.live import LIVE
from kvtui.actions.steps import check_value
from kvtui.actions.steps.check_value import Effect, SetCheckValue
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.actions.steps.weight import SetWeight
from kvtui.backend.conf.reader import read
from kvtui.model.conf import ConfTrack, ConfTrackFile
from tests.actions.nodes import FIVE, NETWORK, WEB, entry_of, grades, node, verified, virtual
from tests.kit import conf, conf_real, real

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.ipvs import IpvsTable
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation

SIX = ("10.2.68.6", 8080)
DAEMON = Daemon(820, 1, "/etc/keepalived/keepalived.conf", 4026532000, 4026531840)


def observed(
    *weights: int, five: int | None = None, six: int | None = None, file: int | None = None, both: bool = False
) -> Observation:
    """Returns a node whose real server 5 (configured weight 10) has the FILE_CHECK; with ``both``, 6 (weight 1) too."""
    checked = replace(conf_real(5, 10), file_check="rs", file_check_weight=five)
    other = replace(conf_real(6), file_check="rs" if both else None, file_check_weight=six)
    files = (ConfTrackFile("rs", "/run/rs", file),)
    written = conf(checked, other, conf_real(7), track_files=files)
    reals = [real(n, weight=w) for n, w in zip((5, 6, 7), (*weights, 1), strict=True)]
    return node(virtual(*reals), running=written, conf=written)


def controls_of(seen: Observation, text: str | None = "0\n") -> tuple[CheckFileControl, ...]:
    def read(_keepalived: Keepalived, path: str) -> str:
        assert path == "/run/rs"
        if text is None:
            raise FileNotFoundError(path)
        return text

    return tuple(replace(k, daemon=DAEMON) for k in check_file_controls(seen, read))


@pytest.mark.parametrize(
    ("check", "file", "value"),
    [(5, None, -2), (4, None, -3), (None, None, -10), (None, 20, -1), (-3, 20, 4)],
)
def test_the_smallest_number_that_drains(check: int | None, file: int | None, value: int) -> None:
    seen = observed(10, 1, five=check, file=file)
    action = plan_drain(seen, FIVE, checks=controls_of(seen), backend=LIVE)
    track = SetTrackValue(DAEMON, "/run/rs", 0, value)
    assert action.steps == (SetCheckValue(track, NETWORK, (Effect(WEB, FIVE, 10, 0),)),)
    plan = action.plan
    assert plan.equivalent_commands == (f"echo {value} > /proc/820/root/run/rs",)
    assert [(c.what, c.before, c.after) for c in plan.changes] == [
        ("track file rs (/run/rs)", "0", str(value)),
        ("weight of 10.2.68.5:8080 in 10.4.0.50:80", "10", "0"),
    ]
    (step,) = plan.steps
    assert step == (
        f"write {value} into track file /run/rs (0 now), so that keepalived takes 10.2.68.5:8080 in 10.4.0.50:80 from "
        "weight 10 to 0"
    )
    words = f"health checks that fail and pass again, as long as /run/rs has {value}"
    assert words in " ".join(plan.effects)
    assert set(grades(plan)) == {NoteSeverity.NOTE}
    assert "FILE_CHECK" not in grades(plan)[NoteSeverity.NOTE]


def test_the_weight_is_set_in_the_kernel_where_the_file_cannot_drain() -> None:
    by_weight = (SetWeight(NETWORK, WEB, FIVE, 10, 0),)
    without = observed(10, 1, five=0)
    action = plan_drain(without, FIVE, checks=controls_of(without), backend=LIVE)
    assert action.steps == by_weight
    assert "the check has weight 0" in grades(action.plan)[NoteSeverity.NOTE]
    seen = observed(10, 1, five=5)
    assert plan_drain(seen, FIVE, backend=LIVE).steps == by_weight
    # the file drains it, but something else set another weight in the kernel
    assert plan_drain(seen, FIVE, checks=controls_of(seen, "-5"), backend=LIVE).steps == by_weight
    (six,) = plan_drain(seen, SIX, checks=controls_of(seen), backend=LIVE).steps
    assert six == SetWeight(NETWORK, WEB, SIX, 1, 0)


def test_a_missing_file_counts_as_0() -> None:
    seen = observed(10, 1, five=5)
    (step,) = plan_drain(seen, FIVE, checks=controls_of(seen, None), backend=LIVE).steps
    assert isinstance(step, SetCheckValue)
    assert step.file == SetTrackValue(DAEMON, "/run/rs", 0, -2, existed=False)


def test_others_that_share_the_file_are_named() -> None:
    seen = observed(10, 1, five=5, both=True)
    action = plan_drain(seen, FIVE, checks=controls_of(seen), backend=LIVE)
    text = "10.2.68.6:8080 in 10.4.0.50:80 (to weight 0) share track file rs, so they are drained too"
    assert text in grades(action.plan)[NoteSeverity.WARNING]
    known = active_drains([entry_of(action, "a", 1.0)])
    assert [(d.real, d.weight) for d in known] == [(FIVE, 10), (SIX, 1)]
    assert action.plan.refusal(force=False) is None


def test_others_whose_check_would_fail_or_priority_would_change_need_force() -> None:
    seen = observed(10, 1, five=5, six=0, both=True)
    refusal = plan_drain(seen, FIVE, checks=controls_of(seen), backend=LIVE).plan.refusal(force=False)
    assert "10.2.68.6:8080 in 10.4.0.50:80 share track file rs with weight 0" in (refusal or "")
    alone = observed(10, 1, five=5)
    assert alone.snapshot.running
    (vips,) = alone.snapshot.running.instances
    tracking = replace(alone.snapshot.running, instances=(replace(vips, tracks=(ConfTrack("file", "rs"),)),))
    alone = replace(alone, snapshot=replace(alone.snapshot, running=tracking))
    refusal = plan_drain(alone, FIVE, checks=controls_of(alone), backend=LIVE).plan.refusal(force=False)
    assert "VRRP instances vips share track file rs" in (refusal or "")


def test_checks_with_opposite_weights_cannot_be_drained_by_one_number() -> None:
    checked = (Checked(WEB, FIVE, 10, 5), Checked(WEB, SIX, 1, -1))
    control = CheckFileControl(DAEMON, "rs", "/run/rs", "/run/rs", 0, existed=True, checked=checked)
    assert control.drains([(WEB, FIVE), (WEB, SIX)]) is None
    assert control.drains([(WEB, FIVE)]) == -2
    assert control.drains([]) is None


def test_a_slow_drain_by_file_is_one_drain_with_pauses() -> None:
    seen = observed(10, 1, five=4, both=True)
    action = plan_drain(seen, FIVE, over=10, checks=controls_of(seen, None), backend=LIVE)
    found = [
        (s.file.before, s.file.after, s.effects[0].before, s.effects[0].after)
        for s in action.steps
        if isinstance(s, SetCheckValue)
    ]
    assert found == [(0, -1, 10, 6), (-1, -2, 6, 2), (-2, -3, 2, 0)]
    assert list(action.pauses) == [5, 5, 0]
    drain, other = active_drains([entry_of(action, "a", 1.0)])
    assert drain.check
    assert (other.real, other.weight) == (SIX, 1)
    assert (drain.weight, drain.check.file.before, drain.check.file.after) == (10, 0, -3)
    assert [s.file.existed for s in action.steps if isinstance(s, SetCheckValue)] == [False, True, True]
    assert len({object_of({"kind": s.kind, **s.to_json()}) for s in action.steps}) == 1
    assert [make({"kind": s.kind, **s.to_json()}) for s in action.steps] == list(action.steps)


# --- undrain


def test_undrain_writes_the_previous_number() -> None:
    seen = observed(15, 1, five=5)
    first = entry_of(plan_drain(seen, FIVE, checks=controls_of(seen, "1\n"), backend=LIVE), "a", 1.0)
    drained = observed(0, 1, five=5)
    action = plan_undrain(
        drained,
        FIVE,
        known=active_drains([first]),
        checks=controls_of(drained, "-2\n"),
        backend=LIVE,
    )
    (step,) = action.steps
    assert step == SetCheckValue(SetTrackValue(DAEMON, "/run/rs", -2, 1), NETWORK, (Effect(WEB, FIVE, 0, 15),))
    assert action.plan.equivalent_commands == ("echo 1 > /proc/820/root/run/rs",)
    assert grades(action.plan) == {}
    assert active_drains([first, entry_of(action, "b", 2.0)]) == ()


def test_undrain_without_a_journal_writes_0_and_names_the_other_servers() -> None:
    drained = observed(0, 0, five=5, both=True)
    action = plan_undrain(drained, FIVE, checks=controls_of(drained, "-2\n"), backend=LIVE)
    (step,) = action.steps
    assert isinstance(step, SetCheckValue)
    assert step.effects == (Effect(WEB, FIVE, 0, 10), Effect(WEB, SIX, 0, 1))
    assert (
        "10.2.68.6:8080 in 10.4.0.50:80 (to weight 1) share track file rs, so they change too"
        in (grades(action.plan)[NoteSeverity.WARNING])
    )


def test_a_drain_in_the_kernel_is_undone_in_the_kernel() -> None:
    drained = observed(0, 1, five=5)
    assert plan_undrain(drained, FIVE, checks=controls_of(drained), backend=LIVE).steps == (
        SetWeight(NETWORK, WEB, FIVE, 0, 10),
    )


def test_the_number_of_a_removed_server_is_restored_unless_it_changed() -> None:
    seen = observed(10, 1, five=5)
    first = entry_of(plan_drain(seen, FIVE, checks=controls_of(seen), backend=LIVE), "a", 1.0)
    gone = replace(seen, snapshot=replace(seen.snapshot, ipvs=_table(seen)))
    known = active_drains([first])
    action = plan_undrain(gone, FIVE, known=known, checks=controls_of(gone, "-2\n"), backend=LIVE)
    assert action.steps == (SetCheckValue(SetTrackValue(DAEMON, "/run/rs", -2, 0), NETWORK, ()),)
    facts = verified(action).facts
    assert active_drains([first, entry_of(action, "b", 2.0, facts=dict(facts))]) == ()
    assert plan_undrain(gone, FIVE, known=known, checks=controls_of(gone, "-7\n"), backend=LIVE).steps == ()


def _table(seen: Observation) -> IpvsTable:
    table = seen.snapshot.ipvs
    assert table
    (web,) = table.virtual_servers
    left = tuple(r for r in web.real_servers if r.key != FIVE)
    return replace(table, virtual_servers=(replace(web, real_servers=left),))


# --- the step


class Kernel:
    """A track file, and a kernel whose weights follow it if ``follows``."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch, *, follows: bool = True) -> None:
        self.path, self.follows = path, follows
        path.write_text("0\n")
        monkeypatch.setattr(Daemon, "root", lambda _self: "")
        monkeypatch.setattr(check_value, "read_weights", lambda _network: self.weights())
        monkeypatch.setattr(check_value, "TIMEOUT", 0.1)

    def weights(self) -> dict[Any, int]:
        value = int(self.path.read_text()) if self.follows else 0
        return {(WEB, FIVE): max(0, 10 + 5 * value)}

    def step(self) -> SetCheckValue:
        gone = Effect(WEB, SIX, 1, 0)
        track = SetTrackValue(DAEMON, str(self.path), 0, -2)
        return SetCheckValue(track, NETWORK, (Effect(WEB, FIVE, 10, 0), gone))


def test_the_step_is_applied_when_the_weights_have_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(tmp_path / "rs", monkeypatch)
    step = kernel.step()
    assert step.state() is StepState.PENDING
    step.do()
    assert (step.state(), kernel.path.read_text()) == (StepState.APPLIED, "-2\n")
    step.undo()
    assert (step.state(), kernel.path.read_text()) == (StepState.PENDING, "0\n")


def test_the_number_is_put_back_when_keepalived_does_not_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(tmp_path / "rs", monkeypatch, follows=False)
    words = r"did not follow .*: 10\.2\.68\.5:8080 in 10\.4\.0\.50:80 has weight 10\..*the old number was restored"
    with pytest.raises(StepError, match=words):
        kernel.step().do()
    assert kernel.path.read_text() == "0\n"


def test_the_number_is_read_through_keepalived_s_root(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "rs").write_text("-7 seven\n")
    seen = observed(10, 1, five=5)
    (keepalived,) = seen.snapshot.keepalived
    rooted = replace(seen, snapshot=replace(seen.snapshot, keepalived=(replace(keepalived, root=str(tmp_path)),)))
    (control,) = check_file_controls(rooted, LIVE.text)
    assert (control.value, control.existed, control.outside) == (-7, True, f"{tmp_path}/run/rs")


@pytest.mark.parametrize(
    ("line", "weight"), [("weight 4", 4), ("weight -3", -3), ("weight 4 reverse", -4), ("weight 0", 0), ("", None)]
)
def test_the_weight_of_a_check_is_read(tmp_path: Path, line: str, weight: int | None) -> None:
    text = (
        "track_file rs {\n file /tmp/rs\n}\n"
        "virtual_server 10.4.0.50 80 {\n real_server 10.2.68.5 8080 {\n  weight 9\n  FILE_CHECK {\n"
        f"   track_file rs\n   {line}\n  }}\n }}\n}}\n"
    )
    (tmp_path / "keepalived.conf").write_text(text)
    (web,) = read(str(tmp_path / "keepalived.conf"), config_id="a", now=0).virtual_servers
    (found,) = web.real_servers
    assert (found.weight, found.file_check, found.file_check_weight) == (9, "rs", weight)
