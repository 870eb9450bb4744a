"""Screen 7: what was done on this node, by whom, why, and how it ended; below it what keepalived logged."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work

from kvtui.actions.by_hand import word
from kvtui.actions.intent import Intent
from kvtui.actions.overwritten import seen_overwrites
from kvtui.actions.plan import Verb
from kvtui.model.log import LogTail
from kvtui.model.text import plain
from kvtui.presenters.cells import Cell, Tone
from kvtui.presenters.keys import JOURNAL
from kvtui.screens.facts import fact_lines
from kvtui.screens.log_view import LogLinePanel, LogView
from kvtui.screens.node_screen import NodeScreen
from kvtui.screens.panel import Panel
from kvtui.screens.plan_panel import ActingHost, PlanPanel
from kvtui.widgets.bindings import bindings
from kvtui.widgets.columns import Column
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.binding import BindingType
    from textual.widget import Widget

    from kvtui.actions.journal import Entry
    from kvtui.actions.overwritten import Overwrite
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host

COLUMNS = (
    Column("id", "ID", 14, 0),
    Column("at", "TIME", 14, 3),
    Column("who", "WHO", 8, 2, most=30),
    Column("result", "RESULT", 12, 0),
    Column("what", "WHAT", 26, 1, most=90),
    Column("reason", "REASON", 12, 4, most=60),
)
TONES = {"done": Tone.GOOD, "undone": Tone.DIM, "put back": Tone.WARN, "unverified": Tone.WARN, "failed": Tone.BAD}
NOTHING = "Nothing was done on this node yet. d drains, r reloads, p f change masters."
EVERY = 3.0
"""Seconds between two looks at the journal's file."""
LOG_EVERY = 1.0
"""Seconds between two looks at keepalived's log."""


class JournalScreen(NodeScreen):
    """The journal."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(JOURNAL)
    sorts: ClassVar = (("", "newest"), ("who", "who"), ("result", "result"))

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._entries: dict[str, Entry] = {}
        self._overwritten: dict[str, Overwrite] = {}
        self._error = ""
        self._tail = LogTail()
        self._reading_log = False

    def make_table(self) -> LineTable:
        """One row an action, the newest first."""
        return LineTable(COLUMNS, "Reading the journal …", id="journal")

    def extra_widgets(self) -> tuple[Widget, ...]:
        """Keepalived's log."""
        return (LogView(),)

    def hints(self) -> tuple[tuple[str, str], ...]:
        """What the key line says: what can be done here first."""
        own = (("u", "undo"), ("c", "complete"), ("Tab", "log"))
        return (*own, *(hint for hint in super().hints() if hint[0] not in {"7", "d", "p", "f"}))

    def on_mount(self) -> None:
        """Look at the file now and then, and at the log."""
        self.set_interval(EVERY, self._look)
        self.set_interval(LOG_EVERY, self._look_at_log)
        self._look()
        self._look_at_log()

    def _look(self) -> None:
        if self.is_current:
            self._read()

    def _look_at_log(self) -> None:
        if self.is_current and not self.host.paused and not self._reading_log:
            self._reading_log = True
            self._read_log()

    @work(group="log")
    async def _read_log(self) -> None:
        try:
            self._tail = await self.host.keepalived_log()
        finally:
            self._reading_log = False
        self.redraw()

    def on_screen_resume(self) -> None:
        """Come back with what is written now."""
        super().on_screen_resume()
        self._read()
        self._look_at_log()

    @work(exclusive=True)
    async def _read(self) -> None:
        try:
            found = await asyncio.to_thread(cast("ActingHost", self.app).site.journal.entries)
            self._error = ""
        except OSError as error:
            found, self._error = (
                (),
                f"The journal cannot be read: {error}. Run kvtui as root, or set KVTUI_STATE_DIR.",
            )
        self._entries = {e.id: e for e in reversed(found)}
        self.redraw()

    def draw(self, seen: Observation) -> None:
        """The actions that pass the filter."""
        self._overwritten = {o.entry: o for o in seen_overwrites(reversed(self._entries.values()), seen.snapshot)}
        entries = self._entries
        self.table.empty = self._error or (
            f'No entry matches "{self.filter}". Esc shows all.' if self.filter and entries else NOTHING
        )
        keys: list[Hashable] = [
            k for k, e in entries.items() if self.matches(k, e.summary, e.reason, e.result, *e.who.values())
        ]
        order = {"who": lambda k: who(entries[k]), "result": lambda k: entries[k].result or ""}
        lost = self._overwritten
        self.table.show_rows(
            self.sorted_rows(keys, order), lambda k: cells(entries[str(k)], lost.get(str(k))), changes=False
        )
        view = self.query_one(LogView)
        view.table.find(self.filter)
        view.show(self._tail, self.matches, seen.snapshot.time, dumps=bool(self.filter))

    def action_other(self) -> None:
        """From the journal to the log, and back."""
        log = self.query_one(LogView).table
        (self.table if log.has_focus else log).focus()

    def equivalent_command(self, seen: Observation) -> str | None:
        """What takes the action back."""
        del seen
        return f"kvtui undo {word(self.table.selected)}" if isinstance(self.table.selected, str) else None

    def action_undo(self) -> None:
        """Plan to take the selected action back."""
        self._plan(finish=False)

    def action_finish(self) -> None:
        """Plan to complete the selected action."""
        self._plan(finish=True)

    def _plan(self, *, finish: bool) -> None:
        if isinstance(self.table.selected, str):
            self.app.push_screen(PlanPanel(Intent(Verb.UNDO, self.table.selected, finish=finish)))
        else:
            self.notify("There is no action under the cursor.", markup=False)

    @on(LineTable.Chosen, "#log")
    def _whole_line(self, event: LineTable.Chosen) -> None:
        line = self.query_one(LogView).line(event.key)
        if line is not None:
            self.app.push_screen(LogLinePanel(self.host, line))

    @on(LineTable.Chosen, "#journal")
    def _detail(self, event: LineTable.Chosen) -> None:
        entry = self._entries.get(str(event.key))
        if entry is not None:
            self.app.push_screen(EntryPanel(self.host, entry, self._overwritten.get(entry.id)))


