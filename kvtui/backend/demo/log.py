"""The log of the demo's keepalived, in the words of 2.2.7."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kvtui.backend.demo.changes import NO_CHANGES, advert_transitions
from kvtui.backend.demo.services import CONF, FAILING, SERVICES
from kvtui.backend.demo.story import CYCLE, EARLIER, FAILS, NODES, PASSES, SELF
from kvtui.model.log import LogLine, LogTail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.demo.changes import Changes

STARTED = -4020.0
POD = "default/kube-keepalived-vip-x7k2p"
OWN = NODES[SELF][0]
_PRIORITY = re.compile(r"changed priority (\d+) → (\d+)")


def log_tail(t: float, epoch: float, changes: Changes = NO_CHANGES) -> LogTail:
    events = [*_start(), *_elections(t, changes), *_checks(t), *_reloads(changes)]
    lines = sorted((event for event in events if event[0] <= t), key=lambda event: event[0])
    return LogTail(tuple(LogLine(text, epoch + at) for at, text in lines), f"log of pod {POD}")


Event = tuple[float, str]


def _start() -> Iterator[Event]:
    yield STARTED, "Starting Keepalived v2.2.7 (01/16,2022)"
    yield STARTED, f"Opening file '{CONF}'."
    yield STARTED + 0.1, "(vips) Entering BACKUP STATE (init)"
    yield STARTED + 0.1, "(vips6) Entering BACKUP STATE (init)"


def _elections(t: float, changes: Changes) -> Iterator[Event]:
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


def _checks(t: float) -> Iterator[Event]:
    real = f"[{FAILING[0]}]:tcp:{FAILING[1]}"
    vip = next(f"[{s.vip}]:tcp:{s.port}" for s in SERVICES if FAILING in s.reals)
    now = int(t // CYCLE)
    for start in (number * CYCLE for number in range(now - EARLIER, now + 1)):
        yield start + FAILS, f"TCP connection to {real} failed."
        yield start + FAILS, f"Removing service {real} from VS {vip}"
        yield start + PASSES, f"TCP connection to {real} success."
        yield start + PASSES, f"Adding service {real} to VS {vip}"


def _reloads(changes: Changes) -> Iterator[Event]:
    for at in changes.reloaded:
        yield at, "Reloading ..."
        yield at, f"Opening file '{CONF}'."
        yield at, "Reload complete"
