"""A virtual server and its real servers in words, for panels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.model.units import per_second

if TYPE_CHECKING:
    from kvtui.model.observation import PodView, VirtualServerView


def server_lines(server: VirtualServerView) -> list[str]:
    """A virtual server and its real servers."""
    service = f"  Service {plain(server.service)}" if server.service else ""
    persistence = f", persistent {server.persistence_timeout} s" if server.persistence_timeout else ""
    scheduler = plain(server.scheduler or "?")
    head = f"{server.protocol.value} {plain(server.name)}  {scheduler}{persistence}{service}"
    lines = [head]
    for real in server.real_servers:
        rate = f"{per_second(real.stats.cps)} conn/s" if real.stats else "no counters"
        check = f", check {plain(real.check)}" if real.check else ""
        weight = "not in the kernel" if real.weight is None else f"weight {real.weight}"
        name = plain(endpoint(real.address, real.port))
        lines.append(f"  {name}  {real.state.value}, {weight}, {rate}{check}{pod_words(real.pod)}")
    return lines


def pod_words(pod: PodView | None) -> str:
    """The pod behind a real server, for the end of a line."""
    if pod is None:
        return ""
    node = f" on {plain(pod.node, 60)}" if pod.node else ""
    return f", pod {plain(f'{pod.namespace}/{pod.name}', 130)}{node}, {'ready' if pod.ready else 'NOT READY'}"
