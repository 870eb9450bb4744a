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
from kvtui.presenters.cluster_figure import router_figure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.cluster import ClusterNode, ClusterView, ReportedInstance, Router
    from kvtui.model.finding import Finding
    from kvtui.presenters.cells import Line
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
MAX_MATRIX_NODES = 10
"""A larger matrix does not fit a screen; what is not heard is listed below it."""
_HEARD_TONES = {Heard.HEARD: Tone.GOOD, Heard.LOST: Tone.BAD, Heard.REJECTED: Tone.BAD}


class NodeCells:
    """The rows of one view; what only some nodes have stands out."""

    def __init__(self, view: ClusterView, dash: str, self_mark: str) -> None:
        self._dash, self._mark = dash, self_mark
        reports = [n.report.comparison for n in view.nodes if n.report]
        self._usual_config = _usual([r.config_hash for r in reports])
        self._usual_ipvs = _usual([r.ipvs_digest for r in reports])
        self._usual_kvtui = _usual([r.kvtui for r in reports])
        self._usual_keepalived = _usual([_keepalived(n) for n in view.nodes if n.report])

    def cells(self, node: ClusterNode) -> tuple[Cell, ...]:
        name = Cell(f"{self._mark if node.is_self else ''}{plain(node.name)}", Tone.STRONG)
        state = Cell(node.state.value, NODE_TONES[node.state])
        report = node.report
        if report is None or node.state in {NodeState.HEARD, NodeState.FAILED}:  # VIPs of a report before would mislead
            return (name, state, Cell(plain(node.detail), NODE_TONES[node.state]), *(Cell(""),) * 8, _age_cell(node))
        compared, counts = report.comparison, finding_counts(report)
        held = tuple(v.address for v in report.vips or () if v.present)
        problems = (
            Cell("?", Tone.DIM)
            if counts is None
            else Cell(
                f"{counts.critical} critical"
                if counts.critical
                else f"{counts.warning} warning"
                if counts.warning
                else "none",
                Tone.BAD if counts.critical else Tone.WARN if counts.warning else Tone.NORMAL,
            )
        )
        drained = compared.drained
        return (
            name,
            state,
            self._instances(node),
            Cell(str(len(held)) if report.vips is not None else "?"),
            problems,
            Cell(self._dash if compared.cps is None else per_second(compared.cps), volatile=True),
            self._compared(compared.config_hash, self._usual_config),
            self._compared(compared.ipvs_digest, self._usual_ipvs),
            Cell(self._dash if drained is None else str(len(drained)), Tone.WARN if drained else Tone.NORMAL),
            self._compared(_keepalived(node), self._usual_keepalived),
            self._compared(compared.kvtui or "older", self._usual_kvtui),
            _age_cell(node),
        )

    def _instances(self, node: ClusterNode) -> Cell:
        instances = (node.report.vrrp_instances if node.report else None) or ()
        if node.state is not NodeState.LIVE:
            return Cell(plain(node.detail), NODE_TONES[node.state])
        text = ", ".join(f"{plain(i.name)} {instance_text(i)}" for i in instances) or "no VRRP instance"
        tones = [STATE_TONES.get(i.state, Tone.WARN) for i in instances]  # type: ignore[call-overload]
        tone = next((t for t in (Tone.BAD, Tone.WARN, Tone.GOOD) if t in tones), Tone.NORMAL)
        return Cell(text, tone)

    def _compared(self, value: str | None, usual: str | None) -> Cell:
        if not value:
            return Cell(self._dash, Tone.DIM)
        return Cell(plain(value, 20), Tone.NORMAL if value == usual else Tone.WARN)


def _age_cell(node: ClusterNode) -> Cell:
    """Live nodes have no exact age: an idle screen is not redrawn."""
    if node.age is None or node.state is NodeState.LIVE:
        return Cell("now" if node.age is not None else "", Tone.DIM)
    return Cell(ago(node.age), Tone.WARN, volatile=True)


def instance_text(instance: ReportedInstance) -> str:
    priority = "?" if instance.current_priority is None else str(instance.current_priority)
    return f"{plain(instance.state)} {priority}"


def _usual(values: list[str | None]) -> str | None:
    """Returns the most frequent value; of two equally frequent ones none, so that both stand out."""
    most = Counter(v for v in values if v).most_common(2)
    return most[0][0] if most and (len(most) == 1 or most[0][1] > most[1][1]) else None


def _keepalived(node: ClusterNode) -> str | None:
    return next((k.version or "?" for k in node.report.keepalived), "none") if node.report else None


