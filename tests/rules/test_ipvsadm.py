"""ipvsadm's -e and -E reset every option that is missing, so the commands contain all of them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kvtui.model.ipvs import ForwardingMethod, IpvsTable, Protocol
from kvtui.rules.ipvsadm import edit_service, edit_weight, service
from kvtui.rules.observe import observe
from tests.kit import VIP, addresses, keepalived, real, snapshot, table
from tests.triage.case import backup, suspected


def of(kernel: IpvsTable) -> Any:
    """Returns the view of its one virtual server."""
    return (observe(snapshot(ipvs=kernel)).virtual_servers or ())[0]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({}, "-m -w 7"),
        ({"upper_threshold": 100, "lower_threshold": 80}, "-m -w 7 -x 100 -y 80"),
        ({"method": ForwardingMethod.DIRECT}, "-g -w 7"),
        ({"method": ForwardingMethod.LOCAL}, "-m -w 7"),
        ({"method": ForwardingMethod.TUNNEL}, "-i -w 7 --tun-type ipip"),
        (
            {"method": ForwardingMethod.TUNNEL, "tunnel_type": 1, "tunnel_port": 6080, "tunnel_flags": 1},
            "-i -w 7 --tun-type gue --tun-port 6080 --tun-csum",
        ),
        ({"method": ForwardingMethod.TUNNEL, "tunnel_type": 2}, "-i -w 7 --tun-type gre --tun-nocsum"),
    ],
)
def test_an_edited_weight_keeps_method_thresholds_and_tunnel(changes: dict[str, Any], options: str) -> None:
    kernel = table(real(5, **changes))
    command = edit_weight(kernel, of(kernel), ("10.2.68.5", 8080), 7)
    assert command == f"ipvsadm -e -t {VIP}:80 -r 10.2.68.5:8080 {options}"


def test_an_edited_service_keeps_flags_netmask_engine_and_ops() -> None:
    base = table(real(5))
    virtual = replace(
        base.virtual_servers[0],
        scheduler="sh",
        flags=("hashed", "ops", "persistent", "sched-flag-1", "sched-flag-2"),
        netmask=24,
        persistence_engine="sip",
    )
    kernel = replace(base, virtual_servers=(virtual,))
    command = edit_service(kernel, of(kernel), "sh", 300)
    assert command == f"ipvsadm -E -t {VIP}:80 -s sh -p 300 -M 255.255.255.0 --pe sip -b flag-1,flag-2 -o"
    assert edit_service(kernel, of(kernel), "wlc", None) == f"ipvsadm -E -t {VIP}:80 -s wlc -o"


def test_a_mark_of_ipv6_names_its_family() -> None:
    base = table(real(5, address="fd00::5"))
    virtual = replace(
        base.virtual_servers[0], address=None, port=None, fwmark=7, family=6, protocol=Protocol.FWMARK, netmask=64
    )
    kernel = replace(base, virtual_servers=(virtual,))
    assert service(of(kernel)) == "-f 7 -6"
    assert edit_service(kernel, of(kernel), "rr", 60) == "ipvsadm -E -f 7 -6 -s rr -p 60 -M 64"


def test_remedies_enter_the_network_namespace_of_keepalived() -> None:
    away = keepalived(own_netns=False)
    found = suspected(backup(keepalived=(away,), addresses=addresses(VIP)))["vip-on-backup"]
    assert found.remedy.startswith("nsenter -t 820 -n ip addr del ")
    assert not suspected(backup(addresses=addresses(VIP)))["vip-on-backup"].remedy.startswith("nsenter")
