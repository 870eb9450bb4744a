"""One VIP, layer by layer: the first break is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.text import plain
from kvtui.model.units import per_second
from kvtui.rules.chain import chain, first_break
from kvtui.screens.panel import Panel
from kvtui.widgets.glyphs import UNICODE, glyphs

if TYPE_CHECKING:
    from kvtui.model.observation import Observation, VipView, VirtualServerView
    from kvtui.widgets.glyphs import Glyphs


class VipDetail(Panel):
    """One VIP.

    Args:
        instance: name of its VRRP instance.
        address: of the VIP.
    """

    def __init__(self, instance: str, address: str) -> None:
        super().__init__()
        self._key = (instance, address)
        self.heading = f"VIP {plain(address)}"

    def text(self, seen: Observation | None) -> str:
        """Its chain and its servers."""
        views = {(v.instance, v.address): v for v in (seen.vips or () if seen else ())}
        vip = views.get(self._key)
        if seen is None or vip is None:
            return "This VIP is gone: neither keepalived nor its config has it any more."
        return vip_text(seen, vip, glyphs(ascii_only=self.app.settings.ascii))  # type: ignore[attr-defined]


def vip_text(seen: Observation, vip: VipView, drawing: Glyphs = UNICODE) -> str:
    """Everything about a VIP, in words."""
    links = chain(seen, vip)
    broken = first_break(links)
    verdict = "No layer that can be seen here is broken." if broken is None else f"FIRST BREAK: {broken.layer.words}."
    lines = [verdict, ""]
    lines += [f"{drawing.marks[k.mark]} {k.layer.words:<15}{plain(k.detail)}" for k in links]
    lines += ["", f"Instance {plain(vip.instance)}: {vip.state.value} on {plain(vip.interface or '?')}"]
    for server in seen.servers_of(vip.address):
        lines += ["", *server_lines(server)]
    return "\n".join(lines)


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
        lines.append(f"  {plain(endpoint(real.address, real.port))}  {real.state.value}, {weight}, {rate}{check}")
    return lines
