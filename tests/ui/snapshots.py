"""The main screens as text, in ``tests/ui/screens``: their diff shows what a change does to each screen.

python -m tests.ui.snapshots      # writes them again after an intended change
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kvtui.backend.demo.source import demo_snapshot
from kvtui.model.config import TriageSettings
from kvtui.observer import TriageRunner
from kvtui.rules.observe import observe
from tests.kit.views import EPOCH
from tests.ui.seen import running
from tests.watched_loop import WatchedLoop

if TYPE_CHECKING:
    from kvtui.model.observation import Observation

FOLDER = Path(__file__).with_name("screens")
KEYS = {
    "vips": "1",
    "vrrp": "2",
    "ipvs": "3",
    "mappings": "4",
    "findings": "5",
    "sources": "i",
    "keys": "question_mark",
}
"""Screens and panels with the keys that open them. Events and Journal are left out; they show this machine's files."""
SIZES = ((80, 24), (140, 40))
MOMENTS = range(60, 121, 10)
"""Seconds of the demo's story; node-b holds the VIPs in some of them, so that charts and strips show something."""
CLOCK = re.compile(r"(?<![\w.:\[])\d\d:\d\d(:\d\d)?(?![\w.:\]])")


def observations() -> list[Observation]:
    triage = TriageRunner(TriageSettings(hold_factor=0.0))
    return [triage.run(observe(demo_snapshot(t, EPOCH), demo_snapshot(t - 1, EPOCH).ipvs), force=True) for t in MOMENTS]


async def capture(size: tuple[int, int]) -> dict[str, str]:
    """Returns the text of each screen; times of day, which depend on the time zone, are masked."""
    texts = {}
    first, *others = observations()
    async with running(first, size=size, label="demo") as ui:
        for observation in others:
            await ui.see(observation)
        for name, key in KEYS.items():
            await ui.press("escape", key)
            lines = [re.sub(CLOCK, lambda m: re.sub(r"\d", "0", m.group()), line).rstrip() for line in ui.lines]
            texts[f"{name}-{size[0]}x{size[1]}"] = "\n".join(lines) + "\n"
    return texts


def main() -> None:
    """Writes all of them."""
    FOLDER.mkdir(exist_ok=True)
    for size in SIZES:
        with asyncio.Runner(loop_factory=WatchedLoop) as runner:
            for name, text in runner.run(capture(size)).items():
                FOLDER.joinpath(f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
