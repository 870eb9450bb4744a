"""The config that the controller should have written: byte for byte as its real templates render it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.addresses import AddressTable, InterfaceAddress
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.kube import EndpointPort, Kube, KubeNode, ServicePort
from kvtui.model.mapping import Dialect
from kvtui.rules.mapping import template
from kvtui.rules.mapping.controller import ControllerSettings, settings_of
from kvtui.rules.mapping.expected import ExpectedConfig, expected
from kvtui.rules.mapping.template import MappingBlock
from tests import kit
from tests.growth import ratio
from tests.kit.kube import configmap, controller, endpoint, group, kube, node, service, snapshot
from tests.shared import shared_path

if TYPE_CHECKING:
    from collections.abc import Callable

VIP, VIP2, VIP_ALONE = "10.4.0.50", "10.4.0.51", "10.4.0.60"
HERE = ControllerSettings(interface="eth0", address="10.4.0.3", node_addresses=("10.4.0.5", "10.4.0.3", "10.4.0.4"))

ECHO = ("default", "echoheaders")
DNS = ("kube-system", "kube-dns")
INGRESS = ("default", "nginx-ingress-lb")


def cluster(data: dict[str, str]) -> Kube:
    """Returns the Services of the golden renderings."""
    dns = (EndpointPort("dns", 53, "UDP"), EndpointPort("dns-tcp", 53))
    first, second = endpoint(5), endpoint(6)
    served = {
        ECHO: (ServicePort("", 80, 8080), (group(second, first),)),
        DNS: (ServicePort("dns", 53, 53, "UDP"), (group(replace(first, address="10.2.1.3"), ports=dns),)),
        ("kube", "system-kube-dns"): (
            ServicePort("dns", 53, 53, "UDP"),
            (group(replace(first, address="10.2.1.3"), ports=dns),),
        ),
        INGRESS: (ServicePort("http", 80, 80), (group(first, ports=(EndpointPort("http", 80),)),)),
    }
    return kube(
        configmap=configmap(data),
        services={key: service(key[1], port, namespace=key[0]) for key, (port, _) in served.items()},
        endpoints={key: groups for key, (_, groups) in served.items()},
    )


NAT = {VIP: "default/echoheaders"}
GOLDEN: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "nat": (NAT, {}),
    "empty": ({}, {}),
    "viponly": ({VIP_ALONE: ""}, {}),
    "nat+vip+unicast": ({**NAT, VIP_ALONE: ""}, {"unicast": True}),
    "udp": ({VIP2: "kube-system/kube-dns"}, {}),
    "notify": (NAT, {"notify": "/notify.sh"}),
    "proxymode": ({VIP: "default/nginx-ingress-lb:PROXY"}, {"proxy_mode": True}),
    "proxy-value-without-proxymode": ({VIP: "default/nginx-ingress-lb:PROXY"}, {}),
}
CASES = [
    *(("aledbf", Dialect.ALEDBF, what) for what in GOLDEN),
    *(("c011", Dialect.CONTRIB, what) for what in ("nat", "empty", "viponly")),
    *(("c09", Dialect.V09, what) for what in ("nat", "empty", "udp")),
]


@pytest.mark.parametrize(("prefix", "dialect", "what"), CASES)
def test_every_golden_rendering_byte_for_byte(prefix: str, dialect: Dialect, what: str) -> None:
    data, changes = GOLDEN[what]
    if (prefix, what) == ("c09", "udp"):
        data = {VIP2: "kube/system-kube-dns"}  # the author of this rendering put the slash there
    wanted = shared_path("confs", f"golden-{prefix}-{what}.conf").read_bytes()
    found = expected(cluster(data), replace(HERE, dialect=dialect, **changes))
    assert found.missing == ()
    assert found.text is not None
    assert found.text.encode() == wanted


@pytest.mark.parametrize("what", ["viponly", "nat+vip+unicast"])
def test_the_rendering_of_a_vip_only_entry_that_0_9_skips(what: str) -> None:
    """The golden file renders an entry that the controller's grammar rejects; kvtui's renderer gets the same entry."""
    alone = MappingBlock("", VIP_ALONE, 0, "TCP", template.VIP_ONLY, ())
    echo = MappingBlock("default/echoheaders", VIP, 80, "TCP", "NAT", (("10.2.68.5", 8080), ("10.2.68.6", 8080)))
    settings = replace(HERE, dialect=Dialect.V09, unicast=what != "viponly")
    blocks = (alone, echo) if settings.unicast else (alone,)
    wanted = shared_path("confs", f"golden-c09-{what}.conf").read_bytes()
    assert template.render(settings, blocks).encode() == wanted


def test_all_golden_files_are_tested() -> None:
    asked = {f"golden-{prefix}-{what}.conf" for prefix, _, what in CASES}
    asked |= {"golden-c09-viponly.conf", "golden-c09-nat+vip+unicast.conf"}
    assert asked == {p.name for p in shared_path("confs").glob("golden-*.conf")}


def one(**changes: Any) -> ExpectedConfig:
    return expected(kube(**changes), HERE)


def keys(found: ExpectedConfig) -> list[tuple[str, int, str, tuple[tuple[str, int], ...]]]:
    return [(s.vip, s.port, s.protocol, tuple(b.key for b in s.backends)) for s in found.servers]


def test_the_structure_matches_the_text() -> None:
    found = one()
    assert found.vips == (VIP,)
    assert keys(found) == [(VIP, 80, "TCP", (("10.2.68.5", 8080), ("10.2.68.6", 8080)))]
    server = found.servers[0]
    assert (server.namespace, server.service, server.method) == ("default", "nginx", "NAT")
    assert [b.pod for b in server.backends] == [("default", "nginx-5"), ("default", "nginx-6")]
    assert (found.interface, found.vrid, found.priority) == ("eth0", 50, 100)
    assert (found.unicast_source, found.unicast_peers) == (None, ())
    assert found.skipped == ()


def test_only_ready_endpoints_become_real_servers() -> None:
    groups = (group(endpoint(5), endpoint(6, ready=False)), group(endpoint(7, ready=False, terminating=True)))
    found = one(endpoints={("default", "nginx"): groups})
    assert keys(found) == [(VIP, 80, "TCP", (("10.2.68.5", 8080),))]
    assert [b.key for b in found.servers[0].others] == [("10.2.68.6", 8080), ("10.2.68.7", 8080)]


def test_a_vip_whose_service_has_no_ready_endpoint_vanishes() -> None:
    data = {VIP: "default/nginx", VIP_ALONE: ""}
    found = one(configmap=configmap(data), endpoints={("default", "nginx"): (group(endpoint(5, ready=False)),)})
    assert found.vips == (VIP_ALONE,)
    assert found.servers == ()
    assert [(s.vip, s.port, s.why) for s in found.skipped] == [(VIP, 80, "its only endpoint is not ready")]
    assert found.text is not None
    assert VIP not in found.text


def test_one_ready_port_keeps_the_vip() -> None:
    ports = (ServicePort("http", 80, 8080), ServicePort("https", 443, 8443))
    found = one(services={("default", "nginx"): service("nginx", *ports)})
    assert keys(found) == [(VIP, 80, "TCP", (("10.2.68.5", 8080), ("10.2.68.6", 8080)))]
    assert [(s.port, s.why) for s in found.skipped] == [(443, "no endpoint has port 8443 (they have (no name) 8080)")]
    assert found.vips == (VIP,)


def test_a_named_target_port_is_compared_with_the_endpoint_ports_name() -> None:
    named = {("default", "nginx"): service("nginx", ServicePort("web", 80, "http"))}
    same = {("default", "nginx"): (group(endpoint(5), ports=(EndpointPort("http", 8080),)),)}
    other = {("default", "nginx"): (group(endpoint(5), ports=(EndpointPort("web", 8080),)),)}
    assert keys(one(services=named, endpoints=same)) == [(VIP, 80, "TCP", (("10.2.68.5", 8080),))]
    found = one(services=named, endpoints=other)
    assert found.vips == ()
    assert found.skipped[0].why == (
        'targetPort "http" is a name; the controller compares it with the names of the Service\'s ports '
        "(web 8080): give the Service's port the same name, or use a number"
    )


def test_backends_are_sorted_as_text_across_slices() -> None:
    groups = (group(endpoint(9), endpoint(10)), group(endpoint(100)))
    found = one(endpoints={("default", "nginx"): groups})
    assert [b.address for b in found.servers[0].backends] == ["10.2.68.10", "10.2.68.100", "10.2.68.9"]


def test_servers_are_sorted_by_name_vip_and_port() -> None:
    ports = (ServicePort("b", 443, 8080), ServicePort("a", 80, 8080))
    data = {"10.4.0.9": "default/nginx", "10.4.0.10": "default/nginx", "10.4.0.1": "apps/web", "10.4.0.2": ""}
    found = one(
        configmap=configmap(data),
        services={("default", "nginx"): service("nginx", *ports), ("apps", "web"): service("web", namespace="apps")},
        endpoints={k: (group(endpoint(5)),) for k in (("default", "nginx"), ("apps", "web"))},
    )
    assert [(s.vip, s.port) for s in found.servers] == [
        ("10.4.0.1", 80), ("10.4.0.10", 80), ("10.4.0.10", 443), ("10.4.0.9", 80), ("10.4.0.9", 443),
    ]  # fmt: skip
    assert found.vips == ("10.4.0.2", "10.4.0.1", "10.4.0.10", "10.4.0.9")


def test_a_dual_stack_service_has_the_endpoints_of_its_first_family() -> None:
    six = replace(endpoint(5), address="fd00::5")
    both = {("default", "nginx"): (group(endpoint(5)), group(six))}
    assert keys(one(endpoints=both)) == [(VIP, 80, "TCP", (("10.2.68.5", 8080),))]
    first_six = {("default", "nginx"): service("nginx", cluster_ip="fd00:96::a")}
    assert keys(one(endpoints=both, services=first_six)) == [(VIP, 80, "TCP", (("fd00::5", 8080),))]
    headless = {("default", "nginx"): service("nginx", cluster_ip=None)}
    assert keys(one(endpoints=both, services=headless)) == [(VIP, 80, "TCP", (("10.2.68.5", 8080),))]


def test_a_missing_or_unwatched_service_is_skipped() -> None:
    found = one(services={})
    assert (found.vips, found.skipped[0].why) == ((), "Service default/nginx does not exist")
    found = expected(kube(), replace(HERE, namespace="apps"))
    assert found.skipped[0].why == "Service default/nginx does not exist in apps, the only watched namespace"


def test_data_that_was_not_read_is_missing_and_not_empty() -> None:
    assert one(configmap=None).missing == ("the ConfigMap default/vip-configmap was not read",)
    assert one(configmap=None, configmap_missing=True).missing == (
        "the ConfigMap default/vip-configmap does not exist",
    )
    assert one(configmap=None, configmap_name=None).missing == (
        "the controller's ConfigMap is unknown: set --configmap NAMESPACE/NAME",
    )
    found = one(services=None, endpoints=None)
    assert (found.read, found.text) == (False, None)
    assert found.missing == ("the Services were not read", "the endpoints were not read")
    blind = expected(kube(), replace(HERE, node_addresses=None))
    assert (blind.read, blind.text, blind.vips) == (True, None, (VIP,))
    assert len(blind.missing) == 1


@pytest.mark.parametrize(
    ("addresses", "mine", "priority"),
    [
        (("10.87.2.4", "10.87.2.6", "10.87.2.8", "10.87.2.10", "10.87.2.12"), "10.87.2.10", 100),
        (("10.87.2.4", "10.87.2.6", "10.87.2.8", "10.87.2.10", "10.87.2.12"), "10.87.2.12", 101),
        (("10.87.2.4", "10.87.2.6", "10.87.2.8", "10.87.2.10", "10.87.2.12"), "10.87.2.4", 102),
        (("10.87.2.4", "10.87.2.6"), "192.0.2.1", 99),
    ],
)
def test_priority_is_the_position_among_addresses_sorted_as_text(
    addresses: tuple[str, ...], mine: str, priority: int
) -> None:
    settings = ControllerSettings(address=mine, node_addresses=addresses)
    assert settings.computed_priority() == priority
    assert settings.computed_peers() == tuple(sorted(set(addresses) - {mine}))


def nodes(*which: KubeNode) -> dict[str, KubeNode]:
    return {n.name: n for n in which}


def test_settings_come_from_the_controllers_flags_and_its_node() -> None:
    flags = controller("--use-unicast", "--vrid", "51", "--watch-namespace=apps", vrid=51, notify="/n.sh")
    seen = snapshot(keepalived=(kit.keepalived(controller=flags),))
    found = settings_of(seen)
    assert (found.unicast, found.vrid, found.namespace, found.notify) == (True, 51, "apps", "/n.sh")
    assert (found.interface, found.address, found.proxy_mode) == ("eth0", "10.4.0.3", False)
    assert found.computed_priority() == 100
    assert found.computed_peers() == ("10.4.0.4", "10.4.0.5")


@pytest.mark.parametrize(("flag", "on"), [("--use-unicast=true", True), ("--use-unicast=false", False)])
def test_a_boolean_flag_with_a_value(flag: str, on: bool) -> None:
    assert settings_of(snapshot(keepalived=(kit.keepalived(controller=controller(flag)),))).unicast is on


def test_the_external_address_comes_first() -> None:
    both = node(0, external_ips=("192.0.2.3",))
    known = replace(kube(), nodes=nodes(both, node(1)))
    held = AddressTable((InterfaceAddress("192.0.2.3", 24, "eth1"),), (), kit.NOW)
    found = settings_of(snapshot(kube=known, addresses=held), dialect=Dialect.ALEDBF)
    assert (found.address, found.interface, found.computed_priority()) == ("192.0.2.3", "eth1", 101)
    older = settings_of(snapshot(kube=known, addresses=held), dialect=Dialect.V09)
    assert older.computed_priority() == 99  # its own list has the InternalIP


def test_the_interface_is_the_one_whose_first_address_belongs_to_the_node() -> None:
    def interface(*held: InterfaceAddress) -> str | None:
        return settings_of(snapshot(addresses=AddressTable(held, (), kit.NOW))).interface

    mine = InterfaceAddress("10.4.0.3", 24, "eth0")
    assert interface(InterfaceAddress("127.0.0.1", 8, "lo", scope="host"), mine) == "eth0"
    assert interface(InterfaceAddress("10.9.0.1", 24, "eth0"), mine) == ""
    assert interface(replace(mine, interface="cali123")) == ""
    assert interface() == ""
    flagged = controller("--iface=ens3", interface="ens3")
    assert settings_of(snapshot(keepalived=(kit.keepalived(controller=flagged),))).interface == "ens3"


def test_without_nodes_priority_and_peers_come_from_the_file_and_are_marked_so() -> None:
    conf = kit.conf()
    ours = replace(conf.instances[0], priority=107, unicast_peers=("10.4.0.9",), unicast_source="10.4.0.3")
    seen = snapshot(kube=kube(nodes=None), conf=replace(conf, instances=(ours,)))
    found = settings_of(seen)
    assert (found.computed_priority(), found.computed_peers(), found.address) == (107, ("10.4.0.9",), "10.4.0.3")
    assert any("come from keepalived.conf" in a for a in found.assumptions)


def test_the_config_of_another_node_can_be_rendered() -> None:
    found = settings_of(snapshot(), node="node-c")
    assert (found.address, found.computed_priority(), found.interface) == ("10.4.0.5", 102, "eth0")
    assert "node node-c is assumed to use the interface eth0, like this node" in found.assumptions
    assert settings_of(snapshot(), node="nobody").computed_priority() is None


def test_which_controller_wrote_the_config() -> None:
    def guess(*flags: str, service: str | None = None, **more: Any) -> tuple[Dialect, str]:
        conf = kit.conf()
        virtual = replace(conf.virtual_servers[0], service=service, **more)
        k = kit.keepalived(controller=controller(*flags), version="2.2.7")
        found = settings_of(snapshot(keepalived=(k,), conf=replace(conf, virtual_servers=(virtual,))))
        return (found.dialect, found.why_dialect)

    assert guess("--http-port=8080") == (Dialect.ALEDBF, "only this controller has --http-port")
    assert guess("--vrrp-version=2") == (Dialect.CONTRIB, "only this controller has --vrrp-version")
    assert guess(service="default-nginx") == (
        Dialect.ALEDBF,
        "keepalived.conf names a Service default-nginx, with a dash",
    )
    assert guess(service="default/nginx") == (
        Dialect.V09,
        "keepalived.conf names a Service default/nginx, with a slash, and uses nothing newer than 0.9",
    )
    assert guess(service="default/nginx", method=ForwardingMethod.DIRECT)[0] is Dialect.CONTRIB
    assert guess(service="default/nginx", address="10.4.0.99")[0] is Dialect.CONTRIB  # the VIP has no server
    assert guess() == (Dialect.ALEDBF, "default")
    assert settings_of(snapshot(), dialect=Dialect.CONTRIB).why_dialect == "given by option"


def test_ten_thousand_real_servers_take_linear_time() -> None:
    """The bound is a ratio: four times as many endpoints may take at most ten times as long."""

    def of(count: int) -> Callable[[], object]:
        many = tuple(replace(endpoint(1), address=f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(count))
        known = kube(endpoints={("default", "nginx"): (group(*many),)})
        return lambda: expected(known, HERE).text

    assert of(1)()
    assert ratio(of(10_000), of(2_500)) < 10
