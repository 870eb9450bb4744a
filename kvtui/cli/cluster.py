"""``kvtui cluster``: every node at once, as text or JSON, once or repeatedly."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from kvtui.cli import event_loop
from kvtui.cli.look import PLAIN, look_for, table
from kvtui.cli.output import encode, fail, timed, write, write_latest
from kvtui.cluster_observer import ClusterObserver
from kvtui.presenters import cluster as rows
from kvtui.presenters.cluster_document import cluster_document, own_node
from kvtui.presenters.glyphs import ASCII

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from kvtui.cli.invocation import Invocation
    from kvtui.cli.look import Look
    from kvtui.cli.output import Format
    from kvtui.model.cluster import ClusterView

MAX_LISTEN_SECONDS = 20.0
"""A single view waits at most this long for nodes that do not answer, and for conditions that may be transient."""
OPTIONAL_COLUMNS = (7, 10, 6, 9, 11, 5, 8)


def cluster(invocation: Invocation, *, watch: bool, listen: float | None) -> None:
    """Prints the cluster; ``listen``: seconds to observe, None until every node has answered or failed."""
    if not invocation.cluster.hosts:
        fail(rows.NO_HOSTS)
    if watch:
        event_loop.until_signal(_watch(invocation, look_for(invocation)))
    else:
        view = event_loop.run(_once(invocation, listen))
        write(_text(view, invocation.form, look_for(invocation), stream=False))


@asynccontextmanager
async def _views(invocation: Invocation) -> AsyncIterator[AsyncIterator[tuple[ClusterObserver, ClusterView]]]:
    nodes, own = ClusterObserver(invocation.cluster), invocation.observer(triage=True)

    async def views() -> AsyncIterator[tuple[ClusterObserver, ClusterView]]:
        nodes.start()
        while True:
            yield nodes, nodes.view(own_node(await own.observe()))
            await asyncio.sleep(invocation.interval)

    try:
        yield views()
    finally:
        await nodes.close()
        await own.close()


async def _once(invocation: Invocation, listen: float | None) -> ClusterView:
    loop = asyncio.get_running_loop()
    end = loop.time() + (MAX_LISTEN_SECONDS if listen is None else listen)
    async with _views(invocation) as views:
        async for nodes, view in views:
            if loop.time() >= end or (listen is None and nodes.is_decided):
                return view
    raise AssertionError("views do not end")


async def _watch(invocation: Invocation, look: Look) -> None:
    async with _views(invocation) as views:
        async for _nodes, view in views:
            write_latest(_text(view, invocation.form, look, stream=True))


def _text(view: ClusterView, form: Format, look: Look, *, stream: bool) -> str:
    if form.is_text:
        text = cluster_text(view, look)
        return timed(view.time, text) if stream else text
    return encode(cluster_document(view), form, stream=stream)


def cluster_text(view: ClusterView, look: Look = PLAIN) -> str:
    cells = rows.NodeCells(view, look.glyphs.dash, look.glyphs.self_mark)
    nodes = [look.cells(cells.cells(node)) for node in view.nodes]
    parts = [table(rows.NODE_HEAD, nodes, frozenset({3, 5, 8}), look=look, optional=OPTIONAL_COLUMNS)]
    if view.routers:
        routers = [look.cells(rows.router_cells(r)) for r in view.routers]
        parts.append(table(rows.ROUTER_HEAD, routers, look=look))
    for router in view.routers:
        if lines := rows.matrix(view, router, ASCII):
            head, *body = [tuple(c.text for c in line) for line in lines]
            parts.append(table(head, body))
    if not_heard := rows.hearing_lines(view):
        parts.append(_lines(not_heard))
    if differing := rows.difference_lines(view):
        parts.append("Differences\n" + _lines(f"  {line}" for line in differing))
    parts += [_lines(line for line, _tone in rows.cluster_finding_lines(f)) for f in view.findings]
    return "\n".join([*parts, f"{rows.summary(view)}\n"])


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
