"""kvtui counts silence only from the time since which it has received every advert."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from kvtui.backend.adverts.adverts import MAX_PAUSE, Adverts
from kvtui.backend.adverts.capture import Capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from kvtui.model.vrrp import Advert


class SilentCapture:
    """A capture that receives nothing and may have dropped packets."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        self.lost = 0

    def fileno(self) -> int:
        return self.reading

    def read(self, _max_packets: int) -> Iterator[Advert]:
        return iter(())

    def dropped(self) -> int:
        return self.lost

    def close(self) -> None:
        os.close(self.reading)
        os.close(self._writing)


async def test_drops_and_pauses_restart_the_time_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    capture, now = SilentCapture(), time.time()
    monkeypatch.setattr(Capture, "open", lambda *_: capture)
    clock = [now]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    adverts = Adverts(None)
    await adverts.start(lambda: None)
    try:
        clock[0] = now + MAX_PAUSE - 1
        assert adverts.heard_since() == now
        capture.lost = 7
        clock[0] += 1
        assert adverts.heard_since() == now + MAX_PAUSE
        capture.lost = 0
        clock[0] += 1
        assert adverts.heard_since() == now + MAX_PAUSE
        assert adverts.dropped() == 7
        clock[0] += 150  # kvtui was stopped, or the machine frozen
        assert adverts.heard_since() == clock[0]
        assert adverts.dropped() == 0, "long ago"
        clock[0] -= 3600  # the clock was set back
        assert adverts.heard_since() == clock[0]
    finally:
        adverts.close()
