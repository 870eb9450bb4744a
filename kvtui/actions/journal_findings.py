"""Findings from the journal and the node together, shown with those of triage.

Nothing of the actions is imported where there is no journal: the first frame does without.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from kvtui.actions.core.state_folder import JOURNAL, folder
from kvtui.model.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.priority.overwritten import PriorityOverwrite
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.log import LogTail
    from kvtui.model.snapshot import Snapshot

OVERWRITTEN = "priority-overwritten"


class JournalFindings:
    """The findings of one journal; it is read again only when it was written."""

    def __init__(self, path: Path | None = None) -> None:
        self._folder = path or folder()
        self._file = self._folder / JOURNAL
        self._read_at: tuple[int, int, int] | None = None
        self._entries: tuple[Entry, ...] = ()
        self._log: tuple[Hashable, LogTail] | None = None

    def __call__(self, snapshot: Snapshot) -> tuple[Finding, ...]:
        """Returns none where there is no journal, or no right to read it."""
        entries = self._known()
        return tuple(self._findings(entries, snapshot)) if entries else ()

    def _findings(self, entries: tuple[Entry, ...], snapshot: Snapshot) -> Iterator[Finding]:
        from kvtui.actions.priority.overwritten import seen_overwrites  # noqa: PLC0415 - only where there is a journal
        from kvtui.actions.undone import UNCLEAR, undone, with_log  # noqa: PLC0415 - as above

        for overwrite in seen_overwrites(entries, snapshot):
            if overwrite.pending:
                yield _overwritten(overwrite, snapshot)
        found = undone(entries, snapshot)
        unclear = tuple(lost.entry.id for lost in found if lost.cause == UNCLEAR)
        keepalived = snapshot.chosen_keepalived
        for lost in found:
            if keepalived and lost.entry.id in unclear:
                yield with_log(lost, self._tail(keepalived, unclear)).finding
            else:
                yield lost.finding

    def _tail(self, keepalived: Keepalived, entries: Hashable) -> LogTail:
        """Reads keepalived's log once for the entries whose cause it may name."""
        from kvtui.backend.keepalived.log import LogReader  # noqa: PLC0415 - only where something was undone

        key = (keepalived.pid, keepalived.start_ticks, entries)
        if self._log is None or self._log[0] != key:
            self._log = (key, LogReader(keepalived).read())
        return self._log[1]

    def _known(self) -> tuple[Entry, ...]:
        try:
            stat = self._file.stat()
        except OSError:
            return ()
        now = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if now != self._read_at:
            from kvtui.actions.core.journal import Journal, JournalError  # noqa: PLC0415 - only where there is one

            self._entries = ()
            with contextlib.suppress(JournalError):  # `kvtui journal` says why; a status needs no right to read it
                self._entries = Journal(self._folder).entries()
            self._read_at = now
        return self._entries


def _overwritten(found: PriorityOverwrite, snapshot: Snapshot) -> Finding:
    """A controller or a person overwrote a priority that kvtui wrote (kvtui's own reading: journal and config)."""
    who = found.by or "something else"
    conf = snapshot.effective_conf
    block = conf.instance(found.instance) if conf else None
    return Finding(
        OVERWRITTEN,
        Severity.WARNING,
        f"{who} has overwritten priority {found.wanted} of {found.instance}, which kvtui wrote",
        (found.sentence, f"journal entry {found.entry}"),
        f"kvtui priority {found.instance} {found.wanted}  # writes it again; kvtui reload applies the file",
        found.instance,
        tuple(v.address for v in block.vips) if block else (),
    )
