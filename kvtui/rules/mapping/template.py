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

    from kvtui.rules.mapping.controller import ControllerSettings

CHAIN = "KUBE-KEEPALIVED-VIP"
SCHEDULER = "wlc"
PERSISTENCE = 1800
"""Seconds."""
WEIGHT = 1
VIP_ONLY = "VIP"
"""The controller's method of a VIP without a Service."""


class MappingBlock(Struct, frozen=True):
    """A virtual server, or a VIP without a Service (without name, port and backends)."""

    name: str  # in the comment
    vip: str
    port: int
    protocol: str
    method: str  # NAT, DR, PROXY, `VIP` without a Service, or another text that the grammar accepts
    backends: tuple[tuple[str, int], ...]


def vips_of(blocks: tuple[MappingBlock, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(b.vip for b in blocks))


def render(settings: ControllerSettings, blocks: tuple[MappingBlock, ...]) -> str:
    lines = {Dialect.V09: _v09, Dialect.CONTRIB: _contrib, Dialect.ALEDBF: _aledbf}[settings.dialect]
    return "".join(f"{line}\n" for line in lines(settings, blocks))


def _v09(settings: ControllerSettings, blocks: tuple[MappingBlock, ...]) -> Iterator[str]:
    yield from (*_globals(settings), "", *_instance(settings))
    yield from ("", *_unicast(settings), "", *_vips(blocks), "}", "")
    for block in blocks:
        yield from ("", *_virtual_server(block, ""), "}    ")


def _contrib(settings: ControllerSettings, blocks: tuple[MappingBlock, ...]) -> Iterator[str]:
    yield from (*_globals(settings), "", *_instance(settings))
    yield from (_notify(settings), "", *_unicast(settings), "", *_vips(blocks), "}", "")
    yield from _servers(blocks, "")
    yield ""


def _aledbf(settings: ControllerSettings, blocks: tuple[MappingBlock, ...]) -> Iterator[str]:
    advice = "#get rid of warning:  default user 'keepalived_script' for script execution does not exist"
    yield from _globals(settings, f"  {advice} - please create", "  script_user root", "  enable_script_security", "")
    yield from ("", "", "#Check if the VIP list is empty")
    if not blocks:
        yield ""
        return
    yield from ("", "", "")
    if settings.proxy_mode:
        yield from ("", "vrrp_script chk_haproxy {", '  script "/haproxy-check.sh"', "  interval 1", "}")
    yield from ("", "", *_instance(settings), "", _notify(settings), "", *_unicast(settings), "", *_vips(blocks))
    yield from ("", "  notify /keepalived-check.sh", "")
    if settings.proxy_mode:
        yield from ("", "  # In proxy mode there is no need to create virtual servers")
        yield from ("  track_script {", "    chk_haproxy", "  }")
    yield from ("", "", "}", "")
    if not settings.proxy_mode:
        yield ""
        yield from _servers(blocks, "  ")
        yield from ("", "", "#End if vip list is empty")
    yield from ("", "")


def _globals(settings: ControllerSettings, *more: str) -> tuple[str, ...]:
    version = f"  vrrp_version {settings.vrrp_version}"
    return ("", "", "global_defs {", version, f"  vrrp_iptables {CHAIN}", *more, "}")


def _instance(settings: ControllerSettings) -> tuple[str, ...]:
    return (
        "vrrp_instance vips {",
        "  state BACKUP",
        f"  interface {settings.interface}",
        f"  virtual_router_id {settings.vrid}",
        f"  priority {settings.computed_priority()}",
        "  nopreempt",
        "  advert_int 1",
        "",
        "  track_interface {",
        f"    {settings.interface}",
        "  }",
    )


def _notify(settings: ControllerSettings) -> str:
    return f"   notify {settings.notify} " if settings.notify else "  "


def _unicast(settings: ControllerSettings) -> tuple[str, ...]:
    if not settings.unicast:
        return ("  ",)
    peers = (f"    {peer}" for peer in settings.computed_peers() or ())
    return ("  ", f"  unicast_src_ip {settings.address}", "  unicast_peer { ", *peers, "  }", "  ")


def _vips(blocks: tuple[MappingBlock, ...]) -> tuple[str, ...]:
    return ("  virtual_ipaddress { ", *(f"    {vip}" for vip in vips_of(blocks)), "  }")


def _servers(blocks: tuple[MappingBlock, ...], rest: str) -> Iterator[str]:
    for block in blocks:
        if block.method == VIP_ONLY:
            yield from ("", "", f"# VIP Service with no pods: {block.vip}", "")
        else:
            yield from ("", "", *_virtual_server(block, rest), "}", "")


def _virtual_server(block: MappingBlock, rest: str) -> Iterator[str]:
    """Yields the lines before the closing brace; ``rest`` is the line that the loop adds after each real server."""
    yield f"# Service: {block.name}"
    yield f"virtual_server {block.vip} {block.port} {{"
    yield from ("  delay_loop 5", f"  lvs_sched {SCHEDULER}", f"  lvs_method {block.method}")
    yield from (f"  persistence_timeout {PERSISTENCE}", f"  protocol {block.protocol}", "", "  ")
    for address, port in block.backends:
        yield from (f"  real_server {address} {port} {{", f"    weight {WEIGHT}", "    TCP_CHECK {")
        yield from (f"      connect_port {port}", "      connect_timeout 3", "    }", "  }", rest)