ROUTER_HEAD = ("INSTANCE", "VRID", "VIPS", "MASTER", "NEXT IN LINE")


def router_cells(router: Router) -> tuple[Cell, ...]:
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
        Cell(next_text(router)),
    )


def next_text(router: Router) -> str:
    follows = router.next
    if follows is None:
        return "–" if len(router.masters) < 2 else f"{len(router.masters)} masters"
    if follows.node is None:
        return plain(follows.because)
    sure = "" if follows.certain else "; other nodes may exist"
    return f"{plain(follows.node)} within {follows.seconds:g} s ({plain(follows.because)}{sure})"


def heard_mark(heard: Heard, glyphs: Glyphs) -> str:
    return {
        Heard.HEARD: glyphs.marks["ok"],
        Heard.SILENT: glyphs.marks["none"],
        Heard.LOST: glyphs.marks["broken"],
        Heard.REJECTED: "!",
        Heard.UNKNOWN: glyphs.marks["unknown"],
    }[heard]


def matrix(view: ClusterView, router: Router, glyphs: Glyphs) -> list[tuple[Cell, ...]] | None:
    """Returns a row for each listener, the first row names the speakers; None where it is too large."""
    names = [m.node for m in router.members]
    if len(names) > MAX_MATRIX_NODES or len(names) < 2:
        return None
    cells = {(h.listener, h.speaker): h.heard for h in view.hearing if h.router == router.name}
    rows = [(Cell(f"{plain(router.name)}: HEARS", Tone.DIM), *(Cell(plain(n), Tone.DIM) for n in names))]
    for listener in names:
        marks = [
            Cell("") if heard is None else Cell(heard_mark(heard, glyphs), _HEARD_TONES.get(heard, Tone.DIM))
            for heard in (cells.get((listener, speaker)) for speaker in names)
        ]
        rows.append((Cell(plain(listener)), *marks))
    return rows


def hearing_lines(view: ClusterView) -> list[str]:
    """Returns a sentence for everything that is not heard and that no finding tells (yet)."""
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
    """Returns what stands below the nodes: what is critical, owners, who hears whom, other findings, differences."""
    lines = _finding_lines(f for f in view.findings if f.severity is Severity.CRITICAL)
    for router in view.routers:
        _name, _vrid, _vips, owner, follows = router_cells(router)
        lines += router_figure(router, owner, follows.text, ascii_only=glyphs.dash.isascii())
        lines += _matrix_lines(view, router, glyphs)
    lines += [(Cell(line, Tone.BAD),) for line in hearing_lines(view)]
    lines += _finding_lines(f for f in view.findings if f.severity is not Severity.CRITICAL)
    if differing := difference_lines(view):
        lines += [(Cell("Differences", Tone.STRONG),), *((Cell(f"  {line}"),) for line in differing)]
    return lines


def _finding_lines(findings: Iterable[Finding]) -> list[Line]:
    return [(Cell(line, tone),) for f in findings for line, tone in cluster_finding_lines(f)]


def _matrix_lines(view: ClusterView, router: Router, glyphs: Glyphs) -> list[Line]:
    rows = matrix(view, router, glyphs) or []
    widths = [max(len(row[i].text) for row in rows) + 2 for i in range(len(rows[0]))] if rows else []
    return [(Cell("  "), *(Cell(c.text.ljust(w), c.tone) for c, w in zip(row, widths, strict=True))) for row in rows]


def cluster_finding_lines(finding: Finding) -> list[tuple[str, Tone]]:
    title = (f"{finding.severity.value.upper():<8} {plain(finding.title)}", SEVERITY_TONES[finding.severity])
    evidence = [(f"  {plain(e)}", Tone.NORMAL) for e in finding.evidence]
    return [title, *evidence, (f"  > {plain(finding.remedy)}", Tone.NORMAL)]


def has_kvtui(node: ClusterNode) -> bool:
    """Whether kvtui can be opened there, as far as is known; else the node's detail says why not."""
    report = node.report
    opened = node.state in {NodeState.CONNECTING, NodeState.LIVE, NodeState.LATE}
    return opened and (report is None or report.comparison.kvtui != NO_KVTUI)


def summary(view: ClusterView) -> str:
    states = Counter(n.state for n in view.nodes)
    parts = [f"{states[s]} {s.value}" for s in NodeState if states[s]]
    return f"{len(view.nodes)} nodes: {', '.join(parts)}"
