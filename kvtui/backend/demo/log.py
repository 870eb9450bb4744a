"""The log of the demo's keepalived, in the words of 2.2.7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvtui.backend.demo.changes import NO_CHANGES, advert_transitions
from kvtui.backend.demo.services import CONF, FAILING, POD, SERVICES
from kvtui.backend.demo.story import CYCLE, EARLIER, FAILS, NODES, PASSES, SELF
from kvtui.model.log import LogLine, LogTail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.demo.changes import DemoChanges

OWN = NODES[SELF][0]
START = (
    (-4020.0, "Starting Keepalived v2.2.7 (01/16,2022)"),
    (-4020.0, f"Opening file '{CONF}'."),
    (-4019.9, "(vips) Entering BACKUP STATE (init)"),
    (-4019.9, "(vips6) Entering BACKUP STATE (init)"),
)
RELOAD = ("Reloading ...", f"Opening file '{CONF}'.", "Reload complete")
_PRIORITY = re.compile(r"changed priority (\d+) → (\d+)")


def log_tail(t: float, epoch: float, changes: DemoChanges = NO_CHANGES) -> LogTail:
    reloads = ((at, text) for at in changes.reloaded for text in RELOAD)
    events = [*START, *_elections(t, changes), *_checks(t), *reloads]
    lines = sorted((event for event in events if event[0] <= t), key=lambda event: event[0])
    return LogTail(tuple(LogLine(text, epoch + at) for at, text in lines), f"log of pod {POD}")


def _elections(t: float, changes: DemoChanges) -> Iterator[tuple[float, str]]:
    fault = False
    for at, what in advert_transitions(t, changes):
        if match := _PRIORITY.search(what):
            yield at, f"(vips) Changing effective priority from {match[1]} to {match[2]}"
        elif what.startswith(f"{OWN} stepped down"):
            fault = True
            yield at, "(vips) Entering FAULT STATE"
        elif what.endswith("stepped down (priority 0)"):
            yield at, f"(vips) Backup received priority 0 advertisement from {what.split()[0]}"
        elif what.endswith(f"→ {OWN} is master"):
            fault = False
            yield at, "(vips) Entering MASTER STATE"
        elif what.startswith(f"{OWN} →") and not fault:
            yield at, f"(vips) Master received advert from {what.split()[2]} with higher priority"
            yield at, "(vips) Entering BACKUP STATE"


def _checks(t: float) -> Iterator[tuple[float, str]]:
    real = f"[{FAILING[0]}]:tcp:{FAILING[1]}"
    vip = next(f"[{s.vip}]:tcp:{s.port}" for s in SERVICES if FAILING in s.reals)
    now = int(t // CYCLE)
    for start in (number * CYCLE for number in range(now - EARLIER, now + 1)):
        yield start + FAILS, f"TCP connection to {real} failed."
        yield start + FAILS, f"Removing service {real} from VS {vip}"
        yield start + PASSES, f"TCP connection to {real} success."
        yield start + PASSES, f"Adding service {real} to VS {vip}"
