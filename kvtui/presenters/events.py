"""The time line: events of observations, of the journal and of keepalived's log; who was master when."""

from __future__ import annotations

from datetime import datetime
from itertools import cycle, groupby
from typing import TYPE_CHECKING

from kvtui.model.event import Event, EventKind
from kvtui.model.finding import Severity
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.presenters.cells import SEVERITY_TONES, Cell, Tone, text_lines, wrapped
from kvtui.presenters.journal import result_text, who_text
from kvtui.rules.timeline.masters import strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kvtui.actions.core.journal import Entry
    from kvtui.model.log import LogTail
    from kvtui.model.observation import Observation
    from kvtui.presenters.cells import Line
    from kvtui.presenters.glyphs import Glyphs
    from kvtui.rules.timeline.history import Span
    from kvtui.rules.timeline.masters import Masters

CLOCK_WIDTH = 8
EMPTY = "Nothing happened since kvtui started, keepalived's log is empty, and nothing was done on this node."
GOOD_RESULTS = frozenset({"done", "undone"})


def action_events(entries: Iterable[Entry]) -> list[Event]:
    events = []
    for entry in entries:
        reason = f" ({entry.reason})" if entry.reason else ""
        text = f"{entry.summary}: {result_text(entry)}, by {who_text(entry)}{reason}"
        severity = Severity.INFO if entry.result in GOOD_RESULTS else Severity.WARNING
        events.append(Event(entry.at, EventKind.ACTION, text, (entry.target,) if entry.target else (), severity))
    return events


def merged(*sources: Iterable[Event]) -> list[Event]:
    """Returns all events by time, oldest first. A log line without a time stays behind the line before it."""
    timed: list[tuple[float, Event]] = []
    for events in sources:
        at = 0.0
        for event in events:
            at = at if event.at is None else event.at
            timed.append((at, event))
    return [event for _at, event in sorted(timed, key=lambda pair: pair[0])]


def search_texts(event: Event) -> tuple[str, ...]:
    return (event.text, event.kind.value, *event.objects)


def event_text(event: Event) -> str:
    return event.text + (f" ({event.lines} lines)" if event.lines > 1 else "")


def event_cells(event: Event, now: float) -> tuple[Cell, ...]:
    more = f" +{len(event.objects) - 1}" if event.kind is EventKind.VIP and len(event.objects) > 1 else ""
    tone = Tone.DIM if event.kind is EventKind.LOG else Tone.NORMAL
    return (
        Cell(clock(event.at, now), Tone.DIM),
        Cell(event.kind.value, Tone.DIM),
        Cell(plain(event.objects[0].rpartition("/")[2], 80) + more if event.objects else ""),
        Cell(plain(event_text(event)), tone if event.severity is Severity.INFO else SEVERITY_TONES[event.severity]),
    )


def recent_lines(events: Iterable[Event], now: float, width: int, count: int) -> list[Line]:
    """Returns the last events in ``count`` lines, the newest first."""
    rows = [event_cells(event, now) for event in [*events][: -count - 1 : -1]]
    longest = max((len(about.text) for _at, _kind, about, _text in rows), default=0)
    lines = [(at, Cell(f"  {about.text:<{longest}}  ", about.tone), text) for at, _kind, about, text in rows]
    return [part for line in lines for part in wrapped(line, width, CLOCK_WIDTH + longest + 4)][:count]


def vrrp_lines(events: Iterable[Event], observation: Observation, width: int, count: int) -> list[Line]:
    """Returns the last events of VRRP, or why there are none."""
    snapshot = observation.snapshot
    if lines := recent_lines([e for e in events if e.kind is EventKind.VRRP], snapshot.time, width, count):
        return lines
    if snapshot.advertisers is None:
        return text_lines(f"Adverts are not heard: {snapshot.source(SourceName.ADVERTS).detail}")
    return text_lines("No change of VRRP since kvtui started.")


def clock(at: float | None, now: float) -> str:
    """Returns the time of day; on another day than ``now`` the date and the minute."""
    if at is None:
        return ""
    then, today = (datetime.fromtimestamp(t).astimezone() for t in (at, now))
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%m-%d %H:%M}"


def details(event: Event) -> str:
    when = "time unknown" if event.at is None else f"{datetime.fromtimestamp(event.at).astimezone():%c}"
    about = f"\nAbout: {', '.join(map(plain, event.objects))}" if event.objects else ""
    return f"{when}\n{plain(event_text(event))}{about}"


def title_text(kind: EventKind | None, tail: LogTail, hidden: int, *, following: bool) -> str:
    """Returns the line above the table: the kind, whether new events are followed, and the state of the log."""
    log = f"log: {tail.where.removeprefix('log of ')}" if tail.where else "no log"
    parts = [
        kind.value if kind else "all kinds",
        "following" if following else "not following: End follows again",
        log + (f" ({hidden} lines about dumps hidden)" if hidden else ""),
        tail.error if tail.lines else "",
    ]
    return " · ".join(plain(part) for part in parts if part)


def empty_text(tail: LogTail, events: Sequence[Event], search: str, kind: EventKind | None) -> str:
    if events:
        chosen = f'matches "{plain(search)}"' if search else f"is of kind {kind}" if kind else ""
        return f"No event {chosen}. Esc shows all."
    return plain(tail.error) or EMPTY


# --- who was master when

OTHER_TONES = (Tone.FOCUS, Tone.STRONG, Tone.WARN)
MAX_ROWS = 6
MAX_NAME = 16

Node = tuple[str, bool]  # address, and whether it is this node


def master_lines(
    masters: Masters, instances: Sequence[str], span: Span, now: float, width: int, glyphs: Glyphs
) -> list[Line]:
    """Returns a title that explains the marks, and a strip for each instance; nothing where no master changed."""
    begin = now - span.seconds
    changed = [name for name in instances if any(t.since >= begin for t in masters.of(name)[1:])][:MAX_ROWS]
    if not changed:
        return []
    lead = min(MAX_NAME, max(map(len, changed))) + 1
    columns = width - lead - 1
    strips = {name: strip(masters.of(name), begin, now, columns) for name in changed}
    seen = dict.fromkeys((t.address, t.is_self) for row in strips.values() for t in row if t)
    marks = _marks([(address, is_self) for address, is_self in seen if address is not None], glyphs)
    title: list[Cell] = [Cell(f"Master, last {span.label}  ", Tone.DIM)]
    for (address, is_self), mark in marks.items():
        title += [mark, Cell(f" {plain(address)}{' (this node)' if is_self else ''}  ")]
    nobody = Cell(glyphs.nobody, Tone.BAD)
    if any(address is None for address, _is_self in seen):
        title += [nobody, Cell(" nobody known")]
    lines: list[Line] = [tuple(title)]
    for name, row in strips.items():
        cells = (Cell(" ") if t is None else marks.get((t.address or "", t.is_self), nobody) for t in row)
        runs = (Cell(cell.text * len(list(same)), cell.tone) for cell, same in groupby(cells))
        lines.append((Cell(plain(name, MAX_NAME).ljust(lead)), *runs))
    return lines


def _marks(nodes: list[Node], glyphs: Glyphs) -> dict[Node, Cell]:
    """Returns a mark for each node; this node always has the first one."""
    marks = {node: Cell(glyphs.shades[0], Tone.GOOD) for node in nodes if node[1]}
    shades = zip(cycle(glyphs.shades[1:]), cycle(OTHER_TONES), strict=False)
    others = sorted(node for node in nodes if not node[1])
    return marks | {node: Cell(shade, tone) for node, (shade, tone) in zip(others, shades, strict=False)}
