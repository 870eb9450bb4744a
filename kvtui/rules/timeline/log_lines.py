"""Turns keepalived's log into events: runs of the same noise are one, lines about dumps are left out. Pure."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from kvtui.model.event import Event, EventKind
from kvtui.model.finding import Severity
from kvtui.rules.timeline.events import names_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.log import LogLine

PROGRAM = re.compile(r"^Keepalived\w*(?:\[\d+\])?: ")
GRATUITOUS = re.compile(
    r"(?i)^(?:\([^)]*\) )?sending(?:/queueing)? (?:gratuitous ARPs?|unsolicited neighbou?r adverts?) "
    r"on (?P<interface>\S+) for (?P<address>[0-9a-fA-F.:]+)"
)
"""keepalived sends five for each VIP when it becomes master, and five more some seconds later."""
DUMP = re.compile(r"\bPrinting .+ on signal$")
"""keepalived logs this for every dump that kvtui requests, twice a minute: it would fill the screen."""
ERROR = re.compile(r"(?i)\b(FAULT|fail\w*|errors?|warning|invalid|unknown|cannot|unable|removing)\b")
RELOAD = re.compile(r"^Reload|\bReload(?:ing| complete| finished)")
INSTANCE = re.compile(r"^\((?P<name>[^)]+)\)")
SERVER = re.compile(r"\[(?P<address>[0-9a-fA-F.:]+)\]:(?:tcp|udp|sctp):(?P<port>\d+)")


def log_events(lines: Iterable[LogLine], *, dumps: bool = False) -> list[Event]:
    """Returns the log as events, oldest first; ``dumps`` includes the lines that keepalived logs for each dump."""
    kept = (line for line in lines if dumps or not DUMP.search(line.text))
    return [_event(list(run)) for _kind, run in groupby(kept, _kind_of)]


def _kind_of(line: LogLine) -> str:
    """Equal for lines that say the same, and for gratuitous ARP for any address."""
    text = without_program(line.text)
    return "gratuitous" if GRATUITOUS.match(text) else text


def without_program(text: str) -> str:
    """Syslog puts the name of the process before a line."""
    return PROGRAM.sub("", text, count=1)


def _event(lines: list[LogLine]) -> Event:
    at, text = lines[0].at, without_program(lines[0].text)
    if GRATUITOUS.match(text):
        return _announcement(lines)
    instance = INSTANCE.match(text)
    servers = [f"[{m[1]}]:{m[2]}" if ":" in m[1] else f"{m[1]}:{m[2]}" for m in SERVER.finditer(text)]
    objects = (*([instance["name"]] if instance else ()), *servers)
    severity = Severity.WARNING if ERROR.search(text) else Severity.INFO
    kind = EventKind.RELOAD if RELOAD.search(text) else EventKind.LOG
    return Event(at, kind, text, objects, severity, len(lines))


def _announcement(lines: list[LogLine]) -> Event:
    found = [m for line in lines if (m := GRATUITOUS.match(without_program(line.text)))]
    addresses = list(dict.fromkeys(m["address"] for m in found))
    interfaces = list(dict.fromkeys(m["interface"].rstrip(",") for m in found))
    what = "gratuitous ARP" if any("." in address for address in addresses) else "unsolicited neighbour adverts"
    text = f"{what} on {names_text(interfaces)} for {names_text(addresses)}"
    return Event(lines[0].at, EventKind.LOG, text, tuple(addresses), lines=len(lines))
