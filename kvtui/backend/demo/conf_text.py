"""The demo's keepalived.conf, in keepalived-vip's format."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kvtui.backend.conf.copies import lines_of
from kvtui.backend.conf.expand import ConfigFile, Expander
from kvtui.backend.conf.reader import conf_of
from kvtui.backend.demo.services import CONF, MASQ, SERVICES, TRACK_FILE, VIPS, VIPS6, VRID
from kvtui.backend.demo.story import NODES, SELF, WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.demo.services import Service
    from kvtui.model.conf import Conf

CONFIG_ID = "node-c"


def initial_text() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from ("global_defs {", "  vrrp_version 3", "  vrrp_iptables KUBE-KEEPALIVED-VIP", "}", "")
    yield from ("track_file vip_ok {", f"  file {TRACK_FILE}", f"  weight {WEIGHT}", "}", "")
    yield from _instance("vips", VRID, VIPS, "  track_file {", "    vip_ok", "  }")
    yield from _instance("vips6", VRID + 1, VIPS6, "  nopreempt")
    for service in SERVICES:
        yield from _virtual_server(service)


def _instance(name: str, vrid: int, vips: tuple[str, ...], *more: str) -> Iterator[str]:
    yield from (f"vrrp_instance {name} {{", "  state BACKUP", "  interface eth0", f"  virtual_router_id {vrid}")
    yield from (f"  priority {NODES[SELF][1]}", "  advert_int 1", *more)
    yield from ("  virtual_ipaddress {", *(f"    {vip}" for vip in vips), "  }", "}", "")


def _virtual_server(service: Service) -> Iterator[str]:
    yield f"# Service: {service.name}"
    yield f"virtual_server {service.vip} {service.port} {{"
    yield from ("  delay_loop 5", "  lvs_sched wlc", f"  lvs_method {'NAT' if service.method is MASQ else 'DR'}")
    if service.persistence is not None:
        yield f"  persistence_timeout {service.persistence}"
    yield from (f"  protocol {service.protocol.value}", "")
    for address, port in service.reals:
        yield from (f"  real_server {address} {port} {{", "    weight 1", "    TCP_CHECK {")
        yield from (f"      connect_port {port}", "      connect_timeout 3", "    }", "  }", "")
    yield from ("}", "")


@lru_cache(maxsize=8)
def read_text(text: str) -> Conf:
    """Reads a text as ``backend.conf.reader`` reads a file; its times are 0."""
    expander = Expander(CONFIG_ID)
    return conf_of(expander, expander.file(ConfigFile(CONF, text)))


def copied_lines(text: str) -> tuple[str, ...]:
    return lines_of(ConfigFile(CONF, text), config_id=CONFIG_ID)
