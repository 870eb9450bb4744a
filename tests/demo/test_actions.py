"""Every action on the demo, end to end: planned, applied, verified, journaled, undone; nothing real is changed."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity
from kvtui.actions.core.runner import ExitCode, Runner
from kvtui.actions.drain.active_drains import active_drains, lost_drains
from kvtui.backend.demo.services import CONF, FAILING, TRACK_FILE, VIPS
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.vrrp import VrrpState
from tests.demo.stage import AuditRecorder, Stage, stage

if TYPE_CHECKING:
    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.runner import Outcome

PAY = (Protocol.TCP, "10.4.0.51", 443, 0)
NGINX = (Protocol.TCP, "10.4.0.50", 80, 0)
ONE = ("10.4.0.61", 443)
NODE_B, NODE_C = "10.4.0.4", "10.4.0.5"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return stage(monkeypatch)


async def test_a_drain_changes_only_the_weight_and_undrain_restores_it(demo: Stage) -> None:
    before = demo.real(PAY, ONE)

    outcome = await demo.do(ActionKind.DRAIN, "10.4.0.61")

    assert (outcome.code, outcome.detail) == (
        ExitCode.DONE,
        "seen in the kernel: 10.4.0.61:443 in 10.4.0.51:443: weight 0",
    )
    after = demo.real(PAY, ONE)
    assert (before.weight, after.weight, after.method) == (1, 0, ForwardingMethod.DIRECT)
    assert [d.real for d in active_drains(demo.entries())] == [ONE]

    assert (await demo.do(ActionKind.UNDRAIN, "10.4.0.61")).code is ExitCode.DONE
    assert demo.real(PAY, ONE).weight == 1
    assert active_drains(demo.entries()) == ()
    assert [(e.verb, e.result, e.reason) for e in demo.entries()] == [
        ("drain", "done", "to learn"),
        ("undrain", "done", "to learn"),
    ]


async def test_a_drained_server_gets_no_new_connections_and_empties(demo: Stage) -> None:
    await demo.do(ActionKind.DRAIN, "10.2.68.5")
    drained = demo.real(NGINX, ("10.2.68.5", 8080))
    demo.wait(13)

    later = demo.real(NGINX, ("10.2.68.5", 8080))

    assert drained.active == 8
    assert (later.active, later.inactive) == (0, 0)
    assert later.stats is not None
    assert drained.stats is not None
    assert later.stats.connections == drained.stats.connections


async def test_waiting_ends_when_it_is_empty_if_the_sysctl_expires_templates(demo: Stage) -> None:
    outcome = await demo.do(ActionKind.DRAIN, "10.4.0.61", wait=300.0, fix_persistence=True)

    assert outcome.code is ExitCode.DONE
    assert outcome.detail == "weight 0, and empty: active 0, inactive 0, persistent 0"
    assert any("left" in line for line in demo.progress)
    assert demo.demo.world.changes.sysctls["expire_quiescent_template"] == 1

    await demo.do(ActionKind.UNDRAIN, "10.4.0.61")
    assert demo.demo.world.changes.sysctls["expire_quiescent_template"] == 0


async def test_templates_of_a_persistent_service_keep_a_drained_server_from_being_empty(demo: Stage) -> None:
    await demo.do(ActionKind.DRAIN, "10.4.0.61")
    demo.wait(30)

    outcome = await demo.do(ActionKind.DRAIN, "10.4.0.61", wait=0.0)

    assert outcome.code is ExitCode.UNVERIFIED
    assert "active 0, inactive 0, persistent 37" in outcome.detail


async def test_a_health_check_that_passes_again_undoes_a_drain_and_is_reported(demo: Stage) -> None:
    await demo.do(ActionKind.DRAIN, "10.2.70.5")
    known = active_drains(demo.entries())
    before = lost_drains(await demo.see(), known)
    demo.wait(40)  # it failed at 20 s and passed at 40 s

    (lost,) = lost_drains(await demo.see(), known)

    assert before == ()
    assert (lost.drain.real, lost.weight) == (FAILING, 1)


async def test_the_last_real_server_is_not_drained_without_force(demo: Stage) -> None:
    await demo.do(ActionKind.DRAIN, "10.4.0.61")
    action = await demo.plan(ActionKind.DRAIN, "10.4.0.62")

    assert (await demo.run(action)).code is ExitCode.REFUSED
    assert (await demo.run(action, force=True)).code is ExitCode.DONE


async def test_a_priority_changes_one_line_and_the_prediction_is_right(demo: Stage) -> None:
    text = demo.demo.world.read(CONF)
    action = await demo.plan(ActionKind.PRIORITY, "vips", value=90)
    assert "-  priority 102\n" in action.plan.diff
    assert "+  priority 90\n" in action.plan.diff
    assert action.plan.effects[0].startswith("vips: MASTER → BACKUP within 3.6 s (likely); ")
    assert f"leave this node for {NODE_B}. Priority 90: {NODE_B} has the highest priority" in action.plan.effects[0]

    outcome = await demo.run(action)

    changed = [
        pair
        for pair in zip(text.split("\n"), demo.demo.world.read(CONF).split("\n"), strict=True)
        if pair[0] != pair[1]
    ]
    assert changed == [("  priority 102", "  priority 90")]
    assert outcome.code is ExitCode.DONE
    assert outcome.as_predicted is True
    assert f"; as predicted: vips is BACKUP, {NODE_B} is master" in outcome.detail
    assert outcome.facts["seen_seconds"] == pytest.approx(3.6, abs=0.1)
    assert outcome.facts["on_the_wire"] is True
    view = await demo.instance()
    assert (view.state, view.priority, view.effective_priority) == (VrrpState.BACKUP, 90, 90)
    assert await demo.held() == set()


async def test_undo_restores_the_bytes_and_the_vips_return(demo: Stage) -> None:
    text = demo.demo.world.read(CONF)
    await demo.do(ActionKind.PRIORITY, "vips", value=90)

    outcome = await demo.do(ActionKind.UNDO)

    assert outcome.code is ExitCode.DONE
    assert demo.demo.world.read(CONF) == text
    assert outcome.as_predicted is True
    assert await demo.held() == set(VIPS)
    assert (await demo.instance()).priority == 102
    assert [(e.verb, e.result) for e in demo.entries()] == [("priority", "undone"), ("undo", "done")]


async def test_reset_undoes_several_changes(demo: Stage) -> None:
    for value in (90, 80):
        await demo.do(ActionKind.PRIORITY, "vips", value=value)

    outcome = await demo.do(ActionKind.PRIORITY, "vips", reset=True)

    assert outcome.code is ExitCode.DONE
    assert "; as predicted: vips is MASTER" in outcome.detail
    assert (await demo.instance()).priority == 102


async def test_the_plan_of_an_undo_shows_the_undone_action_and_the_effects(demo: Stage) -> None:
    first = await demo.do(ActionKind.PRIORITY, "vips", value=90)

    shown = (await demo.plan(ActionKind.UNDO, first.id)).plan

    assert shown.effects[0].startswith("vips: BACKUP → MASTER within 3.6 s (certain); ")
    assert Note(NoteSeverity.NOTE, f"{first.id}: everything was done") in shown.notes


async def test_undo_of_an_older_change_is_refused(demo: Stage) -> None:
    first = await demo.do(ActionKind.PRIORITY, "vips", value=90)
    await demo.do(ActionKind.PRIORITY, "vips", value=80)

    outcome = await demo.do(ActionKind.UNDO, first.id)

    assert outcome.code is ExitCode.REFUSED
    assert "it was changed by something else since" in outcome.detail
    assert (await demo.instance()).priority == 80


async def test_a_priority_by_the_track_file_reloads_nothing(demo: Stage) -> None:
    outcome = await demo.do(ActionKind.PRIORITY, "vips", value=52, use_track_file=True)

    assert outcome.code is ExitCode.DONE
    assert (demo.demo.world.read(TRACK_FILE), demo.demo.world.changes.reloads) == ("-1\n", 0)
    assert (await demo.instance()).effective_priority == 52
    assert outcome.facts["seen_master"] == NODE_B


async def test_with_nopreempt_a_better_priority_moves_nothing_as_predicted(demo: Stage) -> None:
    action = await demo.plan(ActionKind.PRIORITY, "vips6", value=200)
    outcome = await demo.run(action)

    assert "priority 200; with nopreempt it does not preempt" in [p.why for p in action.plan.prediction]
    assert outcome.code is ExitCode.DONE
    view = await demo.instance("vips6")
    assert (view.state, view.priority) == (VrrpState.BACKUP, 200)
    assert await demo.held() == set(VIPS)  # the other instance continues as before


async def test_a_failover_takes_its_skew_time_and_undo_restores_the_vips(demo: Stage) -> None:
    outcome = await demo.do(ActionKind.FAILOVER, "vips")

    assert outcome.code is ExitCode.DONE
    facts = outcome.facts
    assert (facts["way"], facts["owner_before"], facts["owner_after"]) == ("track file FAULT", NODE_C, NODE_B)
    assert facts["seconds_without_owner"] == pytest.approx(facts["predicted_seconds"], abs=0.02)
    assert facts["predicted_seconds"] == pytest.approx(155 / 256, abs=0.01)
    assert facts["prediction_came_true"] is True
    view = await demo.instance()
    assert (view.state, view.master.address if view.master else None) == (VrrpState.FAULT, NODE_B)
    demo.wait(1000)  # the story does not change what an action changed
    assert await demo.held() == set()

    assert (await demo.do(ActionKind.UNDO)).code is ExitCode.DONE
    demo.wait(3.7)
    assert await demo.held() == set(VIPS)


async def test_a_failover_on_a_backup_has_nothing_to_do(demo: Stage) -> None:
    outcome = await demo.do(ActionKind.FAILOVER, "vips6")

    assert outcome.code is ExitCode.REFUSED
    assert "vips6 is BACKUP here, not MASTER" in outcome.detail


async def test_the_timeline_shows_the_failover(demo: Stage) -> None:
    await demo.do(ActionKind.FAILOVER, "vips")
    demo.wait(1)

    events = [t.what for t in (await demo.see()).snapshot.transitions]

    assert events[-2:] == [f"{NODE_C} stepped down (priority 0)", f"{NODE_C} → {NODE_B} is master"]


async def test_a_reload_is_verified_and_the_story_continues(demo: Stage) -> None:
    outcome = await demo.do(ActionKind.RELOAD)

    assert outcome.code is ExitCode.DONE
    assert outcome.detail.startswith("reloaded: the config that runs is the file; as predicted: vips is MASTER; vips6 ")
    assert demo.demo.world.changes.reloads == 1
    assert await demo.held() == set(VIPS)
    demo.wait(70 - (demo.clock.now - demo.demo.world.epoch))
    assert await demo.held() == set()  # the track file lowered the priority at 60 s


async def test_a_reload_applies_the_file_and_the_plan_shows_the_difference(demo: Stage) -> None:
    world = demo.demo.world
    world.write(CONF, world.read(CONF).replace("priority 102", "priority 77", 1))

    action = await demo.plan(ActionKind.RELOAD)
    outcome = await demo.run(action)

    assert "-  priority 102\n+  priority 77\n" in action.plan.diff
    assert outcome.code is ExitCode.DONE
    assert (await demo.instance()).priority == 77


async def test_a_lowered_priority_of_the_story_still_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = stage(monkeypatch, at=70.0)  # the track file lowers it, node-b is master

    await demo.do(ActionKind.PRIORITY, "vips", value=103)

    demo.wait(82 + 3.7 - (demo.clock.now - demo.demo.world.epoch))
    view = await demo.instance()
    assert (view.state, view.effective_priority) == (VrrpState.MASTER, 103)


async def test_an_interrupted_failover_is_put_back(demo: Stage) -> None:
    action = await demo.plan(ActionKind.FAILOVER, "vips")

    def interrupt(text: str) -> None:
        if text.startswith("waiting up to"):
            task.cancel()

    task = asyncio.ensure_future(Runner(demo.backend.journal, progress=interrupt).run(action))

    outcome = await task

    assert outcome.code is ExitCode.INTERRUPTED
    assert demo.demo.world.read(TRACK_FILE) == "0\n"
    assert [e.result for e in demo.entries()] == ["put back"]


async def test_an_interrupted_action_comes_first_and_can_be_finished(
    demo: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    action = await demo.plan(ActionKind.PRIORITY, "vips", value=90)

    def died(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(demo.backend.journal, "step_done", died)
        killed.setattr("kvtui.actions.core.runner.Runner._put_back", died)
        with pytest.raises(SystemExit):
            await demo.run(action)
    (left,) = demo.backend.journal.unfinished()

    refused = await demo.do(ActionKind.RELOAD)
    finished = await demo.do(ActionKind.UNDO, left.id, finish=True)

    assert (refused.code, finished.code) == (ExitCode.REFUSED, ExitCode.DONE)
    assert (await demo.instance()).priority == 90
    assert demo.entries()[0].result == "done"


async def test_a_running_action_is_not_reported_as_interrupted(demo: Stage) -> None:
    seen: list[tuple[Entry, ...]] = []
    action = await demo.plan(ActionKind.DRAIN, "10.4.0.61")

    await Runner(demo.backend.journal, progress=lambda _text: seen.append(demo.backend.journal.unfinished())).run(
        action
    )

    assert seen == [()]


async def test_read_only_refuses(demo: Stage) -> None:
    outcome = await demo.run(await demo.plan(ActionKind.FAILOVER, "vips"), read_only=True)

    assert (outcome.code, outcome.detail) == (ExitCode.REFUSED, "refused: --read-only forbids every write")
    assert demo.entries() == ()


async def test_every_plan_is_marked_as_the_demo_and_its_commands_do_nothing_when_pasted(demo: Stage) -> None:
    for kind, target in ((ActionKind.RELOAD, ""), (ActionKind.FAILOVER, "vips"), (ActionKind.DRAIN, "10.4.0.61")):
        plan = (await demo.plan(kind, target)).plan
        assert (plan.notes[-1].severity, plan.notes[-1].text[:16]) == (NoteSeverity.NOTE, "this is the demo")
        assert plan.equivalent_commands
        assert all(command.startswith("# on a real node: ") for command in plan.equivalent_commands)


async def test_nothing_real_is_touched(demo: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("the demo reached for the real world")

    recorder = AuditRecorder()
    monkeypatch.setattr(os, "kill", forbidden)
    monkeypatch.setattr(os, "pidfd_open", forbidden)
    monkeypatch.setattr(signal, "pidfd_send_signal", forbidden)
    outcomes: list[Outcome] = []
    for watched in (False, True):  # the first run does the late imports
        recorder.on = watched
        try:
            outcomes = [
                await demo.do(ActionKind.RELOAD),
                await demo.do(ActionKind.DRAIN, "10.4.0.61", wait=300.0, fix_persistence=True),
                await demo.do(ActionKind.UNDRAIN, "10.4.0.61"),
                await demo.do(ActionKind.PRIORITY, "vips", value=90),
                await demo.do(ActionKind.PRIORITY, "vips", reset=True),
                await demo.do(ActionKind.FAILOVER, "vips"),
                await demo.do(ActionKind.UNDO),
            ]
        finally:
            recorder.on = False

    assert [o.code for o in outcomes] == [ExitCode.DONE] * 7
    assert recorder.seen == []


async def test_the_recorder_records_writes(tmp_path: object) -> None:
    recorder = AuditRecorder()
    recorder.on = True
    with open(f"{tmp_path}/file", "w"):  # noqa: PTH123, ASYNC230 - any write will do
        pass
    recorder.on = False

    assert len(recorder.seen) == 1
