"""The demo in the terminal UI: drain, failover and undo by keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.screens import journal
from tests.demo.learner import learner

if TYPE_CHECKING:
    import pytest


async def test_drain_and_undo_by_keys() -> None:
    async with learner((100, 40)) as person:
        await person.press("3")
        await person.sees("10.2.68.5:8080")
        await person.press("down", "d")
        await person.sees("drain 10.2.68.5:8080", "nothing real is changed", "y apply")
        await person.press("y")
        await person.sees("DONE: seen in the kernel", "open connections", "active 0")
        assert [w.weight for w in person.demo.world.changes.weights] == [0]

        await person.press("escape", "8")
        await person.sees("drain 10.2.68.5:8080", "done")
        await person.press("u")
        await person.sees("restore weight", "y apply")
        await person.press("y")
        await person.sees("· Verified")
        assert [w.weight for w in person.demo.world.changes.weights] == [0, 1]


async def test_a_kept_drain_is_applied_again_automatically(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECK_SECONDS", 0.2)
    async with learner((160, 40)) as person:
        await person.press("3")
        await person.sees("10.2.68.5:8080")
        await person.press("down", "d", "k")
        await person.sees("keep: yes", "kept: kvtui drains it again by itself", "y apply")
        await person.press("y")
        await person.sees("DONE: seen in the kernel", "kvtui drains it again by itself while it runs")
        person.demo.world.set_weight(person.demo.world.changes.weights[0].target, 1)
        await person.press("escape", "8")
        await person.sees("kept drained (")
        assert [w.weight for w in person.demo.world.changes.weights] == [0, 1, 0]


async def test_a_drain_interrupted_while_it_waits_is_put_back_and_shows_no_bar() -> None:
    async with learner((100, 40)) as person:
        await person.press("3")
        await person.sees("10.2.68.5:8080")
        await person.press("down", "d", "w")
        await person.sees("wait: at most 1m00s", "y apply")
        await person.press("y")
        await person.sees("active ", "Esc interrupt and put back")
        await person.press("escape")
        text = await person.sees("INTERRUPTED: interrupted; everything was put back", "Esc close")
        assert "[#" not in text
        assert "w wait" not in text
        assert [w.weight for w in person.demo.world.changes.weights] == [0, 1]


async def test_failover_by_keys_moves_the_vips_and_the_journal_has_it() -> None:
    async with learner((100, 40)) as person:
        await person.press("f")
        await person.sees("track file FAULT", "MASTER → FAULT within 0.6 s (likely)", "y apply")
        await person.press("y")
        await person.sees("DONE: 10.4.0.4 is master and has 10.4.0.50", "s without an")
        await person.press("escape", "1")
        await person.sees("FAULT")
        assert not [v for v in (person.app.latest.vips if person.app.latest else None) or () if v.present]

        await person.press("8")
        await person.sees("make 10.4.0.50", "done")


async def test_a_priority_by_keys() -> None:
    async with learner((100, 50)) as person:
        await person.press("2", "p", "9", "0", "enter")
        await person.sees("102 → 90", "+  priority 90", "y apply")
        await person.press("y")
        await person.sees("DONE: keepalived has priority 90", "10.4.0.4 is master")
