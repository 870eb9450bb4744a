"""The cluster: rows and sentences, for ``kvtui cluster`` and screen 6."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kvtui.model.cluster import NO_KVTUI, Heard, NodeState
from kvtui.model.finding import Severity
from kvtui.model.text import plain
from kvtui.model.units import ago, per_second
from kvtui.presenters.cells import SEVERITY_TONES, STATE_TONES, Cell, Tone
from kvtui.presenters.cluster_document import finding_counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kvtui.model.cluster import ClusterNode, ClusterRouter, ClusterView, Report, ReportedInstance, RouterMember
    from kvtui.model.finding import Finding
    from kvtui.presenters.cells import Line
    from kvtui.presenters.cluster_document import FindingCounts
    from kvtui.presenters.glyphs import Glyphs

NO_HOSTS = (
    "No other node is known. Name them: kvtui --hosts node-a,node-b cluster, or hosts = [...] under [cluster] in "
    "/etc/kvtui.toml. kvtui reaches them by ssh, with your ~/.ssh/config and without passwords."
)
NODE_TONES = {
    NodeState.CONNECTING: Tone.DIM,
    NodeState.LIVE: Tone.GOOD,
    NodeState.LATE: Tone.WARN,
    NodeState.FAILED: Tone.BAD,
    NodeState.MISSING: Tone.BAD,
    NodeState.HEARD: Tone.WARN,
}
NODE_HEAD = (
    "NODE", "STATE", "INSTANCES", "VIPS", "FINDINGS", "CONN/S", "CONFIG", "IPVS", "DRAINED", "KEEPALIVED", "KVTUI",
    "AGE",
)  # fmt: skip
MAX_MATRIX_NODES = 10  # a larger matrix does not fit a screen; `hearing_lines` has all that is not heard


class NodeCells:
    """The rows of one view; values that only some nodes have are highlighted."""

    def __init__(self, view: ClusterView, dash: str, self_mark: str) -> None:
        self._dash, self._mark = dash, self_mark
        rows = zip(*(_compared_values(n.report) for n in view.nodes if n.report), strict=True)
        self._usual = [_most_frequent(values) for values in rows]

    def cells(self, node: ClusterNode) -> tuple[Cell, ...]:
        name = Cell(f"{self._mark if node.is_self else ''}{plain(node.name)}", Tone.STRONG)
        state = Cell(node.state.value, NODE_TONES[node.state])
        report = node.report
        if report is None or node.state in {NodeState.HEARD, NodeState.FAILED}:  # VIPs of a report before would mislead
            return (name, state, Cell(plain(node.detail), NODE_TONES[node.state]), *(Cell(""),) * 8, _age_cell(node))
        config, ipvs, keepalived, kvtui = map(self._compared, _compared_values(report), self._usual)
        cps, drained = report.comparison.cps, report.comparison.drained
        return (
            name,
            state,
            _instances_cell(node, report.vrrp_instances or ()),
            Cell("?" if report.vips is None else str(sum(1 for v in report.vips if v.present))),
            _findings_cell(finding_counts(report)),
            Cell(self._dash if cps is None else per_second(cps), volatile=True),
            config,
            ipvs,
            Cell(self._dash if drained is None else str(len(drained)), Tone.WARN if drained else Tone.NORMAL),
            keepalived,
            kvtui if report.comparison.kvtui else Cell("older", Tone.WARN),
            _age_cell(node),
        )

    def _compared(self, value: str | None, usual: str | None) -> Cell:
        if not value:
            return Cell(self._dash, Tone.DIM)
        return Cell(plain(value, 20), Tone.NORMAL if value == usual else Tone.WARN)


def _compared_values(report: Report) -> tuple[str | None, ...]:
    """Returns the values that should be equal on all nodes: config, IPVS, versions of keepalived and kvtui."""
    compared = report.comparison
    keepalived = next((k.version or "?" for k in report.keepalived), "none")
    return (compared.config_hash, compared.ipvs_digest, keepalived, compared.kvtui)


def _most_frequent(values: Iterable[str | None]) -> str | None:
    """Returns None if two values are equally frequent, so that both are highlighted."""
    frequent = Counter(v for v in values if v).most_common(2)
    return frequent[0][0] if frequent and (len(frequent) == 1 or frequent[0][1] > frequent[1][1]) else None


def _instances_cell(node: ClusterNode, instances: Sequence[ReportedInstance]) -> Cell:
    if node.state is not NodeState.LIVE:
        return Cell(plain(node.detail), NODE_TONES[node.state])
    states = ((i, "?" if i.current_priority is None else i.current_priority) for i in instances)
    text = ", ".join(f"{plain(i.name)} {plain(i.state)} {priority}" for i, priority in states)
    tones = [_state_tone(i) for i in instances]
    tone = next((t for t in (Tone.BAD, Tone.WARN, Tone.GOOD) if t in tones), Tone.NORMAL)
    return Cell(text or "no VRRP instance", tone)


def _state_tone(instance: ReportedInstance) -> Tone:
    return STATE_TONES.get(instance.state, Tone.WARN)  # type: ignore[call-overload,no-any-return]


def _findings_cell(counts: FindingCounts | None) -> Cell:
    if counts is None:
        return Cell("?", Tone.DIM)
    if counts.critical:
        return Cell(f"{counts.critical} critical", Tone.BAD)
    return Cell(f"{counts.warning} warning", Tone.WARN) if counts.warning else Cell("none")


def _age_cell(node: ClusterNode) -> Cell:
    """Live nodes have no exact age: an idle screen is not redrawn."""
    if node.age is None or node.state is NodeState.LIVE:
        return Cell("now" if node.age is not None else "", Tone.DIM)
    return Cell(ago(node.age), Tone.WARN, volatile=True)


ROUTER_HEAD = ("INSTANCE", "VRID", "VIPS", "MASTER", "NEXT IN LINE")


def router_cells(router: ClusterRouter) -> tuple[Cell, ...]:
    masters = ", ".join(map(plain, router.masters))
    owner = Cell(masters or "nobody", Tone.GOOD if len(router.masters) == 1 else Tone.BAD)
    if router.other_master:
        also = " and " if masters else ""
        owner = Cell(f"{masters}{also}{plain(router.other_master)} (none of these nodes)", Tone.WARN)
    return (
        Cell(plain(router.name), Tone.STRONG),
        Cell("/".join(map(str, router.vrids)) or "?", Tone.BAD if len(router.vrids) > 1 else Tone.NORMAL),
        Cell(" ".join(map(plain, router.vips)) or "none"),
        owner,
        Cell(_next_text(router)),
    )


def _next_text(router: ClusterRouter) -> str:
    follows = router.next
    if follows is None:
        return "–" if len(router.masters) < 2 else f"{len(router.masters)} masters"
    if follows.node is None:
        return plain(follows.because)
    sure = "" if follows.certain else "; other nodes may exist"
    return f"{plain(follows.node)} within {follows.seconds:g} s ({plain(follows.because)}{sure})"


def matrix(view: ClusterView, router: ClusterRouter, glyphs: Glyphs) -> list[tuple[Cell, ...]] | None:
    """Returns a row for each listener, the first row names the speakers; None where it is too large."""
    names = [m.node for m in router.members]
    if len(names) > MAX_MATRIX_NODES or len(names) < 2:
        return None
    marks = {
        Heard.HEARD: Cell(glyphs.marks["ok"], Tone.GOOD),
        Heard.SILENT: Cell(glyphs.marks["none"], Tone.DIM),
        Heard.LOST: Cell(glyphs.marks["broken"], Tone.BAD),
        Heard.REJECTED: Cell("!", Tone.BAD),
        Heard.UNKNOWN: Cell(glyphs.marks["unknown"], Tone.DIM),
    }
    cells = {(h.listener, h.speaker): marks[h.heard] for h in view.hearing if h.router == router.name}
    head = (Cell(f"{plain(router.name)}: HEARS", Tone.DIM), *(Cell(plain(n), Tone.DIM) for n in names))
    return [head, *((Cell(plain(ear)), *(cells.get((ear, mouth), Cell("")) for mouth in names)) for ear in names)]


def hearing_lines(view: ClusterView) -> list[str]:
    """Returns a sentence for each node that is not heard, unless a finding reports it."""
    found = {f.object for f in view.findings}
    lines = []
    for h in view.hearing:
        if h.heard in {Heard.LOST, Heard.REJECTED} and h.object not in found:
            verb = "does not hear" if h.heard is Heard.LOST else "does not follow"
            since = "" if h.heard is Heard.REJECTED else " (never)" if h.age is None else f" (for {ago(h.age)})"
            lines.append(f"{plain(h.router)}: {plain(h.listener)} {verb} {plain(h.speaker)}{since}: {plain(h.cause)}")
    return lines


def difference_lines(view: ClusterView) -> list[str]:
    return [
        f"{d.kind} {plain(d.what)}: "
        + "; ".join(f"{plain(v.value) or 'missing'} on {', '.join(map(plain, v.nodes))}" for v in d.values)
        for d in view.differences
    ]


def detail_lines(view: ClusterView, glyphs: Glyphs) -> list[Line]:
    """Returns critical findings, owners, who hears whom, other findings, differences."""
    lines = _finding_lines(f for f in view.findings if f.severity is Severity.CRITICAL)
    for router in view.routers:
        lines += _router_figure(router, ascii_only=glyphs.dash.isascii())
        rows = matrix(view, router, glyphs) or []
        widths = [max(len(cell.text) for cell in column) + 2 for column in zip(*rows, strict=True)]
        for row in rows:
            padded = (Cell(cell.text.ljust(width), cell.tone) for cell, width in zip(row, widths, strict=True))
            lines.append((Cell("  "), *padded))
    lines += [(Cell(line, Tone.BAD),) for line in hearing_lines(view)]
    lines += _finding_lines(f for f in view.findings if f.severity is not Severity.CRITICAL)
    if differing := difference_lines(view):
        lines += [(Cell("Differences", Tone.STRONG),), *((Cell(f"  {line}"),) for line in differing)]
    return lines


def _finding_lines(findings: Iterable[Finding]) -> list[Line]:
    return [(Cell(line, tone),) for f in findings for line, tone in cluster_finding_lines(f)]


def cluster_finding_lines(finding: Finding) -> list[tuple[str, Tone]]:
    title = (f"{finding.severity.value.upper():<8} {plain(finding.title)}", SEVERITY_TONES[finding.severity])
    evidence = [(f"  {plain(e)}", Tone.NORMAL) for e in finding.evidence]
    return [title, *evidence, (f"  > {plain(finding.remedy)}", Tone.NORMAL)]


def has_kvtui(node: ClusterNode) -> bool:
    """Whether kvtui can be opened there, as far as known; else the node's detail says why not."""
    opened = node.state in {NodeState.CONNECTING, NodeState.LIVE, NodeState.LATE}
    return opened and (node.report is None or node.report.comparison.kvtui != NO_KVTUI)


