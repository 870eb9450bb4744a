"""Screen 2: VRRP instances, the peers as they are heard on the wire, and what changed there."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.widgets import Static

from kvtui.actions.equivalent_commands import of_instance
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import coarse
from kvtui.screens.instance_detail import InstanceDetail, troubles
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.trace_panel import Target
from kvtui.screens.vips import TONES
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.observation import InstanceView, Observation, Peer

COLUMNS = (
    Column("name", "INSTANCE / PEER", 17, 0, most=44),
    Column("state", "STATE", 6, 0),
    Column("vrid", "VRID", 4, 3, right=True),
    Column("priority", "PRIO", 7, 1, right=True),
    Column("master", "MASTER", 14, 1, most=44),
    Column("seen", "HEARD", 6, 2, right=True),
    Column("preempt", "PREEMPT", 7, 4),
    Column("advert", "ADVERT", 6, 6, right=True),
    Column("since", "SINCE", 6, 5, right=True),
    Column("version", "VER", 3, 8, right=True),
    Column("interface", "NIC", 6, 7, most=15),
    Column("counters", "ERRORS", 16, 3, most=80),
)


class VrrpScreen(NodeScreen):
    """VRRP."""

    DEFAULT_CSS = """
    VrrpScreen { & #timeline { height: auto; max-height: 40%; min-height: 2; padding: 0 0; border-top: solid $panel; } }
    """
    sorts: ClassVar = (("", "config"), ("name", "name"), ("state", "state"), ("vrid", "VRID"))

    def make_table(self) -> LineTable:
        """A row an instance, then a row each peer."""
        return LineTable(COLUMNS, "Reading this node …", id="vrrp")

    def extra(self) -> tuple[Widget, ...]:
        """The timeline."""
        return (Static("", id="timeline", markup=False),)

    def draw(self, seen: Observation) -> None:
        """Instances with their peers, and the timeline."""
        self.table.empty = why_empty(seen)
        instances = {i.name: i for i in seen.vrrp_instances or ()}
        chosen: list[Hashable] = [n for n, i in instances.items() if self.matches(*row_texts(i))]
        order = {
            "name": natural,
            "state": lambda n: instances[n].state.value,
            "vrid": lambda n: instances[n].vrid or 0,
        }
        rows: dict[Hashable, tuple[Cell, ...]] = {}
        for name in self.ordered(chosen, order):
            instance = instances[str(name)]
            rows[name] = instance_cells(seen, instance, self.glyphs.self_mark)
            for peer in instance.peers:
                rows[name, peer.address] = peer_cells(peer, instance, self.glyphs.branch)
        self.table.show_rows(list(rows), rows.__getitem__, changes=not self.host.paused, at=seen.snapshot.time)
        self._draw_timeline(seen)

    @on(LineTable.Chosen, "#vrrp")
    def _detail(self, event: LineTable.Chosen) -> None:
        self.app.push_screen(InstanceDetail(str(event.key[0] if isinstance(event.key, tuple) else event.key)))

    def by_hand(self, seen: Observation) -> str | None:
        """The adverts of its interface."""
        chosen = self.table.selected
        name = chosen[0] if isinstance(chosen, tuple) else chosen
        instance = next((i for i in seen.vrrp_instances or () if i.name == name), None)
        return of_instance(seen, instance) if instance else None

    def traced(self) -> tuple[Target, ...]:
        """Every VIP of the instance under the cursor."""
        chosen = self.table.selected
        name = chosen[0] if isinstance(chosen, tuple) else chosen
        seen = self.host.latest
        found = next((i for i in seen.vrrp_instances or () if i.name == name), None) if seen else None
        return tuple(Target(vip, instance=found.name) for vip in found.vips) if found else ()

    def _draw_timeline(self, seen: Observation) -> None:
        panel = self.query_one("#timeline", Static)
        room = max(1, min(12, self.size.height * 2 // 5 - 1))
        text = timeline_text(seen, room)
        if getattr(self, "_timeline", None) != text:
            self._timeline = text
            panel.update(text)


def why_empty(seen: Observation) -> str:
    """Why there is no instance to show."""
    if seen.vrrp_instances is None:
        keepalived, vrrp = seen.snapshot.source(SourceName.KEEPALIVED), seen.snapshot.source(SourceName.VRRP)
        why = keepalived.detail or vrrp.detail or "keepalived was not asked yet"
        return f"VRRP instances are not known: {why}.\n\nPress i for every source."
    if seen.vrrp_instances:
        return "No instance matches the filter. Esc shows all."
    return "keepalived runs without a vrrp_instance: it only watches real servers, or its config came out empty."


def row_texts(instance: InstanceView) -> tuple[str | None, ...]:
    """What the filter looks at."""
    master = instance.master.address if instance.master else None
    peers = (p.address for p in instance.peers)
    return (
        instance.name,
        instance.state.value,
        str(instance.vrid),
        instance.interface,
        master,
        *instance.vips,
        *peers,
    )


def timeline_text(seen: Observation, room: int) -> str:
    """The newest transitions, newest first."""
    if seen.snapshot.advertisers is None:
        return plain(f"No timeline: {seen.snapshot.source(SourceName.ADVERTS).detail}")
    if not seen.snapshot.transitions:
        return "Nothing has changed on the wire since kvtui listens."
    lines = []
    for change in list(seen.snapshot.transitions)[: -room - 1 : -1]:
        at = datetime.fromtimestamp(change.at).astimezone()
        lines.append(f"{at:%H:%M:%S}  VRID {change.vrid:<3} {plain(change.what)}")
    return "\n".join(lines)


def instance_cells(seen: Observation, i: InstanceView, self_mark: str) -> tuple[Cell, ...]:
    """An instance's row."""
    priority = "?" if i.priority is None else str(i.priority)
    changed = i.effective_priority is not None and i.effective_priority != i.priority
    if changed:
        priority = f"{priority}>{i.effective_priority}"
    preempt = "?" if i.nopreempt is None else "no" if i.nopreempt else "yes"
    if i.preempt_delay:
        preempt += f" {i.preempt_delay:g}s"
    since = "?" if i.since is None else coarse(seen.snapshot.time - i.since)
    errors = troubles(i)
    return (
        Cell(plain(i.name), Tone.STRONG),
        Cell(i.state.value if i.state.value != "UNKNOWN" else "?", TONES[i.state]),
        Cell("?" if i.vrid is None else str(i.vrid)),
        Cell(priority, Tone.WARN if changed else Tone.NORMAL),
        master_cell(i, self_mark),
        Cell(""),
        Cell(preempt),
        Cell("?" if i.advert_interval is None else f"{i.advert_interval:g}s"),
        Cell(since, volatile=True),
        Cell("?" if i.version is None else f"v{i.version}"),
        Cell(plain(i.interface or "?")),
        Cell(", ".join(errors), Tone.WARN if errors else Tone.NORMAL),
    )


def master_cell(i: InstanceView, self_mark: str) -> Cell:
    """Who is master, with the priority that it advertises."""
    if i.rivals:
        return Cell(f"{1 + len(i.rivals)} MASTERS: {', '.join(map(plain, i.rivals))}", Tone.BAD)
    if i.master is None:
        return Cell("nobody heard", Tone.WARN)
    name = plain(i.master.address or "this node")
    return Cell(f"{self_mark if i.master.is_self else ''}{name}")


def peer_cells(peer: Peer, i: InstanceView, branch: str) -> tuple[Cell, ...]:
    """A peer's row, below its instance."""
    live = peer.age_seconds is not None and i.master is not None and peer.address == i.master.address
    rival = peer.address in i.rivals
    state = Cell("MASTER", Tone.BAD if rival else Tone.GOOD) if live or rival else Cell("silent", Tone.DIM)
    heard = "never" if peer.age_seconds is None else heard_text(peer.age_seconds)
    blank = Cell("")
    priority = Cell("?" if peer.priority is None else str(peer.priority))
    heard_cell = Cell(heard, volatile=True)
    name = Cell(f"{branch} {plain(peer.address)}")
    return (name, state, blank, priority, blank, heard_cell, blank, blank, blank, blank, blank, blank)


def heard_text(age: float) -> str:
    """How long ago: no tenths, so that a peer that goes on advertising draws nothing anew."""
    return "now" if age < 5 else coarse(age)
