"""Silence means something only while every advert would have been heard."""

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


class Deaf:
    """A capture that hears nothing, and may have dropped something."""

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


async def test_drops_and_pauses_begin_the_silence_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    capture, now = Deaf(), time.time()
    monkeypatch.setattr(Capture, "open", lambda *_: capture)
    clock = [now]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    heard = Adverts(None)
    await heard.start(lambda: None)
    try:
        clock[0] = now + MAX_PAUSE - 1
        assert heard.heard_since() == now
        capture.lost = 7
        clock[0] += 1
        assert heard.heard_since() == now + MAX_PAUSE
        capture.lost = 0
        clock[0] += 1
        assert heard.heard_since() == now + MAX_PAUSE
        assert heard.dropped() == 7
        clock[0] += 150  # stopped, or the machine frozen
        assert heard.heard_since() == clock[0]
        assert heard.dropped() == 0, "long ago"
        clock[0] -= 3600  # the clock was set back
        assert heard.heard_since() == clock[0]
    finally:
        heard.close()
