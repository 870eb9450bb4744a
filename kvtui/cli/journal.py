"""``kvtui journal``, as text or JSON."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kvtui.actions.backends import backend_for
from kvtui.actions.core.journal import passed_over_note
from kvtui.actions.priority.overwritten import found_overwrites
from kvtui.cli.look import Row, table
from kvtui.cli.output import EXIT_FAILED, encode, fail, info, write
from kvtui.model.text import plain
from kvtui.presenters.journal import who_text

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.priority.overwritten import PriorityOverwrite
    from kvtui.cli.invocation import Invocation
    from kvtui.presenters.documents import Document


def show_journal(invocation: Invocation) -> None:
    if invocation.demo:
        info("the demo keeps its journal in memory until kvtui ends; in the terminal UI see screen 8")
    try:
        backend = backend_for(invocation.source())
        journal = backend.journal
        entries, unfinished = journal.entries(), journal.unfinished()
    except OSError as error:
        fail(f"cannot read the journal: {error}", EXIT_FAILED)
    lost = () if invocation.demo else found_overwrites(entries, time.time(), backend)
    if invocation.form.is_text:
        nowhere = not invocation.demo and not journal.file.exists()
        write(_text(entries, journal.folder if nowhere else None))
        if note := passed_over_note(journal):
            info(plain(note))
        for overwrite in lost:
            info(plain(overwrite.sentence))
        for entry in unfinished:
            info(
                f'{entry.id} "{plain(entry.summary)}" was interrupted. kvtui undo {entry.id} puts it back, with '
                f"--finish it finishes it, with --leave it changes nothing and closes the entry"
            )
    else:
        write(encode({"journal": _document(entries, lost)}, invocation.form))


def _text(entries: tuple[Entry, ...], empty: Path | None) -> str:
    """Returns a table, newest entry last; ``empty`` is the folder without a journal, which may be mistyped."""
    if not entries:
        where = f": {plain(str(empty))} has no journal" if empty else ""
        return f"No actions yet{where}.\n"
    rows: list[Row] = [
        (e.id, _time(e).strftime("%Y-%m-%d %H:%M:%S"), who_text(e), e.summary, _result(e), e.reason) for e in entries
    ]
    return table(("ID", "TIME (UTC)", "WHO", "WHAT", "RESULT", "REASON"), rows)


def _document(entries: tuple[Entry, ...], lost: tuple[PriorityOverwrite, ...]) -> list[Document]:
    overwritten = {o.entry: o.sentence for o in lost}
    return [
        {
            "id": e.id,
            "at": _time(e).isoformat(timespec="milliseconds"),
            "verb": e.verb,
            "target": e.target,
            "who": dict(e.who),
            "reason": e.reason,
            "summary": e.summary,
            "result": e.result,
            "detail": e.detail,
            "undoes": e.undoes,
            "steps": len(e.steps),
            "steps_done": len(e.done),
            "overwritten": overwritten.get(e.id),
            "facts": json.loads(json.dumps(dict(e.facts), default=str)),
        }
        for e in entries
    ]


def _time(entry: Entry) -> datetime:
    return datetime.fromtimestamp(entry.at, UTC)


def _result(entry: Entry) -> str:
    if entry.result is None:
        return f"INTERRUPTED ({len(entry.done)} of {len(entry.steps)} steps)"
    return f"{entry.result}: {entry.detail}" if entry.detail else entry.result
