"""Renders keepalived.conf like keepalived-vip's controllers, byte for byte.

Tested against renderings of the real templates (``../shared/confs/golden-*``): 0.9, contrib 0.11, and aledbf's head.
Older aledbf images differ in blank lines, ``script_user`` and ``notify``, without an effect on keepalived. The blank
lines and trailing spaces are those that Go's ``text/template`` leaves behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.mapping import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAIN = "KUBE-KEEPALIVED-VIP"
SCHEDULER = "wlc"
PERSISTENCE = 1800
"""Seconds."""
WEIGHT = 1
VIP_ONLY = "VIP"
"""The controller's method of a VIP without a Service."""


class Block(Struct, frozen=True):
    """A virtual server, or a VIP without a Service (without name, port and backends)."""

    name: str
    """In the comment."""
    vip: str
    port: int
    protocol: str
    method: str
    """NAT, DR, PROXY, ``VIP`` without a Service, or another text that the grammar accepts."""
    backends: tuple[tuple[str, int], ...]


class Page(Struct, frozen=True):
    """The values of a template. ``unicast_source`` is None without ``--use-unicast``."""

    interface: str
    vrid: int
    priority: int
    blocks: tuple[Block, ...]
    unicast_source: str | None = None
    unicast_peers: tuple[str, ...] = ()
    notify: str = ""
    proxy_mode: bool = False
    vrrp_version: int = 3

    @property
    def vips(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(b.vip for b in self.blocks))


def render(page: Page, dialect: Dialect) -> str:
    lines = {Dialect.V09: _v09, Dialect.CONTRIB: _contrib, Dialect.ALEDBF: _aledbf}[dialect]
    return "".join(f"{line}\n" for line in lines(page))


def _v09(page: Page) -> Iterator[str]:
    yield from _globals(page)
    yield ""
    yield from _instance(page)
    yield from ("", *_unicast(page), "", *_vips(page), "}", "")
    for block in page.blocks:
        yield from ("", *_virtual_server(block, ""), "}    ")


def _contrib(page: Page) -> Iterator[str]:
    yield from _globals(page)
    yield ""
    yield from _instance(page)
    yield from (_notify(page), "", *_unicast(page), "", *_vips(page), "}", "")
    for block in page.blocks:
        yield ""
        yield from _vip_only(block) if block.method == VIP_ONLY else ("", *_virtual_server(block, ""), "}", "")
    yield ""


def _aledbf(page: Page) -> Iterator[str]:
    advice = "#get rid of warning:  default user 'keepalived_script' for script execution does not exist"
    yield from _globals(page, f"  {advice} - please create", "  script_user root", "  enable_script_security", "")
    yield from ("", "", "#Check if the VIP list is empty")
    if not page.vips:
        yield ""
        return
    yield from ("", "", "")
    if page.proxy_mode:
        yield from ("", "vrrp_script chk_haproxy {", '  script "/haproxy-check.sh"', "  interval 1", "}")
    yield from ("", "", *_instance(page), "", _notify(page), "", *_unicast(page), "", *_vips(page))
    yield from ("", "  notify /keepalived-check.sh", "")
    if page.proxy_mode:
        yield from ("", "  # In proxy mode there is no need to create virtual servers")
        yield from ("  track_script {", "    chk_haproxy", "  }")
    yield from ("", "", "}", "")
    if not page.proxy_mode:
        yield ""
        for block in page.blocks:
            yield ""
            yield from _vip_only(block) if block.method == VIP_ONLY else ("", *_virtual_server(block, "  "), "}", "")
        yield from ("", "", "#End if vip list is empty")
    yield from ("", "")


def _globals(page: Page, *more: str) -> tuple[str, ...]:
    version = f"  vrrp_version {page.vrrp_version}"
    return ("", "", "global_defs {", version, f"  vrrp_iptables {CHAIN}", *more, "}")


def _instance(page: Page) -> tuple[str, ...]:
    return (
        "vrrp_instance vips {",
        "  state BACKUP",
        f"  interface {page.interface}",
        f"  virtual_router_id {page.vrid}",
        f"  priority {page.priority}",
        "  nopreempt",
        "  advert_int 1",
        "",
        "  track_interface {",
        f"    {page.interface}",
        "  }",
    )


def _notify(page: Page) -> str:
    return f"   notify {page.notify} " if page.notify else "  "


def _unicast(page: Page) -> tuple[str, ...]:
    if page.unicast_source is None:
        return ("  ",)
    peers = (f"    {peer}" for peer in page.unicast_peers)
    return ("  ", f"  unicast_src_ip {page.unicast_source}", "  unicast_peer { ", *peers, "  }", "  ")


def _vips(page: Page) -> tuple[str, ...]:
    return ("  virtual_ipaddress { ", *(f"    {vip}" for vip in page.vips), "  }")


def _vip_only(block: Block) -> tuple[str, ...]:
    return ("", f"# VIP Service with no pods: {block.vip}", "")


def _virtual_server(block: Block, rest: str) -> Iterator[str]:
    """Returns the lines before the closing brace; ``rest`` is the line that the loop adds after each real server."""
    yield f"# Service: {block.name}"
    yield f"virtual_server {block.vip} {block.port} {{"
    yield from ("  delay_loop 5", f"  lvs_sched {SCHEDULER}", f"  lvs_method {block.method}")
    yield from (f"  persistence_timeout {PERSISTENCE}", f"  protocol {block.protocol}", "", "  ")
    for address, port in block.backends:
        yield from (f"  real_server {address} {port} {{", f"    weight {WEIGHT}", "    TCP_CHECK {")
        yield from (f"      connect_port {port}", "      connect_timeout 3", "    }", "  }", rest)
