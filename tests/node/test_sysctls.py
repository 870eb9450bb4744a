"""SysctlsLayer reads sysctls of the known interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.node import network
from kvtui.backend.node.network import SYSCTLS_INTERVAL, SysctlsLayer
from tests.kit import addresses

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest


def test_sysctls_of_interfaces_are_read_as_soon_as_the_interfaces_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_pid: int | None, names: Iterable[str]) -> dict[str, int]:
        readings.append([n for n in names if n.endswith("rp_filter")])
        return {}

    readings: list[list[str]] = []
    monkeypatch.setattr(network, "read_sysctls", read)
    layer = SysctlsLayer(None)
    for now, table in ((100.0, None), (100.5, None), (101.0, addresses()), (102.0, addresses())):
        layer.read(now, table)
    assert readings == [[], ["net/ipv4/conf/all/rp_filter", "net/ipv4/conf/eth0/rp_filter"]]
    layer.read(101.0 + SYSCTLS_INTERVAL, addresses())
    assert len(readings) == 3
