"""A controller of the demo overwrites a priority: kvtui reports it once, and screen 8 shows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kvtui.app import KvtuiApp
from kvtui.screens import journal
from tests.demo.learner import learner

if TYPE_CHECKING:
    import pytest


async def test_it_is_reported_and_shown_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHECK_SECONDS", 0.05)
    notices: list[str] = []
    monkeypatch.setattr(KvtuiApp, "notify", lambda _self, message, **_options: notices.append(message))
    async with learner((120, 50)) as person:
        world = person.demo.world
        before = world.changes.saved
        await person.press("2", "p", "9", "0", "enter")
        await person.sees("102 → 90", "y apply")
        await person.press("y")
        await person.sees("DONE: keepalived has priority 90")
        await person.press("escape", "1")
        world.write(world.conf.path, before)

        await person.press("8")
        await person.sees("OVERWRITTEN")
        await person.press("enter")
        await person.sees("Since then", "keepalived runs with priority 90")
        world.write(world.conf.path, before)  # the next sync writes the same
        await asyncio.sleep(0.3)  # six looks
    (one,) = notices
    assert one.startswith("the controller kube-keepalived-vip (4700) overwrote /etc/keepalived/keepalived.conf at ")
    assert one.endswith("; keepalived runs with priority 90 until the next SIGHUP or restart")
