"""Screen 1, the landing page: every VIP, who owns it and why, what traffic flows, and its chain as one mark a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on

from kvtui.actions.equivalent_commands import of_vip
from kvtui.model.finding import MARKS, worst
from kvtui.model.source import SourceName
from kvtui.model.text import plain
from kvtui.model.units import per_second
from kvtui.model.vrrp import VrrpState
from kvtui.rules.chain import LETTERS, ChainIndex, Mark, chain_of
from kvtui.screens.chain_pane import ChainPane, chain_text
from kvtui.screens.node_screen import NodeScreen, natural
from kvtui.screens.trace_panel import Target, TracePanel
from kvtui.widgets.columns import Cell, Column, Tone
from kvtui.widgets.glyphs import Glyphs, sparkline
from kvtui.widgets.table import LineTable

if TYPE_CHECKING:
    from collections.abc import Hashable

    from textual.widget import Widget

    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import InstanceView, Observation, VipView
    from kvtui.rules.chain import Links

COLUMNS = (
    Column("vip", "VIP", 15, 0, most=39),
    Column("owner", "OWNER", 12, 1, most=39),
    Column("state", "STATE", 6, 0),
    Column("priority", "PRIO", 4, 2, right=True),
    Column("service", "SERVICE", 15, 5, most=48),
    Column("method", "METHOD", 6, 9),
    Column("up", "UP", 5, 1, right=True),
    Column("cps", "CONN/S", 6, 3, right=True),
    Column("bps", "B/S", 4, 4, right=True),
    Column("spark", "TREND", 5, 6, most=60, fill=True),
    Column("interface", "NIC", 6, 8, most=15),
    Column("instance", "INSTANCE", 8, 10, most=24),
    Column("chain", LETTERS, 8, 1),
)
TONES = {
    VrrpState.MASTER: Tone.GOOD,
    VrrpState.BACKUP: Tone.NORMAL,
    VrrpState.FAULT: Tone.BAD,
    VrrpState.INIT: Tone.WARN,
    VrrpState.UNKNOWN: Tone.WARN,
}


class VipsScreen(NodeScreen):
    """VIPs."""

    sorts: ClassVar = (("", "config"), ("vip", "VIP"), ("owner", "owner"), ("state", "state"), ("cps", "CONN/S"))
    highest_first: ClassVar = frozenset({"cps"})

    def make_table(self) -> LineTable:
        """One row a VIP."""
        return LineTable(COLUMNS, "Reading this node …", id="vips")

    def extra(self) -> tuple[Widget, ...]:
        """Why the VIP under the cursor is as it is: its layers in words."""
        return (ChainPane(),)

    @on(LineTable.Moved)
    def _other_vip(self) -> None:
        if self.host.latest is not None:
            self._explain(self.host.latest)

    def _explain(self, seen: Observation) -> None:
        chosen = self.table.selected
        vip = next((v for v in seen.vips or () if (v.instance, v.address) == chosen), None)
        text = "" if vip is None else why_text(ChainIndex(seen), vip, self.glyphs)
        self.query_one(ChainPane).explain(text, len(self.table.keys), self.size.height)

    def draw(self, seen: Observation) -> None:
        """The VIPs that pass the filter, and why the one under the cursor is as it is."""
        self.table.empty = why_empty(seen) if not self.filter else f"No VIP matches «{self.filter}». Esc shows all."
        views = {(v.instance, v.address): v for v in seen.vips or ()}
        keys: list[Hashable] = [k for k, v in views.items() if self.matches(*row_texts(seen, v))]
        order = {
            "vip": lambda k: natural(views[k].address),
            "owner": lambda k: natural(views[k].owner or ""),
            "state": lambda k: views[k].state.value,
            "cps": lambda k: traffic(seen, views[k])[0],
        }
        history, drawing, index = self.host.history, self.glyphs, ChainIndex(seen)
        marks = {vip: MARKS[severity] for vip, severity in worst(seen.findings).items()}

        def render(key: Hashable) -> tuple[Cell, ...]:
            view = views[key]  # type: ignore[index]  # keys are those of views
            width = self.table.width_of("spark")
            spark = sparkline(history.of(("vip", view.address)), width, drawing.bars)
            return cells(index, view, spark, drawing, marks.get(view.address, ""))

        self.table.show_rows(self.ordered(keys, order), render, changes=not self.host.paused, at=seen.snapshot.time)
        self._explain(seen)

    def looked_at(self, seen: Observation) -> frozenset[ServiceKey]:
        """The virtual servers of the VIP under the cursor, whose layers are told below."""
        chosen = self.table.selected
        return (
            frozenset(v.key for v in seen.servers_of(str(chosen[1])) if v.in_kernel)
            if isinstance(chosen, tuple)
            else frozenset()
        )

    @on(LineTable.Chosen, "#vips")
    def _detail(self, event: LineTable.Chosen) -> None:
        if isinstance(event.key, tuple):
            self.app.push_screen(TracePanel((_target(event.key),)))

    def by_hand(self, seen: Observation) -> str | None:
        """Where the VIP is."""
        vip = next((v for v in seen.vips or () if (v.instance, v.address) == self.table.selected), None)
        return of_vip(seen, vip) if vip else None

    def traced(self) -> tuple[Target, ...]:
        """The VIP under the cursor."""
        chosen = self.table.selected
        return (_target(chosen),) if isinstance(chosen, tuple) else ()


def _target(key: tuple[Hashable, ...]) -> Target:
    instance, address = key
    return Target(str(address), instance=str(instance))


def why_empty(seen: Observation) -> str:
    """Why there is no VIP to show, and what to do next."""
    if seen.snapshot.chosen is None:
        return (
            f"{seen.snapshot.source(SourceName.KEEPALIVED).detail}.\n\n"
            "IPVS (3) and the sources (i) show what can be read all the same. To learn the screens: kvtui --demo"
        )
    if seen.vips is None:
        why = seen.snapshot.source(SourceName.VRRP).detail or seen.snapshot.source(SourceName.CONF).detail
        return f"The VIPs are not known: {why or 'keepalived was not asked yet'}.\n\nPress i for every source."
    return (
        "keepalived runs, but has no VIP: its config has no virtual_ipaddress.\n"
        "keepalived-vip leaves a VIP out when no port of its Service has a ready endpoint: kubectl get endpoints"
    )


def why_text(index: ChainIndex, vip: VipView, drawing: Glyphs) -> str:
    """A VIP in a line for what it is for, and one for each of its layers with its mark."""
    seen = index.seen
    methods = dict.fromkeys(r.method.value for s in seen.servers_of(vip.address) for r in s.real_servers if r.method)
    words = (vip.address, services(seen, vip), "/".join(methods), f"on {vip.interface or '?'}", vip.instance)
    return chain_text(index, "  ".join(w for w in words if w), vip.address, drawing, vip)


def instance_of(seen: Observation, vip: VipView) -> InstanceView | None:
    """The VRRP instance of a VIP."""
    return next((i for i in seen.vrrp_instances or () if i.name == vip.instance), None)


def traffic(seen: Observation, vip: VipView) -> tuple[float, float]:
    """Connections and bytes (in and out) per second over all virtual servers of a VIP."""
    stats = [s.stats for s in seen.servers_of(vip.address) if s.stats]
    return (sum(s.cps for s in stats), sum(s.in_bps + s.out_bps for s in stats))


def services(seen: Observation, vip: VipView) -> str:
    """Kubernetes Services behind a VIP, as the config names them."""
    return " ".join(dict.fromkeys(s.service for s in seen.servers_of(vip.address) if s.service))


def row_texts(seen: Observation, vip: VipView) -> tuple[str | None, ...]:
    """What the filter looks at."""
    return (vip.address, vip.owner, vip.state.value, vip.instance, vip.interface, services(seen, vip))


def owner_cell(vip: VipView, drawing: Glyphs) -> Cell:
    """Who owns it; this node is marked, two owners are named."""
    name = vip.owner or ("this node" if vip.owner_is_self else "")
    if vip.rivals:
        return Cell(f"{1 + len(vip.rivals)} MASTERS {name}", Tone.BAD)
    if not name:
        return Cell("nobody?", Tone.WARN)
    return Cell(f"{drawing.self_mark}{plain(name)}" if vip.owner_is_self else plain(name), Tone.NORMAL)


def cells(index: ChainIndex, vip: VipView, spark: str, drawing: Glyphs, mark: str = "") -> tuple[Cell, ...]:
    """One VIP's row; ``mark`` is that of the worst finding about it."""
    seen = index.seen
    instance = instance_of(seen, vip)
    priority = None if instance is None else instance.effective_priority or instance.priority
    servers = seen.servers_of(vip.address)
    up, known = sum(s.up for s in servers), sum(len(s.real_servers) for s in servers)
    methods = dict.fromkeys(r.method.value for s in servers for r in s.real_servers if r.method)
    cps, bps = traffic(seen, vip)
    links = chain_of(index, vip.address, view=vip)
    return (
        Cell(f"{plain(vip.address)} {mark}".rstrip(), Tone.BAD if mark == "!!" else Tone.WARN if mark else Tone.STRONG),
        owner_cell(vip, drawing),
        Cell(vip.state.value if vip.state is not VrrpState.UNKNOWN else "?", TONES[vip.state]),
        Cell("?" if priority is None else str(priority)),
        Cell(plain(services(seen, vip)) or drawing.dash),
        Cell("/".join(methods) or drawing.dash),
        Cell(f"{up}/{known}", Tone.BAD if not up else Tone.WARN if up < known else Tone.NORMAL)
        if servers
        else Cell(drawing.dash, Tone.DIM),
        Cell(per_second(cps) if servers else drawing.dash),
        Cell(per_second(bps) if servers else drawing.dash),
        Cell(spark, Tone.GOOD, volatile=True),
        Cell(plain(vip.interface or "?")),
        Cell(plain(vip.instance)),
        chain_cell(links, drawing),
    )


def chain_cell(links: Links, drawing: Glyphs) -> Cell:
    """A chain as one mark a layer."""
    broken = any(link.mark is Mark.BROKEN for link in links)
    return Cell("".join(drawing.marks[link.mark] for link in links), Tone.BAD if broken else Tone.NORMAL)
