"""Weights: the only value that kvtui writes into an IPVS table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.backend.ipvs.errors import NotInTableError
from kvtui.backend.ipvs.writer import set_weight
from kvtui.model.ipvs import Protocol
from tests.ipvs.ipvsadm import columns, ipvsadm
from tests.lab.ipvs.tables import NETNS

if TYPE_CHECKING:
    from kvtui.model.ipvs import ServiceKey


WEIGHTS: list[tuple[str, ServiceKey, tuple[str, int]]] = [
    ("NAT with thresholds", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.1", 8080)),
    ("direct", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.2", 80)),
    ("ipip", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.3", 80)),
    ("gue with checksum", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.4", 80)),
    ("gue without", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.5", 80)),
    ("gre", (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.6", 80)),
    ("IPv6 tunnel of an IPv4 service", (Protocol.TCP, "10.0.0.1", 80, 0), ("fd01::7", 80)),
    ("IPv6 NAT with thresholds", (Protocol.TCP, "fd00::1", 443, 0), ("fd01::1", 8443)),
    ("IPv6 direct", (Protocol.TCP, "fd00::1", 443, 0), ("fd01::2", 443)),
    ("UDP", (Protocol.UDP, "10.0.0.1", 53, 0), ("10.1.0.1", 53)),
    ("SCTP", (Protocol.SCTP, "10.0.0.1", 99, 0), ("10.1.0.1", 99)),
    ("every port", (Protocol.TCP, "10.0.0.3", 0, 0), ("10.1.0.1", 0)),
    ("fwmark", (Protocol.FWMARK, "", 0, 7), ("10.1.0.2", 0)),
    ("IPv6 fwmark", (Protocol.FWMARK, "::", 0, 8), ("fd01::1", 0)),
]


@pytest.mark.parametrize(("service", "real"), [case[1:] for case in WEIGHTS], ids=[case[0] for case in WEIGHTS])
def test_setting_a_weight_changes_the_weight_and_nothing_else(
    rules: int, service: ServiceKey, real: tuple[str, int]
) -> None:
    def everything() -> tuple[list[str], dict[tuple[str, str], tuple[str, ...]]]:
        return ipvsadm(NETNS, "-Sn").splitlines(), columns(ipvsadm(NETNS, "-Ln", "--thresholds"))

    lines_before, limits = everything()
    before, after = set_weight(rules, service, real, 77)
    assert after == replace(before, weight=77)
    assert before.weight != 77
    lines_after, limits_after = everything()
    changed = [(a, b) for a, b in zip(lines_before, lines_after, strict=True) if a != b]
    ((old, new),) = changed
    assert new == old.replace(f" -w {before.weight}", " -w 77")
    assert limits_after == limits
    # the old weight restores the table
    assert set_weight(rules, service, real, before.weight) == (after, before)
    assert everything() == (lines_before, limits)


@pytest.mark.parametrize("weight", [0, 65535])
def test_the_bounds_of_a_weight(rules: int, weight: int) -> None:
    _, after = set_weight(rules, (Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.4", 80), weight)
    assert after.weight == weight
    assert f"-r 10.1.0.4:80 -i -w {weight} --tun-type gue --tun-port 6080 --tun-csum" in ipvsadm(NETNS, "-Sn")


@pytest.mark.parametrize(
    ("service", "real"),
    [
        ((Protocol.TCP, "10.0.0.1", 80, 0), ("10.1.0.99", 80)),
        ((Protocol.TCP, "10.0.0.99", 80, 0), ("10.1.0.1", 8080)),
    ],
    ids=["no such real server", "no such virtual server"],
)
def test_a_server_that_is_not_in_the_table_is_not_added(rules: int, service: ServiceKey, real: tuple[str, int]) -> None:
    before = ipvsadm(NETNS, "-Sn")
    with pytest.raises(NotInTableError, match=f"has no {real[0]}:{real[1]} of TCP {service[1]}:80"):
        set_weight(rules, service, real, 0)
    assert ipvsadm(NETNS, "-Sn") == before
