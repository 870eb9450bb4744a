# ruff: noqa: INP001, T201 - a script that prints its table
"""Scrolling and filtering 10,000 rows, and memory over a simulated day.

    python -m benchmarks.bench_screen [--virtuals 1000] [--reals 10] [--ticks 86400]

A piece is CPU time of one callback of the event loop, which also draws: no key is answered and no frame sent meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING, Self

from benchmarks.bench_kube import resident
from benchmarks.moving import Moving
from kvtui.app import KvtuiApp
from kvtui.model.settings import UiSettings
from kvtui.observer import Observer
from kvtui.terminal import tune_garbage_collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.pilot import Pilot

TASKS: tuple[tuple[str, Iterable[str], int], ...] = (
    ("IPVS screen, nothing pressed", (), 0),
    ("a row down", ("down",), 60),
    ("a page down", ("pagedown",), 60),
    ("to the end and back", ("end", "home"), 10),
    ("sort by the next column", ("s",), 5),
    ("filter, letter by letter", ("slash", *"10.105.2", "escape"), 2),
    ("fold all, unfold all", ("minus", "plus"), 4),
    ("VIPs screen and back", ("1", "3"), 4),
)


async def screen(virtuals: int, reals: int) -> None:
    """Row 10."""
    app = KvtuiApp(Observer(Moving(virtuals, reals), interval=1.0, triage=True), UiSettings())
    async with app.run_test(size=(80, 24)) as pilot:
        await asyncio.sleep(2)
        await pilot.press("3")
        await asyncio.sleep(3)
        print(f"{virtuals * reals:,} real servers; process {resident():.0f} MB")
        for name, keys, times in TASKS:
            await _task(pilot, name, tuple(keys), times)


class Pieces:
    """Measures every callback of the event loop while it is entered."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._run = asyncio.Handle._run  # noqa: SLF001 - asyncio has no other hook between its callbacks

    def __enter__(self) -> Self:
        run = self._run

        def measured(handle: asyncio.Handle) -> None:
            before = time.thread_time()
            run(handle)
            self.longest = max(self.longest, time.thread_time() - before)

        asyncio.Handle._run = measured  # type: ignore[method-assign, assignment]  # noqa: SLF001
        return self

    def __exit__(self, *_error: object) -> None:
        asyncio.Handle._run = self._run  # type: ignore[method-assign]  # noqa: SLF001


async def _task(pilot: Pilot[None], name: str, keys: tuple[str, ...], times: int) -> None:
    cpu, began = time.process_time(), time.perf_counter()
    with Pieces() as pieces:
        for _ in range(times):
            for key in keys:
                await pilot.press(key)
        await asyncio.sleep(5 if not times else 1.2)
    used, passed = time.process_time() - cpu, time.perf_counter() - began
    print(
        f"{name:<32} longest piece {1000 * pieces.longest:5.0f} ms ({100 * used / passed:.0f} % of a core)", flush=True
    )


async def day(ticks: int) -> None:
    """Row 9: a tutorial-sized node, a day of seconds, as fast as they can be observed; every tenth is drawn."""
    app = KvtuiApp(Observer(Moving(2, 3), interval=1e9, triage=True), UiSettings())
    observer = app.observer
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("3")
        for number in range(ticks + 1):
            seen = await observer.observe()
            app.history.add(seen)
            if number % 10 == 0:
                app.latest = seen
                app.show_latest()
                await asyncio.sleep(0)
            if number % (ticks // 8) == 0:
                print(f"after {number:>6} ticks {resident():6.1f} MB", flush=True)


def main() -> None:
    """Measures both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--virtuals", type=int, default=1000)
    parser.add_argument("--reals", type=int, default=10)
    parser.add_argument("--ticks", type=int, default=86400)
    options = parser.parse_args()
    tune_garbage_collector()
    if options.ticks:
        asyncio.run(day(options.ticks))
    if options.virtuals:
        asyncio.run(screen(options.virtuals, options.reals))


if __name__ == "__main__":
    main()
