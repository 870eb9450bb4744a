"""The election, compared with the table measured on real nodes (keepalived.md section 5)."""

from __future__ import annotations

import pytest

from kvtui.rules.vrrp.election import Candidate, ElectionResult, Leaving, predict, skew, takeover

A, B, C = "10.4.0.3", "10.4.0.4", "10.4.0.5"


def nodes(
    a: int | None = 100, b: int | None = 90, *, nopreempt: bool = False, delay: float = 0
) -> tuple[Candidate, ...]:
    return (
        Candidate(A, a, nopreempt=nopreempt),
        Candidate(B, b, nopreempt=nopreempt, preempt_delay=delay),
    )


def rounded(outcome: ElectionResult) -> list[tuple[str, float]]:
    return [(m.to, round(m.after, 2)) for m in outcome.moves]


def test_the_measured_takeover_times() -> None:
    assert takeover(90, 1.0) == pytest.approx(3.65, abs=0.01)
    assert skew(90, 1.0) == pytest.approx(0.65, abs=0.01)


def test_master_lowered_but_still_best_keeps_the_vip() -> None:
    outcome = predict(nodes(a=95), A, 1.0)
    assert (outcome.master, outcome.moves) == (A, ())


def test_master_lowered_below_a_backup_that_may_preempt() -> None:
    outcome = predict(nodes(a=50), A, 1.0)
    assert outcome.master == B
    assert rounded(outcome) == [(B, 3.65)]


def test_backup_raised_takes_over() -> None:
    outcome = predict(nodes(b=150), A, 1.0)
    assert outcome.master == B
    assert 3.0 <= outcome.moves[0].after <= 3.5


def test_master_steps_down_for_good() -> None:
    outcome = predict(nodes(a=50), A, 1.0, Leaving.STEPS_DOWN)
    assert rounded(outcome) == [(B, 0.65)]


def test_best_master_that_steps_down_comes_back() -> None:
    outcome = predict(nodes(), A, 1.0, Leaving.STEPS_DOWN)
    assert outcome.master == A
    assert [m.to for m in outcome.moves] == [B, A]


def test_with_nopreempt_everywhere_lowering_does_nothing_but_stepping_down_does() -> None:
    assert predict(nodes(a=50, nopreempt=True), A, 1.0).moves == ()
    assert "nopreempt" in predict(nodes(a=50, nopreempt=True), A, 1.0).because
    gone = predict(nodes(a=50, nopreempt=True), A, 1.0, Leaving.STEPS_DOWN)
    assert rounded(gone) == [(B, 0.65)]


def test_preempt_delay_lets_a_third_node_go_first() -> None:
    """Measured: a third node after 3.7 s, the target after 8.35 s: two moves."""
    three = (*nodes(a=50, b=90, delay=5), Candidate(C, 80))
    outcome = predict(three, A, 1.0)
    assert [m.to for m in outcome.moves] == [C, B]
    assert outcome.moves[0].after == pytest.approx(3.7, abs=0.05)
    assert outcome.moves[1].after == pytest.approx(8.35, abs=0.35)


def test_on_equal_priority_the_higher_address_wins_as_a_number() -> None:
    equal = (Candidate("10.4.0.9", 100), Candidate("10.4.0.10", 100))
    assert predict(equal, None, 1.0).master == "10.4.0.10"


def test_a_node_that_was_never_heard_is_not_elected() -> None:
    assert predict(nodes(b=None), A, 1.0, Leaving.STEPS_DOWN).master is None


def test_without_other_nodes() -> None:
    assert predict((Candidate(A, 100),), A, 1.0, Leaving.SILENT).master is None
