"""Drains, priorities and failovers of the journal whose effect is gone, although nobody undid them by kvtui.

An operator does them again, or closes them (``kvtui undrain``, ``kvtui undo ID --leave``).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.intent import Intent
from kvtui.actions.core.plan import ActionKind
from kvtui.actions.core.step_kinds import readable_steps
from kvtui.actions.drain.active_drains import active_drains, drain_again, lost_in
from kvtui.actions.priority.overwritten import seen_overwrites
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.model.finding import Finding, Severity
from kvtui.model.ipvs import endpoint, service_name
from kvtui.model.text import plain, shell_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.drain.active_drains import LostDrain
    from kvtui.model.log import LogTail
    from kvtui.model.snapshot import Snapshot

UNCLEAR = (
    "keepalived was not restarted: the health check failed and passed again, or the weight was set by something else"
)
CHECK_PASSED = re.compile(r"success|Adding service|succeeded|is now up|passed", re.IGNORECASE)


def with_log(lost: Undone, tail: LogTail) -> Undone:
    """Names the line of keepalived's log that says that the server's check passed again after the drain."""
    address, _, port = lost.intent.target.rpartition(":")
    wanted = f"[{address.strip('[]')}]"
    for line in reversed(tail.lines):
        if line.at is None or line.at <= lost.entry.at:
            continue
        if wanted in line.text and f":{port}" in line.text and CHECK_PASSED.search(line.text):
            cause = f"its health check passed again: keepalived logged {_clock(line.at)}: {plain(line.text, 200)}"
            return replace(lost, cause=cause)
    return lost


class Undone(Struct, frozen=True):
    """An effect that is gone; ``intent`` does it again, ``found`` describes the present state in a clause."""

    entry: Entry
    intent: Intent
    what: str
    object: str
    found: str
    cause: str
    vips: tuple[str, ...] = ()

    @property
    def again(self) -> str:
        words = ["kvtui", self.intent.kind.value, self.intent.target]
        words += [str(self.intent.value)] if self.intent.kind is ActionKind.PRIORITY else []
        words += ["--service", self.intent.service] if self.intent.service else []
        return shell_command(words)

    @property
    def finding(self) -> Finding:
        at = datetime.fromtimestamp(self.entry.at).astimezone()
        who = self.entry.who.get("user", "an unknown user")
        reason = f" ({self.entry.reason})" if self.entry.reason else ""
        return Finding(
            id=f"{self.intent.kind.value}-undone",
            severity=Severity.WARNING,
            title=f"the {self.what} of {who} was undone: {self.found}",
            evidence=(
                f"{who} did it at {at:%Y-%m-%d %H:%M:%S}{reason} (journal entry {self.entry.id})",
                f"now: {self.found}",
                self.cause,
            ),
            remedy=f"{self.again}  # does it again; kvtui undo {self.entry.id} --leave closes it",
            object=self.object,
            vips=self.vips,
        )


def undone(entries: Sequence[Entry], snapshot: Snapshot) -> tuple[Undone, ...]:
    """Returns the effects that are gone; ``entries`` are oldest first."""
    known = {e.id: e for e in entries}
    return (*_drains(known, entries, snapshot), *_priorities(known, entries, snapshot), *_tracks(entries, snapshot))


def _drains(known: dict[str, Entry], entries: Sequence[Entry], snapshot: Snapshot) -> Iterator[Undone]:
    for lost in lost_in(snapshot, active_drains(entries)):
        drain = lost.drain
        yield Undone(
            known[drain.entry],
            drain_again(drain),
            f"drain of {drain.name}",
            f"{service_name(drain.service)} -> {endpoint(*drain.real)}",
            f"it has weight {lost.weight} in the kernel and takes connections",
            _cause(lost, snapshot),
            (drain.service[1],) if drain.service[1] else (),
        )


def _cause(lost: LostDrain, snapshot: Snapshot) -> str:
    keepalived, conf = snapshot.chosen_keepalived, snapshot.effective_conf
    if keepalived is not None and keepalived.started > lost.drain.at:
        return f"keepalived {keepalived.pid} was started {_clock(keepalived.started)}, after the drain"
    server = conf.virtual_servers_by_key().get(lost.drain.service) if conf else None
    real = server.regular_servers().get(lost.drain.real) if server else None
    if real is not None and lost.drain.weight != real.initial_weight == lost.weight:
        before = lost.drain.weight
        return f"the config has weight {lost.weight}, before the drain it had {before}: a reload or a check set it"
    if real is not None and lost.weight != real.initial_weight:
        return (
            f"something else set weight {lost.weight} (ipvsadm, or a controller): the config has {real.initial_weight}"
        )
    return UNCLEAR


def _clock(at: float) -> str:
    return f"at {datetime.fromtimestamp(at).astimezone():%H:%M:%S}"


def _priorities(known: dict[str, Entry], entries: Sequence[Entry], snapshot: Snapshot) -> Iterator[Undone]:
    """Yields those that do not run any more; one that still runs is ``priority-overwritten``."""
    for lost in seen_overwrites(entries, snapshot):
        if not lost.pending:
            found = f"{lost.instance} runs with priority {lost.runs}, not {lost.wanted}"
            yield _of_instance(known[lost.entry], lost.instance, lost.wanted, found, lost.sentence, snapshot)


def _tracks(entries: Sequence[Entry], snapshot: Snapshot) -> Iterator[Undone]:
    """Yields track files that have another number than the newest action wrote."""
    values = {t.path: (i, t) for i in snapshot.instances or () for t in i.track_files if t.path}
    keepalived = snapshot.chosen_keepalived
    newest: dict[str, tuple[Entry, SetTrackValue]] = {}
    for entry in entries:
        if entry.in_force and not entry.other and keepalived is not None:
            steps = [s for s in readable_steps(entry.steps, SetTrackValue.kind) if isinstance(s, SetTrackValue)]
            for step in steps:
                if step.daemon.conf == keepalived.conf and step.daemon.netns in {None, keepalived.netns}:
                    newest[step.path] = (entry, step)
    for path, (entry, step) in newest.items():
        instance, file = values.get(path, (None, None))
        if instance and file and file.status is not None and file.status != step.after:
            wanted = (instance.effective_priority or 0) + (step.after - file.status) * (file.weight or 1)
            found = f"track file {path} has {file.status}, not {step.after}"
            yield _of_instance(entry, instance.name, wanted, found, "something else wrote the file", snapshot)


def _of_instance(entry: Entry, instance: str, wanted: int, found: str, cause: str, snapshot: Snapshot) -> Undone:
    kind = ActionKind.FAILOVER if entry.verb == ActionKind.FAILOVER else ActionKind.PRIORITY
    conf = snapshot.effective_conf
    block = conf.instance(instance) if conf else None
    return Undone(
        entry,
        Intent(kind, instance, wanted if kind is ActionKind.PRIORITY else 0),
        f"{kind.value} of {instance}",
        instance,
        found,
        cause,
        tuple(v.address for v in block.all_vips) if block else (),
    )
