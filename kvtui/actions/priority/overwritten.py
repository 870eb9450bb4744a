"""Priorities that kvtui wrote into a config and that something else, such as a controller, has overwritten.

keepalived-vip rewrites its file on every sync and sends SIGHUP only when the text differs from what it wrote last
(keepalived-vip.md section 3). So a priority of kvtui's vanishes from the file without anything else happening: what
runs keeps it until the next SIGHUP or restart, which may be weeks away.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.journal import Entry
    from kvtui.actions.core.step import Json
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.snapshot import Snapshot

WHOLE = 0.3
"""Seconds: a file that was written so recently may be half there; the next look tells."""


class PriorityOverwrite(Struct, frozen=True):
    """One priority that is not in the file any more.

    Attributes:
        runs: the priority that keepalived runs with; None when unknown.
        at: when the file was written last (seconds since the epoch); None when that is not known (an included file).
        by: the controller that owns the file, such as ``kube-keepalived-vip (812)``; empty when there is none.
    """

    entry: str
    instance: str
    path: str
    wanted: int
    found: int | None
    runs: int | None
    at: float | None
    by: str = ""

    @property
    def pending(self) -> bool:
        """Whether it still runs, as far as known: the next SIGHUP or restart removes it."""
        return self.runs in (None, self.wanted)

    @property
    def sentence(self) -> str:
        who = f"the controller {self.by}" if self.by else "something else"
        when = "" if self.at is None else f" at {datetime.fromtimestamp(self.at).astimezone():%H:%M:%S %Z}"
        now = f"priority {self.found}" if self.found is not None else f"no {self.instance}"
        wanted = f"not {self.wanted} of {self.entry} for {self.instance}"
        text = f"{who} overwrote {self.path}{when}: it has {now}, {wanted}"
        if self.runs is None:
            until = "until the next SIGHUP or restart (unknown whether there was one)"
            return f"{text}; keepalived runs with {self.wanted} {until}"
        if self.pending:
            return f"{text}; keepalived runs with priority {self.wanted} until the next SIGHUP or restart"
        return f"{text}; keepalived was reloaded or restarted since and runs with {self.runs}"


class WrittenPriority(Struct, frozen=True):
    """What the newest action that is in force wrote for one instance of one keepalived."""

    entry: str
    step: ReplaceFile


def written(entries: Iterable[Entry]) -> tuple[WrittenPriority, ...]:
    """Returns the priorities that files should have by the journal: per instance the newest that is in force."""
    found: dict[tuple[str, int | None, str], WrittenPriority | None] = {}
    for entry in entries:
        if not entry.in_force or entry.other:
            continue
        steps = [s for s in entry.steps if s.get("kind") in (ReplaceFile.kind, ReloadStep.kind)]
        made = next((step for s in steps if (step := _file_step(s))), None)
        if made is not None:
            found[made.daemon.conf, made.daemon.netns, made.instance] = WrittenPriority(entry.id, made)
        elif steps:  # it found its value in the file already, and only reloaded: nothing of before is expected now
            for key in [k for k in found if k[2] == entry.target]:
                found[key] = None
    return tuple(w for w in found.values() if w)


def _file_step(data: Json) -> ReplaceFile | None:
    if data.get("kind") != ReplaceFile.kind:
        return None
    try:
        return ReplaceFile.from_json(data)
    except (KeyError, ValueError, TypeError, IndexError):
        return None


def overwrites(
    written_priority: Iterable[WrittenPriority],
    keepalived: Keepalived,
    conf: Conf | None,
    runs: Mapping[str, int | None],
    now: float,
) -> tuple[PriorityOverwrite, ...]:
    """What is not in keepalived's file any more."""
    if conf is None or (conf.modified is not None and 0 <= now - conf.modified < WHOLE):
        return ()
    there = {i.name: i.priority for i in conf.instances}
    controller = keepalived.controller
    by = f"{controller.name} ({controller.pid})" if controller else ""
    return tuple(
        PriorityOverwrite(
            w.entry,
            w.step.instance,
            w.step.path,
            w.step.priority[1],
            there.get(w.step.instance),
            runs.get(w.step.instance),
            conf.modified if w.step.path == conf.path else None,
            by,
        )
        for w in written_priority
        if _same(w, keepalived) and there.get(w.step.instance) != w.step.priority[1]
    )


def _same(written_priority: WrittenPriority, keepalived: Keepalived) -> bool:
    daemon = written_priority.step.daemon
    if daemon.netns is not None and keepalived.netns is not None and daemon.netns != keepalived.netns:
        return False
    return daemon.conf == keepalived.conf


def seen_overwrites(entries: Iterable[Entry], snapshot: Snapshot) -> tuple[PriorityOverwrite, ...]:
    """The same from a snapshot."""
    keepalived = snapshot.chosen_keepalived
    if keepalived is None:
        return ()
    runs = {i.name: i.base_priority for i in snapshot.instances or ()}
    runs |= {i.name: i.priority for i in (snapshot.running.instances if snapshot.running else ())}
    return overwrites(written(entries), keepalived, snapshot.conf, runs, snapshot.time)


def found_overwrites(entries: Iterable[Entry], now: float, backend: ActionBackend) -> tuple[PriorityOverwrite, ...]:
    """The same for the commands that make no snapshot: only what the journal names is read. Blocking."""
    from kvtui.actions.core.step import StepError  # noqa: PLC0415
    from kvtui.backend.conf import reader  # noqa: PLC0415

    found: list[PriorityOverwrite] = []
    for written_priority in written(entries):
        try:
            keepalived = written_priority.step.daemon.found()
            conf = reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.instance_name, now=now)
        except (StepError, OSError):
            continue  # it is gone, or cannot be read
        running = backend.running_conf(keepalived)
        runs = {i.name: i.priority for i in (running.instances if running else ())}
        found += overwrites((written_priority,), keepalived, conf, runs, now)
    return tuple(found)
