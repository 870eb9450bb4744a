"""Priorities that kvtui wrote into a config and that something else, such as a controller, has overwritten.

keepalived-vip rewrites its file on every sync and sends SIGHUP only when the text differs from what it wrote last
(keepalived-vip.md section 3). So keepalived runs with kvtui's priority until the next SIGHUP or restart, which may be
weeks away.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.step_kinds import readable_steps
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.journal import Entry
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.snapshot import Snapshot

MIN_FILE_AGE = 0.3  # seconds; a younger file may be incomplete


class PriorityOverwrite(Struct, frozen=True):
    """A priority that is no longer in the file."""

    entry: str
    instance: str
    path: str
    wanted: int
    found: int | None
    runs: int | None  # the priority that keepalived runs with; None when unknown
    at: float | None  # when the file was last written (seconds since the epoch); None when unknown (an included file)
    by: str = ""  # the controller that owns the file, such as `kube-keepalived-vip (812)`; empty when there is none

    @property
    def pending(self) -> bool:
        """Whether keepalived still runs with it, as far as known."""
        return self.runs in (None, self.wanted)

    @property
    def sentence(self) -> str:
        who = f"the controller {self.by}" if self.by else "something else"
        when = "" if self.at is None else f" at {datetime.fromtimestamp(self.at).astimezone():%H:%M:%S %Z}"
        now = f"priority {self.found}" if self.found is not None else f"no {self.instance}"
        wanted = f"not {self.wanted} of {self.entry} for {self.instance}"
        text = f"{who} overwrote {self.path}{when}: it has {now}, {wanted}; keepalived"
        until = "until the next SIGHUP or restart"
        if self.runs is None:
            return f"{text} runs with {self.wanted} {until} (unknown whether there was one)"
        if self.pending:
            return f"{text} runs with priority {self.wanted} {until}"
        return f"{text} was reloaded or restarted since and runs with {self.runs}"


def written(entries: Iterable[Entry]) -> dict[str, ReplaceFile]:
    """Returns the newest write in force for each instance of each keepalived, by the id of its journal entry."""
    found: dict[tuple[str, int | None, str], tuple[str, ReplaceFile]] = {}
    for entry in entries:
        if not entry.in_force or entry.other:
            continue
        made = next((s for s in readable_steps(entry.steps, ReplaceFile.kind) if isinstance(s, ReplaceFile)), None)
        if made is not None:
            found[made.daemon.conf, made.daemon.netns, made.instance] = (entry.id, made)
        elif any(s.get("kind") in (ReplaceFile.kind, ReloadStep.kind) for s in entry.steps):
            # the file already had the value, so that it only reloaded: no earlier one is expected now
            found = {key: value for key, value in found.items() if key[2] != entry.target}
    return dict(found.values())


def overwrites(
    writes: Mapping[str, ReplaceFile],
    keepalived: Keepalived,
    conf: Conf | None,
    runs: Mapping[str, int | None],
    now: float,
) -> tuple[PriorityOverwrite, ...]:
    """Returns the writes that are no longer in keepalived's file; ``runs``: the priorities that it runs with."""
    if conf is None or (conf.modified is not None and 0 <= now - conf.modified < MIN_FILE_AGE):
        return ()
    there = {i.name: i.priority for i in conf.instances}
    controller = keepalived.controller
    by = f"{controller.name} ({controller.pid})" if controller else ""
    found = []
    for entry, step in writes.items():
        name, path, wanted = step.instance, step.path, step.priority[1]
        same_netns = None in (step.daemon.netns, keepalived.netns) or step.daemon.netns == keepalived.netns
        if same_netns and step.daemon.conf == keepalived.conf and there.get(name) != wanted:
            at = conf.modified if path == conf.path else None
            found.append(PriorityOverwrite(entry, name, path, wanted, there.get(name), runs.get(name), at, by))
    return tuple(found)


def seen_overwrites(entries: Iterable[Entry], snapshot: Snapshot) -> tuple[PriorityOverwrite, ...]:
    keepalived = snapshot.chosen_keepalived
    if keepalived is None:
        return ()
    runs = {i.name: i.base_priority for i in snapshot.instances or ()}
    runs |= {i.name: i.priority for i in (snapshot.running.instances if snapshot.running else ())}
    return overwrites(written(entries), keepalived, snapshot.conf, runs, snapshot.time)


def found_overwrites(entries: Iterable[Entry], now: float, backend: ActionBackend) -> tuple[PriorityOverwrite, ...]:
    """Finds them without a snapshot: reads only what the journal names. Blocking."""
    from kvtui.actions.core.step import StepError  # noqa: PLC0415
    from kvtui.backend.conf import reader  # noqa: PLC0415

    found: list[PriorityOverwrite] = []
    for entry, step in written(entries).items():
        try:
            keepalived = step.daemon.found()
            conf = reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.config_id, now=now)
        except (StepError, OSError):
            continue  # it is gone, or cannot be read
        running = backend.running_conf(keepalived)
        runs = {i.name: i.priority for i in (running.instances if running else ())}
        found += overwrites({entry: step}, keepalived, conf, runs, now)
    return tuple(found)
