"""Without a change nothing is sent. A changed value sends its line, once bold, then normal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.kit.views import instance, make_observation, real, server, snapshot, stats, vip
from tests.ui.seen import Ui, running, sent, strips

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

EPOCH = 1_700_000_040.0


def quiet(second: float, active: int = 3) -> Observation:
    """A node without traffic."""
    still = replace(real(active=active), stats=stats(0, 0))
    servers = (replace(server("10.4.0.50", still), stats=stats(0, 0)),)
    return make_observation(instances=(instance(),), vips=(vip(),), servers=servers, of=snapshot(time=EPOCH + second))


class Spy:
    """Counts what the app sends to its driver."""

    def __init__(self, ui: Ui, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[Any] = sent(ui.app, monkeypatch)
        self._ui = ui

    async def settled(self) -> None:
        """Waits until the same observation sent nothing three times in a row; a busy machine paints late."""
        in_a_row = 0
        for number in range(1, 100):
            self.sent.clear()
            await self._ui.see(quiet(1 + number / 100))
            in_a_row = 0 if self.sent else in_a_row + 1
            if in_a_row == 3:
                return
        raise AssertionError(f"sent each time: {self.sent}")


@pytest.mark.parametrize("keys", [["1"], ["2"], ["3"], ["3", "i"], ["1", "enter"]], ids="+".join)
async def test_an_equal_observation_sends_nothing(keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(quiet(0)) as ui:
        await ui.press(*keys)
        await ui.see(quiet(1))
        spy = Spy(ui, monkeypatch)
        await spy.settled()
        for second in (2, 3, 14):
            await ui.see(quiet(second))
        assert spy.sent == []


async def test_a_change_sends_its_line_bold_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def bold() -> list[str]:
        strip = strips(ui.app)[4]
        return [s.text.strip() for s in strip if s.style and s.style.bold and s.text.strip()]

    async with running(quiet(0)) as ui:
        await ui.press("3")
        await ui.see(quiet(1))
        before = ui.lines
        spy = Spy(ui, monkeypatch)
        await ui.see(quiet(2, active=4))
        for _ in range(200):  # a busy machine paints later
            if spy.sent and bold() == ["4"]:
                break
            await ui.pilot.pause()
        assert len(spy.sent) >= 1
        assert [n for n, (old, new) in enumerate(zip(before, ui.lines, strict=True)) if old != new] == [3, 4]
        assert bold() == ["4"]
        await ui.see(quiet(3, active=4))
        assert bold() == []
        spy.sent.clear()
        await ui.see(quiet(4, active=4))
        assert spy.sent == []