class EntryPanel(Panel):
    """One entry, whole.

    Args:
        entry: of the journal.
        overwrite: what became of its priority, when a controller wrote the file again.
    """

    def __init__(self, host: Host, entry: Entry, overwrite: Overwrite | None = None) -> None:
        super().__init__(host)
        self._entry = entry
        self._overwrite = overwrite
        self.heading = f"Journal {plain(entry.id)}"

    def text(self, seen: Observation | None) -> str:
        """Every line of it."""
        del seen
        return entry_text(self._entry, self._overwrite)


def entry_text(entry: Entry, overwrite: Overwrite | None = None) -> str:
    """One entry in words: what, by whom, why, with what result and what was seen."""
    at = datetime.fromtimestamp(entry.at).astimezone()
    lines = [
        plain(entry.summary),
        f"{at:%Y-%m-%d %H:%M:%S}  by {plain(who(entry))}"
        + (f"  because: {plain(entry.reason)}" if entry.reason else ""),
        f"Result: {result(entry)}",
    ]
    if entry.detail:
        lines.append(plain(entry.detail))
    if overwrite:
        lines.append(f"Since then {plain(overwrite.sentence)}.")
    if entry.result is None:
        lines.append("It was cut short. u puts it back, c completes it.")
    return "\n".join([*lines, *fact_lines(entry.facts)])


def who(entry: Entry) -> str:
    """The person, and where they came from."""
    return " ".join(v for k, v in entry.who.items() if k in {"user", "ssh_client", "pod"})


def result(entry: Entry) -> str:
    """How it ended, in a word or two."""
    return entry.result or f"CUT SHORT {len(entry.done)}/{len(entry.steps)}"


def cells(entry: Entry, overwrite: Overwrite | None = None) -> tuple[Cell, ...]:
    """An entry's row; one whose priority was overwritten says so instead of how it once ended."""
    at = datetime.fromtimestamp(entry.at).astimezone()
    return (
        Cell(plain(entry.id)),
        Cell(f"{at:%m-%d %H:%M:%S}"),
        Cell(plain(who(entry))),
        Cell("OVERWRITTEN", Tone.WARN)
        if overwrite
        else Cell(plain(result(entry)), TONES.get(entry.result or "", Tone.BAD)),
        Cell(plain(entry.summary), Tone.STRONG),
        Cell(plain(entry.reason)),
    )
