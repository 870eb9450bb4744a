"""The tutorial's figure, live: the VIPs of a virtual router, arrows, and its nodes.

A solid arrow leads to the owner, a broken one to the node that would take over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.presenters.cells import STATE_TONES, Cell, Tone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.model.cluster import Member, Router
    from kvtui.presenters.cells import Line

MAX_ROWS = 8
"""VIPs, and nodes, of which more are only counted."""
LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
JOINTS = {
    LEFT: "─", LEFT | RIGHT: "─", LEFT | DOWN: "┐", LEFT | UP: "┘", LEFT | UP | DOWN: "┤", LEFT | RIGHT | DOWN: "┬",
    LEFT | RIGHT | UP: "┴", LEFT | RIGHT | UP | DOWN: "┼", RIGHT | UP: "└", RIGHT | UP | DOWN: "├", UP | DOWN: "│",
}  # fmt: skip
OWNS, FOLLOWS, NO_ARROW = "──▶ ", "╌╌▷ ", "    "
ASCII_OF = str.maketrans("─╌│▶▷┐┘┤┬┴┼└├", "-.|>>++++++++")


def router_figure(router: Router, owner: Cell, follows: str, *, ascii_only: bool) -> list[Line]:
    """Returns the lines; ``owner`` and ``follows`` say who is master and who is next."""
    nodes = sorted(router.members, key=lambda m: (m.node not in router.masters, not _is_next(router, m)))
    left = _limited([plain(vip) for vip in router.vips] or ["no VIP"], "VIPs")
    arrows = [OWNS if m.node in router.masters else FOLLOWS if _is_next(router, m) else NO_ARROW for m in nodes]
    last = max([len(left) - 1, *(i for i, arrow in enumerate(arrows[:MAX_ROWS]) if arrow != NO_ARROW)])
    right = _limited([f"{plain(m.node)}  {m.instance.address or '?'}" for m in nodes], "nodes")
    widths = max(map(len, left)), max(map(len, right))
    lines: list[Line] = [(Cell(plain(router.name), Tone.STRONG), Cell("  master "), owner, Cell(f"; next: {follows}"))]
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


def _is_next(router: Router, member: Member) -> bool:
    return router.next is not None and router.next.node == member.node


def _state(member: Member) -> Cell:
    i = member.instance
    if not member.is_current:
        return Cell("not known now", Tone.WARN)
    tone = {state.value: tone for state, tone in STATE_TONES.items()}.get(i.state, Tone.WARN)
    return Cell(f"{plain(i.state):<6} {'?' if i.current_priority is None else i.current_priority}", tone)


def _limited(texts: Sequence[str], what: str) -> list[str]:
    more = len(texts) - MAX_ROWS
    return [*texts[:MAX_ROWS], f"{more} more {what}"] if more > 0 else list(texts)
