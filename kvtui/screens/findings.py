"""Screen 5: what is wrong here, worst first; the one under the cursor with its evidence and the command that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.widgets import Static

from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.rules.triage.missing_sources import missing_sources
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.panel import Panel, hanging
from kvtui.screens.trace_panel import Target
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation

COLUMNS = (
    Column("finding", "SEVERITY FINDING", 80, 0, most=120),
    Column("object", "OBJECT", 16, 2, most=40),
    Column("id", "RULE", 12, 3, most=32),
)
TONES = {Severity.CRITICAL: Tone.BAD, Severity.WARNING: Tone.WARN, Severity.INFO: Tone.NORMAL}
PANE = 10
"""Lines of the finding under the cursor."""
LEAST = 17
"""Lines of a terminal that has room for it beside a few rows."""
NOTHING = (
    "Nothing is found to be wrong.\n\nWhat an election or a reload brings about in passing is told after some seconds "
    "only. The sources ({key}) say what could not be read."
)
NOT_ALL = "Nothing is found to be wrong in what can be read, but {names} cannot be: the sources ({key}) say why."


class FindingsScreen(NodeScreen):
    """Findings."""

    DEFAULT_CSS = """
    FindingsScreen {
        & #finding { height: 10; border-top: solid $panel; padding: 0 1; text-wrap: nowrap; display: none; }
        & #finding.known { display: block; }
    }
    """
    sorts: ClassVar = (("", "worst first"), ("object", "object"), ("id", "rule"))

    def __init__(self) -> None:
        super().__init__()
        self._said = ""

    def make_table(self) -> LineTable:
        """One row a finding."""
        return LineTable(COLUMNS, "Looking …", id="findings")

    def extra(self) -> tuple[Widget, ...]:
        """The finding under the cursor."""
        return (Static("", id="finding", markup=False),)

    def hints(self) -> tuple[tuple[str, str], ...]:
        """Copying comes before the actions."""
        usual = super().hints()
        place = [key for key, _word in usual].index("Enter")
        return (*usual[:place], ("y", "copy"), *usual[place:])

    def draw(self, seen: Observation) -> None:
        """The findings that pass the filter."""
        found: dict[Hashable, Finding] = {key(f): f for f in seen.findings or ()}
        self.table.empty = self._why_empty(seen)
        keys = [k for k, f in found.items() if self.matches(f.id, f.title, f.object, f.severity.value, *f.vips)]
        order = {"object": lambda k: natural(found[k].object), "id": lambda k: found[k].id}
        self.table.show_rows(
            self.ordered(keys, order), lambda k: cells(found[k]), changes=not self.host.paused, at=seen.snapshot.time
        )
        self._explain(seen)

    def _why_empty(self, seen: Observation) -> str:
        if seen.findings is None:
            return "Triage did not look yet."
        if seen.findings and self.filter:
            return f"No finding matches «{self.filter}». Esc shows all."
        key, missing = self.host.keymap.hint("i", ""), missing_sources(seen)
        said = NOT_ALL if missing else NOTHING
        return said.format(key=key, names=", ".join(source.name.value for source in missing))

    @on(LineTable.Moved)
    def _other(self) -> None:
        if self.host.latest is not None:
            self._explain(self.host.latest)

    def _explain(self, seen: Observation) -> None:
        finding = self._selected(seen)
        pane = self.query_one("#finding", Static)
        pane.set_class(finding is not None and self.size.height >= LEAST, "known")
        text = "" if finding is None else pane_text(finding, self.size.width - 2, PANE - 1)
        if text != self._said:
            self._said = text
            pane.update(text)

    def _selected(self, seen: Observation) -> Finding | None:
        chosen = self.table.selected
        return next((f for f in seen.findings or () if key(f) == chosen), None)

    def by_hand(self, seen: Observation) -> str | None:
        """The command that helps, without the remark after it."""
        finding = self._selected(seen)
        return finding.command if finding else None

    def traced(self) -> tuple[Target, ...]:
        """The VIPs that the finding under the cursor touches."""
        finding = self._selected(self.host.latest) if self.host.latest else None
        return tuple(Target(vip) for vip in finding.vips) if finding else ()

    @on(LineTable.Chosen, "#findings")
    def _detail(self, event: LineTable.Chosen) -> None:
        if isinstance(event.key, tuple):
            self.app.push_screen(FindingPanel(*event.key))


class FindingPanel(Panel):
    """One finding, whole.

    Args:
        rule: its id.
        target: its object.
    """

    def __init__(self, rule: str, target: str) -> None:
        super().__init__()
        self._key = (rule, target)
        self.heading = f"Finding {rule}"

    def text(self, seen: Observation | None) -> str:
        """What, since when it is known, what helps."""
        finding = next((f for f in (seen.findings or () if seen else ()) if key(f) == self._key), None)
        if finding is None:
            return "This does not hold any more."
        return whole_text(finding)


def key(finding: Finding) -> tuple[str, str]:
    """What names a finding."""
    return (finding.id, finding.object)


def cells(finding: Finding) -> tuple[Cell, ...]:
    """A finding's row."""
    return (
        Cell(f"{finding.severity.value.upper():<8} {plain(finding.title)}", TONES[finding.severity]),
        Cell(plain(finding.object)),
        Cell(finding.id, Tone.DIM),
    )


def whole_text(finding: Finding) -> str:
    """Everything about a finding, a line each."""
    about = [f"  VIPs: {', '.join(map(plain, finding.vips))}"] if finding.vips else []
    return "\n".join(
        [
            f"{finding.severity.value.upper()}  {plain(finding.title)}",
            "",
            "Evidence",
            *(f"  {plain(e)}" for e in finding.evidence),
            f"  about: {plain(finding.object)}",
            *about,
            "",
            "What helps",
            f"  {plain(finding.remedy)}",
        ]
    )


def pane_text(finding: Finding, width: int, lines: int) -> str:
    """A finding in so many lines: its remedy always, of its evidence as much as there is room for."""
    title = hanging(plain(finding.title), width)
    remedy = hanging(f"> {plain(finding.remedy)}", width)
    evidence = [line for e in finding.evidence for line in hanging(f"  {plain(e)}", width)]
    room = max(0, lines - len(title) - len(remedy))
    if len(evidence) > room:
        evidence = [*evidence[: max(0, room - 1)], "  … (Enter shows all)"] if room else []
    return "\n".join([*title, *evidence, *remedy][:lines])
