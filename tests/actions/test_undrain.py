"""Active drains in the journal, and the undrain that restores the weight."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.journal import Journal
from kvtui.actions.core.network import Network
from kvtui.actions.core.plan import ActionKind, NoteSeverity
from kvtui.actions.core.step_kinds import make
from kvtui.actions.drain.active_drains import LostDrain, active_drains, lost_drains
from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.drain.targets import UnknownTargetError
from kvtui.actions.drain.undrain import plan_undrain
from kvtui.actions.live import LIVE, LiveBackend
from kvtui.actions.registry import plan
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.ipvs import Protocol
from kvtui.model.vrrp import RealServerCheck
from kvtui.rules.observe import observe
from tests.actions import nodes
from tests.actions.nodes import FIVE, NETWORK, WEB, drained, entry_of, grades, node, verified, virtual
from tests.kit import conf, conf_real, keepalived, real

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.observation import Observation


@pytest.fixture
def web() -> Observation:
    return nodes.web()


@pytest.mark.parametrize(
    ("result", "counts"),
    [("done", True), ("unverified", True), ("put back", False), ("undone", False), ("failed", False), ("left", False)],
)
def test_only_a_drain_in_force_is_active(web: Observation, result: str, counts: bool) -> None:
    entry = entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0, result)
    assert active_drains([entry]) == ((drained(),) if counts else ())


def test_a_damaged_step_does_not_hide_other_drains(web: Observation) -> None:
    entry = entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0)
    damaged = replace(entry, id="b", steps=({"kind": "weight"}, {"kind": "spell"}))
    assert active_drains([damaged, entry]) == (drained(),)


def test_a_slow_drain_keeps_its_first_weight(web: Observation) -> None:
    assert active_drains([entry_of(plan_drain(web, FIVE, over=60, backend=LIVE), "a", 1.0)]) == (drained(),)


def test_an_undrain_ends_a_drain_and_its_undo_restores_it(web: Observation) -> None:
    first = entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0)
    empty = node(virtual(real(5, weight=0), real(6)))
    second = entry_of(plan_undrain(empty, FIVE, known=active_drains([first]), backend=LIVE), "b", 2.0)
    assert active_drains([first, second]) == ()
    assert active_drains([first, replace(second, result="undone")]) == (drained(),)


def test_another_namespace_may_have_a_real_server_of_the_same_address(web: Observation) -> None:
    elsewhere = keepalived(pid=900, netns=4026532999)
    there = observe(replace(web.snapshot, keepalived=(elsewhere,), chosen=900))
    both = [
        entry_of(plan_drain(seen, FIVE, backend=LIVE), identity, 1.0) for seen, identity in ((web, "a"), (there, "b"))
    ]
    assert {(d.entry, d.network.inode) for d in active_drains(both)} == {("a", NETWORK.inode), ("b", 4026532999)}
    gone = observe(replace(node(virtual(real(6))).snapshot, keepalived=(elsewhere,), chosen=900))
    back = plan_undrain(
        gone, FIVE, known=active_drains(both), backend=LIVE
    )  # no step: only the facts record the undrain
    assert back.steps == ()
    assert [d.entry for d in active_drains([*both, entry_of(back, "c", 2.0, facts=dict(verified(back).facts))])] == [
        "a"
    ]
    old = {k: v for k, v in verified(back).facts.items() if k != "released_in"}
    assert active_drains([*both, entry_of(back, "c", 2.0, facts=old)]) == ()


def test_steps_are_equal_after_the_journal(web: Observation) -> None:
    six = SetWeight(Network(None, None), (Protocol.FWMARK, "::", 0, 7), ("fd00::5", 0), 3, 0)
    for step in (*plan_drain(web, FIVE, backend=LIVE).steps, six, SetSysctl(NETWORK, "expire_nodest_conn", 0, 1)):
        assert make({"kind": step.kind, **step.to_json()}) == step


def test_only_two_sysctls_can_be_set() -> None:
    with pytest.raises(ValueError, match="expire_nodest_conn, expire_quiescent_template, not 'conntrack'"):
        SetSysctl(NETWORK, "conntrack", 0, 1)


def test_a_drain_that_something_undid_is_reported(web: Observation) -> None:
    (lost,) = lost_drains(web, [drained()])
    assert lost == LostDrain(drained(), 4)
    assert "10.2.68.5:8080 of 10.4.0.50:80 was drained by anna (a) but has weight 4 in the kernel" in lost.sentence
    assert lost_drains(node(virtual(real(5, weight=0), real(6))), [drained()]) == ()
    assert lost_drains(node(virtual(real(6))), [drained()]) == ()
    elsewhere = replace(drained(), network=Network(820, 1))
    assert lost_drains(web, [elsewhere]) == ()


# --- undrain


def test_undrain_restores_the_previous_weight() -> None:
    seen = node(virtual(real(5, weight=0, upper_threshold=9), real(6)))
    action = plan_undrain(seen, FIVE, known=[drained(weight=4)], backend=LIVE)
    assert action.steps == (SetWeight(NETWORK, WEB, FIVE, 0, 4),)
    assert action.plan.equivalent_commands == ("ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w 4 -x 9",)
    assert "which is restored; the config has 1" in grades(action.plan)[NoteSeverity.NOTE]
    assert action.plan.refusal(force=False) is None


def test_undrain_without_a_drain_sets_the_configured_weight() -> None:
    action = plan_undrain(node(virtual(real(5, weight=0), real(6))), FIVE, backend=LIVE)
    assert action.steps == (SetWeight(NETWORK, WEB, FIVE, 0, 1),)


@pytest.mark.parametrize(("weight", "words"), [(None, "the config does not have it"), (0, "has weight 0 for it")])
def test_undrain_without_a_known_weight_is_refused(weight: int | None, words: str) -> None:
    written = conf(virtual_servers=()) if weight is None else conf(conf_real(5, weight), conf_real(6))
    seen = node(virtual(real(5, weight=0), real(6)), running=written, conf=written)
    refusal = plan_undrain(seen, FIVE, backend=LIVE).plan.refusal(force=True) or ""
    assert words in refusal
    assert "ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w WEIGHT" in refusal


def test_undrain_of_a_server_whose_check_fails_needs_force() -> None:
    check = RealServerCheck("10.4.0.50:80", *FIVE, alive=False, failed_checkers=1)
    seen = node(virtual(real(5, weight=0), real(6)), checks=(check,))
    assert "clients would reach a dead server" in (
        plan_undrain(seen, FIVE, backend=LIVE).plan.refusal(force=False) or ""
    )


def test_undrain_of_a_restored_weight_ends_the_drain_without_a_step(web: Observation) -> None:
    action = plan_undrain(web, FIVE, known=[drained()], backend=LIVE)
    assert (action.steps, action.plan.refusal(force=False)) == ((), None)
    facts = verified(action).facts
    assert (
        active_drains(
            [entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0), entry_of(action, "b", 2.0, facts=dict(facts))]
        )
        == ()
    )


def test_undrain_of_a_removed_server_ends_the_drain(web: Observation) -> None:
    gone = node(virtual(real(6)))
    action = plan_undrain(gone, ("10.2.68.5", None), "10.4.0.50:80", known=[drained()], backend=LIVE)
    assert action.plan.summary == "close the drain of 10.2.68.5:8080 in 10.4.0.50:80"
    facts = verified(action).facts
    assert (
        active_drains(
            [entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0), entry_of(action, "b", 2.0, facts=dict(facts))]
        )
        == ()
    )
    with pytest.raises(UnknownTargetError):
        plan_undrain(gone, FIVE, "10.4.0.50:443", known=[drained()], backend=LIVE)


def test_the_last_undrain_restores_the_sysctl() -> None:
    sysctl = SetSysctl(NETWORK, "expire_quiescent_template", 0, 1)
    seen = node(virtual(real(5, weight=0), real(6, weight=0)))
    one = drained(sysctl=sysctl)
    other = replace(one, real=("10.2.68.6", 8080), entry="b")
    back = SetSysctl(NETWORK, "expire_quiescent_template", 1, 0)
    assert back in plan_undrain(seen, FIVE, known=[one], backend=LIVE).steps
    assert back not in plan_undrain(seen, FIVE, known=[one, other], backend=LIVE).steps


def test_drains_are_read_from_the_journal(web: Observation, tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with journal.locked("test"):
        entry = entry_of(plan_drain(web, FIVE, backend=LIVE), "a", 1.0, result="")
        journal.begin(replace(entry, result=None))
        assert active_drains(journal.entries()) == ()
        journal.end("a", "done", "seen")
    assert active_drains(Journal(tmp_path).entries()) == (drained(),)


def test_undo_does_not_revert_a_later_drain(web: Observation, tmp_path: Path) -> None:
    """The weight is 0 because of a later drain; by its value alone the first drain would match it too."""
    journal = Journal(tmp_path)
    drain, undrain = (
        plan_drain(web, FIVE, backend=LIVE),
        plan_undrain(node(virtual(real(5, weight=0))), FIVE, known=[drained()], backend=LIVE),
    )
    first, second, third = (
        entry_of(a, i, at) for a, i, at in ((drain, "a", 1.0), (undrain, "b", 2.0), (drain, "c", 3.0))
    )
    for entry in (first, second, third):
        journal.begin(entry)
        journal.end(entry.id, "done", "seen")

    class Here(LiveBackend):
        @property
        def journal(self) -> Journal:
            return journal

    def refusal(identity: str) -> str:
        planned = asyncio.run(plan(Intent(ActionKind.UNDO, identity), web, unused, Here()))
        return planned.plan.refusal(force=True) or ""

    assert 'c "drain 10.2.68.5:8080 in 10.4.0.50:80" changed the same object since: undo that first' in refusal("a")
    assert 'c "drain' in refusal("b")
    assert "changed the same object since" not in refusal("c")
    journal.end("c", "undone", "by d")
    assert 'b "undrain' in refusal("a")


async def unused() -> Observation:
    raise AssertionError
