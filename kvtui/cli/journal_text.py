"""The journal as text and for ``-o json``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kvtui.cli.tables import Row, table
from kvtui.model.text import plain
from kvtui.presenters.journal import who_text

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.actions.core.journal import Entry
    from kvtui.actions.priority.overwritten import PriorityOverwrite
    from kvtui.presenters.documents import Document


def journal_text(entries: tuple[Entry, ...], empty: Path | None = None) -> str:
    """Returns a table, newest entry last; ``empty`` is the folder without a journal, which shows a mistyped one."""
    if not entries:
        where = f": {plain(str(empty))} has no journal" if empty else ""
        return f"No actions yet{where}.\n"
    rows: list[Row] = [(e.id, _utc(e.at), who_text(e), e.summary, _result(e), e.reason) for e in entries]
    return table(("ID", "TIME (UTC)", "WHO", "WHAT", "RESULT", "REASON"), rows)


def journal_document(entries: tuple[Entry, ...], lost: tuple[PriorityOverwrite, ...] = ()) -> list[Document]:
    """Returns the journal for ``-o json``; ``overwritten`` says what replaced a priority in the file."""
    overwritten = {o.entry: o.sentence for o in lost}
    return [
        {
            "id": e.id,
            "at": datetime.fromtimestamp(e.at, UTC).isoformat(timespec="milliseconds"),
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


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _result(entry: Entry) -> str:
    if entry.result is None:
        return f"INTERRUPTED ({len(entry.done)} of {len(entry.steps)} steps)"
    return f"{entry.result}: {entry.detail}" if entry.detail else entry.result
