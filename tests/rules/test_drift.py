"""Expected, file and running config: every kind of difference, with its objects and its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.kube import ServicePort
from kvtui.model.vrrp import VirtualAddress
from kvtui.rules.mapping.controller import ControllerSettings
from kvtui.rules.mapping.drift import Difference, DifferenceKind, ServerKey, drift, edited
from kvtui.rules.mapping.expected import expected
from tests import kit
from tests.growth import ratio
from tests.kit.kube import NGINX, configmap, endpoint, group, kube, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.conf import Conf, ConfInstance, ConfRealServer, ConfVirtualServer

VIP = kit.VIP
KEY = ServerKey(VIP, 80, Protocol.TCP)
HERE = ControllerSettings(interface="eth0", address="10.4.0.3", node_addresses=kit.NODES)


def instance(**changes: Any) -> ConfInstance:
    """Returns the instance as the controller writes it."""
    base = replace(kit.conf().instances[0], state="BACKUP")
    return replace(base, **changes)


def server(*reals: ConfRealServer, **changes: Any) -> ConfVirtualServer:
    base = replace(kit.conf(*reals).virtual_servers[0], persistence_timeout=1800)
    return replace(base, **changes)


def written(*servers: ConfVirtualServer, **changes: Any) -> Conf:
    """Returns a config with these virtual servers and the one instance."""
    return kit.conf(instances=(instance(**changes),), virtual_servers=servers)


BOTH = (kit.conf_real(5), kit.conf_real(6))


def differences(conf: Conf, **cluster: Any) -> tuple[Difference, ...]:
    return drift(expected(kube(**cluster), HERE), conf)


def test_the_controllers_own_config_has_no_difference() -> None:
    assert differences(written(server(*BOTH))) == ()
    assert differences(written(server(*reversed(BOTH)))) == ()
    assert differences(written(server(*(replace(r, weight=None) for r in BOTH)))) == ()


def test_a_real_server_is_missing() -> None:
    (found,) = differences(written(server(kit.conf_real(5))))
    assert found == Difference(
        DifferenceKind.REAL_MISSING,
        "virtual server 10.4.0.50:80 lacks real server 10.2.68.6:8080, a ready endpoint (pod default/nginx-6)",
        VIP,
        KEY,
        ("10.2.68.6", 8080),
        service=NGINX,
        pod=("default", "nginx-6"),
    )


def test_a_real_server_too_many() -> None:
    (found,) = differences(written(server(*BOTH, kit.conf_real(7))))
    assert (found.kind, found.real) == (DifferenceKind.REAL_EXTRA, ("10.2.68.7", 8080))
    assert found.text == (
        "virtual server 10.4.0.50:80 has real server 10.2.68.7:8080, which is not an endpoint of default/nginx"
    )
    groups = {NGINX: (group(endpoint(5), endpoint(6, ready=False)),)}
    (unready,) = differences(written(server(*BOTH)), endpoints=groups)
    assert (unready.kind, unready.pod) == (DifferenceKind.REAL_EXTRA, ("default", "nginx-6"))
    assert unready.text == (
        "virtual server 10.4.0.50:80 has real server 10.2.68.6:8080, whose endpoint is not ready (pod default/nginx-6)"
    )


def test_another_weight() -> None:
    (found,) = differences(written(server(kit.conf_real(5), kit.conf_real(6, weight=0))))
    assert (found.kind, found.value, found.wanted, found.found) == (DifferenceKind.WEIGHT, "weight", "1", "0")
    assert found.text == (
        "virtual server 10.4.0.50:80: weight of real server 10.2.68.6:8080 is 0; the controller would write 1"
    )


@pytest.mark.parametrize(
    ("change", "value", "wanted", "found"),
    [
        ({"scheduler": "rr"}, "lvs_sched", "wlc", "rr"),
        ({"method": ForwardingMethod.DIRECT}, "lvs_method", "NAT", "DR"),
        ({"persistence_timeout": None}, "persistence_timeout", "1800", None),
    ],
)
def test_a_value_of_a_virtual_server(change: dict[str, Any], value: str, wanted: str, found: str | None) -> None:
    (one,) = differences(written(server(*BOTH, **change)))
    assert (one.kind, one.server, one.value, one.wanted, one.found) == (
        DifferenceKind.SERVER_VALUE, KEY, value, wanted, found,
    )  # fmt: skip
    sentence = f"virtual server 10.4.0.50:80: {value} is {found or 'missing'}; the controller would write {wanted}"
    assert one.text == sentence


@pytest.mark.parametrize(
    ("change", "value", "text"),
    [
        (
            {"priority": 90},
            "priority",
            (
                "instance vips: priority is 90; the controller would write 100 (it computed this once, at its start, "
                "from the nodes at that time)"
            ),
        ),
        ({"vrid": 51}, "virtual_router_id", "instance vips: virtual_router_id is 51; the controller would write 50"),
        ({"interface": "eth1"}, "interface", "instance vips: interface is eth1; the controller would write eth0"),
        ({"nopreempt": False}, "nopreempt", "instance vips: nopreempt is missing; the controller would write yes"),
        ({"state": "MASTER"}, "state", "instance vips: state is MASTER; the controller would write BACKUP"),
        (
            {"unicast_source": "10.4.0.3"},
            "unicast_src_ip",
            "instance vips: unicast_src_ip is 10.4.0.3; the controller would write none",
        ),
    ],
)
def test_a_value_of_the_instance(change: dict[str, Any], value: str, text: str) -> None:
    (one,) = differences(written(server(*BOTH), **change))
    assert (one.kind, one.value, one.text, one.vip) == (DifferenceKind.INSTANCE_VALUE, value, text, None)


def test_unicast_peers_in_any_order() -> None:
    unicast = expected(kube(), replace(HERE, unicast=True))
    peers = ("10.4.0.5", "10.4.0.4")
    same = written(server(*BOTH), unicast_source="10.4.0.3", unicast_peers=peers)
    assert drift(unicast, same) == ()
    (one,) = drift(unicast, written(server(*BOTH), unicast_source="10.4.0.3", unicast_peers=("10.4.0.4",)))
    assert (one.value, one.wanted, one.found) == ("unicast_peer", "10.4.0.4, 10.4.0.5", "10.4.0.4")


def test_a_vip_and_its_virtual_server_are_missing() -> None:
    empty = written(vips=())
    assert [(d.kind, d.vip, d.server, d.service, d.text) for d in differences(empty)] == [
        (DifferenceKind.VIP_MISSING, VIP, None, NGINX, f"VIP {VIP} is missing: default/nginx has ready endpoints"),
        (DifferenceKind.SERVER_MISSING, VIP, KEY, NGINX, f"virtual server {VIP}:80 (default/nginx) is missing"),
    ]
    (alone,) = differences(empty, configmap=configmap({VIP: ""}))
    assert alone.text == f"VIP {VIP} is missing: the ConfigMap has it"


@pytest.mark.parametrize(
    ("cluster", "vip_reason", "server_reason"),
    [
        (
            {"endpoints": {NGINX: (group(endpoint(5, ready=False)),)}},
            "its only endpoint is not ready",
            "its only endpoint is not ready",
        ),
        ({"services": {}}, "Service default/nginx does not exist", "Service default/nginx does not exist"),
        ({"configmap": configmap({})}, "the ConfigMap does not have it", "the ConfigMap maps its VIP to no Service"),
    ],
)
def test_a_vip_and_its_virtual_server_should_not_be_there(
    cluster: dict[str, Any], vip_reason: str, server_reason: str
) -> None:
    assert [(d.kind, d.text) for d in differences(written(server(*BOTH)), **cluster)] == [
        (DifferenceKind.VIP_EXTRA, f"VIP {VIP} is not expected: {vip_reason}"),
        (DifferenceKind.SERVER_EXTRA, f"virtual server {VIP}:80 is not expected: {server_reason}"),
    ]


def test_a_port_that_the_service_does_not_have() -> None:
    (one,) = differences(written(server(*BOTH), server(*BOTH, port=81)))
    assert (one.server, one.text) == (
        ServerKey(VIP, 81, Protocol.TCP),
        f"virtual server {VIP}:81 is not expected: default/nginx has no such port",
    )


def test_protocols_are_distinguished() -> None:
    both = {NGINX: service("nginx", ServicePort("t", 80, 8080), ServicePort("u", 80, 8080, "UDP"))}
    (one,) = differences(written(server(*BOTH)), services=both)
    assert (one.kind, one.server) == (DifferenceKind.SERVER_MISSING, ServerKey(VIP, 80, Protocol.UDP))
    assert one.text == f"virtual server UDP {VIP}:80 (default/nginx) is missing"


def test_a_key_that_keepalived_skips_is_not_missed() -> None:
    data = {VIP: "default/nginx", "key": "default/nginx", "010.4.0.1": ""}
    assert differences(written(server(*BOTH)), configmap=configmap(data)) == ()


def test_without_data_there_is_no_difference() -> None:
    assert differences(written(server(*BOTH)), configmap=None) == ()
    assert differences(written(), services=None) == ()


def test_without_nodes_the_priority_is_not_compared() -> None:
    blind = expected(kube(), replace(HERE, node_addresses=None))
    assert drift(blind, written(server(*BOTH), priority=7)) == ()
    assert len(drift(blind, written(server(kit.conf_real(5)), priority=7))) == 1


def test_the_file_was_edited_and_not_reloaded() -> None:
    running = written(server(*BOTH))
    assert edited(running, running) == ()
    more = (VirtualAddress(VIP, 32), VirtualAddress("10.4.0.60", 32))
    file = written(server(kit.conf_real(5), kit.conf_real(7), scheduler="rr"), priority=90, vips=more)
    assert [d.text for d in edited(file, running)] == [
        "VIP 10.4.0.60 is only in the file, not in the running config",
        f"virtual server {VIP}:80: lvs_sched is rr in the file, wlc in the running config",
        f"virtual server {VIP}:80: real server 10.2.68.7:8080 is only in the file, not in the running config",
        f"virtual server {VIP}:80: real server 10.2.68.6:8080 is only in the running config, not in the file",
        "instance vips: priority is 90 in the file, 100 in the running config",
    ]


def test_many_real_servers_take_linear_time() -> None:
    """The bound is a ratio: four times as many different servers may take at most ten times as long."""

    def of(count: int) -> Callable[[], None]:
        addresses = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count)]
        known = kube(endpoints={NGINX: (group(*(replace(endpoint(1), address=a) for a in addresses)),)})
        wanted = expected(known, HERE)
        conf = written(server(*(replace(kit.conf_real(1), address=a, port=81) for a in addresses)))

        def work() -> None:
            assert len(drift(wanted, conf)) == 2 * count

        return work

    assert ratio(of(4_000), of(1_000)) < 10
