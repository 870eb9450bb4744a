"""Reads text as a keepalived.conf and builds expected values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.conf.reader import read
from kvtui.model.conf import (
    Conf,
    ProblemKind,
)
from kvtui.model.vrrp import VirtualAddress

if TYPE_CHECKING:
    from pathlib import Path


def read_conf(tmp_path: Path, text: str, config_id: str = "node") -> Conf:
    path = tmp_path / "keepalived.conf"
    path.write_bytes(text.encode())
    return read(str(path), config_id=config_id, now=5.0)


def value_problems(conf: Conf) -> list[tuple[int, int, str]]:
    return [(p.at.line, p.at.column, p.message) for p in conf.problems if p.kind is ProblemKind.VALUE]


def instance(body: str) -> str:
    return f"vrrp_instance V {{\ninterface eth0\nvirtual_router_id 1\n{body}\nvirtual_ipaddress {{\n10.0.0.1\n}}\n}}\n"


def vip(address: str, prefixlen: int = 32, interface: str | None = None) -> VirtualAddress:
    return VirtualAddress(address, prefixlen, interface)