def summary(view: ClusterView) -> str:
    states = Counter(n.state for n in view.nodes)
    parts = [f"{states[s]} {s.value}" for s in NodeState if states[s]]
    return f"{len(view.nodes)} nodes: {', '.join(parts)}"


# --- the figure of a virtual router: its VIPs, a solid arrow to the owner, a broken one to the next master

MAX_ROWS = 8  # VIPs, and nodes, of which more are only counted
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
JOINTS = {
    LEFT: "─", LEFT | RIGHT: "─", LEFT | DOWN: "┐", LEFT | UP: "┘", LEFT | UP | DOWN: "┤", LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴", LEFT | RIGHT | UP | DOWN: "┼", RIGHT | UP: "└", RIGHT | UP | DOWN: "├", UP | DOWN: "│",
}  # fmt: skip
OWNS, FOLLOWS, NO_ARROW = "──▶ ", "╌╌▷ ", "    "
ASCII_OF = str.maketrans("─╌│▶▷┐┘┤┬┴┼└├", "-.|>>++++++++")


def _router_figure(router: ClusterRouter, *, ascii_only: bool) -> list[Line]:
    *_, owner, follows = router_cells(router)
    nodes = sorted(router.members, key=lambda m: (m.node not in router.masters, not _is_next(router, m)))
    left = _limited([plain(vip) for vip in router.vips] or ["no VIP"], "VIPs")
    arrows = [OWNS if m.node in router.masters else FOLLOWS if _is_next(router, m) else NO_ARROW for m in nodes]
    last = max([len(left) - 1, *(i for i, arrow in enumerate(arrows[:MAX_ROWS]) if arrow != NO_ARROW)])
    right = _limited([f"{plain(m.node)}  {m.instance.address or '?'}" for m in nodes], "nodes")
    widths = max(map(len, left)), max(map(len, right))
    title = (Cell(plain(router.name), Tone.STRONG), Cell("  master "), owner, Cell(f"; next: {follows.text}"))
    lines: list[Line] = [title]
    for row in range(max(len(left), len(right))):
        vip = left[row] if row < len(left) else ""
        arrow = arrows[row] if row < len(right) and row < MAX_ROWS else NO_ARROW
        sides = LEFT * bool(vip) | RIGHT * (arrow != NO_ARROW)
        sides |= UP * (0 < row <= last) | DOWN * (row < last)
        drawn = f" {'─' if vip else ' '}{JOINTS.get(sides, ' ')}{arrow}"
        text = drawn.translate(ASCII_OF) if ascii_only else drawn
        name = right[row] if row < len(right) else ""
        line = (Cell(f"  {vip:<{widths[0]}}"), Cell(text, Tone.GOOD if arrow == OWNS else Tone.DIM))
        state = _state(nodes[row]) if name and row < MAX_ROWS else Cell("")
        lines.append((*line, Cell(f"{name:<{widths[1]}}  "), state))
    return lines


def _is_next(router: ClusterRouter, member: RouterMember) -> bool:
    return router.next is not None and router.next.node == member.node


def _state(member: RouterMember) -> Cell:
    i = member.instance
    if not member.is_current:
        return Cell("not known now", Tone.WARN)
    priority = "?" if i.current_priority is None else i.current_priority
    return Cell(f"{plain(i.state):<6} {priority}", _state_tone(i))


def _limited(texts: Sequence[str], what: str) -> list[str]:
    more = len(texts) - MAX_ROWS
    return [*texts[:MAX_ROWS], f"{more} more {what}"] if more > 0 else list(texts)
