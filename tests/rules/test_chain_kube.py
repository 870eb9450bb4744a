"""The chain's first layers: what the API says about a VIP, and what the layers below should then have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.ipvs import Protocol
from kvtui.model.kube import EndpointPort, Kube, Pod, Resource, ResourceState, ServicePort
from kvtui.model.observation import Observation, PodView
from kvtui.model.source import SourceState
from kvtui.rules.chain import LAYERS, ChainIndex, Layer, Links, Mark, Port, chain_of, first_break, port_chain, whole
from kvtui.rules.observe import observe
from tests.kit import NOW, VIP, conf, conf_real, keepalived, real, table
from tests.kit import kube as build_kube
from tests.kit.kube import NGINX, configmap, controller, endpoint, group, service

if TYPE_CHECKING:
    from kvtui.model.conf import Conf

PORT = ServicePort("", 80, 8080)
ALL_OK = dict.fromkeys(LAYERS, Mark.OK)
AGED = tuple(ResourceState(r, SourceState.OK, "", NOW - n) for n, r in enumerate(Resource))
"""The age of each kind is its position."""


def kube(data: dict[str, str] | None = None, **changes: Any) -> Kube:
    """Returns the tutorial's mapping: VIP → default/nginx, two ready endpoints."""
    return build_kube.kube(**{"configmap": configmap(data), "resources": AGED} | changes)


def see(cluster: Kube, **changes: Any) -> Observation:
    newer = {
        "keepalived": (keepalived(controller=controller("--iface=eth0")),)
    }  # a flag that only aledbf's controller has
    return observe(build_kube.snapshot(kube=cluster, **newer | changes))


def marks(found: Links) -> dict[Layer, Mark]:
    assert [link.layer for link in found] == list(LAYERS)
    return {link.layer: link.mark for link in found}


def details(found: Links) -> dict[Layer, str]:
    return {link.layer: link.detail for link in found}


def test_every_layer_of_the_tutorials_case_is_ok() -> None:
    found = chain_of(ChainIndex(see(kube())), VIP)
    assert marks(found) == ALL_OK
    assert whole(found) is True
    assert [link.detail for link in found[:4]] == [
        "default/vip-configmap maps it to default/nginx with NAT",
        "default/nginx 80/TCP to targetPort 8080",
        "2 ready: nginx-5 on node-b (10.2.68.5:8080), nginx-6 on node-b (10.2.68.6:8080)",
        "in instance vips; virtual server 10.4.0.50:80 has 2 real servers",
    ]


def test_the_apis_layers_have_the_age_of_the_kinds_that_they_use() -> None:
    ages = {r: float(n) for n, r in enumerate(Resource)}
    assert [link.age for link in chain_of(ChainIndex(see(kube())), VIP)[:3]] == [
        ages[Resource.CONFIGMAPS],
        ages[Resource.SERVICES],
        ages[Resource.ENDPOINTS],
    ]


def without(kind: Resource, detail: str) -> tuple[ResourceState, ...]:
    return tuple(
        ResourceState(r, SourceState.UNAVAILABLE, detail) if r is kind else s
        for r, s in zip(Resource, AGED, strict=True)
    )


UNREADY = {NGINX: (group(endpoint(5, ready=False), endpoint(6, ready=False)),)}
CRASHING = {
    ("default", f"nginx-{n}"): Pod(
        "default", f"nginx-{n}", "node-b", f"10.2.68.{n}", ready=False, phase="Running", reason="CrashLoopBackOff"
    )
    for n in (5, 6)
}
BROKEN: dict[str, tuple[dict[str, Any], dict[Layer, Mark], str]] = {
    "no entry": (
        {"data": {}},
        {Layer.CONFIGMAP: Mark.BROKEN, Layer.SERVICE: Mark.NONE, Layer.ENDPOINTS: Mark.NONE},
        "ConfigMap default/vip-configmap has no entry for 10.4.0.50",
    ),
    "a bad entry": (
        {"data": {VIP: "nginx"}},
        {Layer.CONFIGMAP: Mark.BROKEN, Layer.SERVICE: Mark.NONE, Layer.ENDPOINTS: Mark.NONE},
        'the controller skips its entry: "nginx" has no slash: expected namespace/service',
    ),
    "no ConfigMap": (
        {"configmap": None, "configmap_missing": True},
        {Layer.CONFIGMAP: Mark.BROKEN, Layer.SERVICE: Mark.NONE, Layer.ENDPOINTS: Mark.NONE},
        "the API has no ConfigMap default/vip-configmap",
    ),
    "no Service": (
        {"services": {}},
        {Layer.SERVICE: Mark.BROKEN, Layer.ENDPOINTS: Mark.NONE},
        "the API has no Service default/nginx: the controller skips the entry",
    ),
    "the Service lost its port": (
        {"services": {NGINX: service("nginx", replace(PORT, port=81))}},
        {Layer.SERVICE: Mark.BROKEN, Layer.ENDPOINTS: Mark.NONE},
        "Service default/nginx has no port 80; its ports: 81",
    ),
    "nothing is ready": (
        {"endpoints": UNREADY, "pods": CRASHING},
        {Layer.ENDPOINTS: Mark.BROKEN},
        (
            "port 80: none of its 2 endpoints is ready: nginx-5 on node-b (10.2.68.5:8080, "
            "CrashLoopBackOff), nginx-6 on node-b (10.2.68.6:8080, CrashLoopBackOff); keepalived-vip omits a "
            "port without ready endpoints, and the VIP if no port has one"
        ),
    ),
    "an endpoint more than the file has": (
        {"endpoints": {NGINX: (group(endpoint(5), endpoint(6), endpoint(7)),)}},
        {Layer.CONF: Mark.BROKEN},
        (
            "/etc/keepalived/keepalived.conf has virtual server 10.4.0.50:80, which lacks ready endpoint "
            "10.2.68.7:8080 (pod default/nginx-7)"
        ),
    ),
    "one is not ready, and the file still has it": (
        {"endpoints": {NGINX: (group(endpoint(5), endpoint(6, ready=False)),)}},
        {Layer.CONF: Mark.BROKEN},
        (
            "/etc/keepalived/keepalived.conf has virtual server 10.4.0.50:80, which has 10.2.68.6:8080 (pod "
            "default/nginx-6), not a ready endpoint"
        ),
    ),
    "another method": (
        {"data": {VIP: "default/nginx:DR"}},
        {Layer.CONF: Mark.BROKEN},
        (
            "/etc/keepalived/keepalived.conf has virtual server 10.4.0.50:80 with method masq, but the "
            "entry requires direct"
        ),
    ),
    "the VIP alone is asked for": (
        {"data": {VIP: ""}},
        {Layer.SERVICE: Mark.NONE, Layer.ENDPOINTS: Mark.NONE, Layer.CONF: Mark.BROKEN},
        "/etc/keepalived/keepalived.conf has virtual server 10.4.0.50:80, but the entry has no Service",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected", "detail"), BROKEN.values(), ids=BROKEN.keys())
def test_the_first_break_is_named_and_no_layer_below_is_broken_by_it(
    changes: dict[str, Any], expected: dict[Layer, Mark], detail: str
) -> None:
    found = port_chain(ChainIndex(see(kube(**changes))), VIP, Port(80))
    assert marks(found) == ALL_OK | expected
    first = first_break(found)
    assert first is not None
    assert first.detail == detail
    assert first.remedy


REMEDIES = {
    "no entry": (
        "kubectl -n default edit configmap vip-configmap  # add it as NAMESPACE/SERVICE; otherwise the controller's "
        "next sync removes the VIP"
    ),
    "a bad entry": "kubectl -n default edit configmap vip-configmap  # correct the entry",
    "no ConfigMap": (
        "kubectl -n default get configmap vip-configmap  # the controller's --services-configmap names it"
    ),
    "no Service": "kubectl -n default get service  # create the Service, or correct the entry",
    "nothing is ready": "kubectl -n default get endpoints,pods -o wide",
}


@pytest.mark.parametrize(("case", "remedy"), REMEDIES.items(), ids=REMEDIES.keys())
def test_the_remedy_can_be_pasted_into_a_shell(case: str, remedy: str) -> None:
    first = first_break(port_chain(ChainIndex(see(kube(**BROKEN[case][0]))), VIP, Port(80)))
    assert first is not None
    assert first.remedy == remedy


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({VIP: "default/nginx:nat"}, "the controller skips its entry"),
        ({VIP: "nginx"}, "the controller skips its entry"),
        ({}, "the ConfigMap has no entry"),
    ],
    ids=["names a Service", "names none", "no entry"],
)
def test_a_skipped_entry_is_not_reported_as_missing(data: dict[str, str], why: str) -> None:
    found = port_chain(ChainIndex(see(kube(data))), VIP, Port(80))
    assert marks(found)[Layer.CONFIGMAP] is Mark.BROKEN
    assert (details(found)[Layer.SERVICE], details(found)[Layer.ENDPOINTS]) == (why, why)


FORBIDDEN = "services is forbidden: grant the verbs get, list, watch"
UNKNOWN: dict[str, tuple[dict[str, Any], dict[Layer, Mark], str]] = {
    "which ConfigMap": (
        {"configmap": None, "configmap_name": None},
        dict.fromkeys((Layer.CONFIGMAP, Layer.SERVICE, Layer.ENDPOINTS), Mark.UNKNOWN),
        "the ConfigMap with the VIPs is unknown: set --configmap NAMESPACE/NAME",
    ),
    "the ConfigMap": (
        {"configmap": None, "resources": without(Resource.CONFIGMAPS, "forbidden")},
        dict.fromkeys((Layer.CONFIGMAP, Layer.SERVICE, Layer.ENDPOINTS), Mark.UNKNOWN),
        "configmaps were not read: forbidden",
    ),
    "Services": (
        {"services": None, "resources": without(Resource.SERVICES, FORBIDDEN)},
        dict.fromkeys((Layer.SERVICE, Layer.ENDPOINTS), Mark.UNKNOWN),
        f"services were not read: {FORBIDDEN}",
    ),
    "endpoints": (
        {"endpoints": None, "resources": without(Resource.ENDPOINTS, "forbidden")},
        {Layer.ENDPOINTS: Mark.UNKNOWN},
        "endpointslices were not read: forbidden",
    ),
}


@pytest.mark.parametrize(("changes", "expected", "detail"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_the_api_does_not_return_is_unknown_with_the_reason(
    changes: dict[str, Any], expected: dict[Layer, Mark], detail: str
) -> None:
    found = chain_of(ChainIndex(see(kube(**changes))), VIP)
    assert marks(found) == ALL_OK | expected
    assert detail in [link.detail for link in found]
    assert whole(found) is None


def test_old_data_is_used_and_marked_as_old() -> None:
    cut = tuple(ResourceState(r, SourceState.DEGRADED, "the API is gone since 30 s", NOW - 30) for r in Resource)
    found = chain_of(ChainIndex(see(kube(resources=cut))), VIP)
    assert marks(found) == ALL_OK
    assert [link.age for link in found[:3]] == [30.0, 30.0, 30.0]
    assert found[2].detail.endswith(" (may be outdated: the API is gone since 30 s)")


def test_details_that_several_ports_share_are_shown_once() -> None:
    cut = tuple(ResourceState(r, SourceState.DEGRADED, "the API is gone since 30 s", NOW - 30) for r in Resource)
    two = service("nginx", ServicePort("", 80, 8080), ServicePort("", 81, 8080))
    found = chain_of(ChainIndex(see(kube(services={NGINX: two}, resources=cut))), VIP)
    assert details(found)[Layer.SERVICE] == (
        "default/nginx 80/TCP to targetPort 8080; default/nginx 81/TCP to targetPort 8080 "
        "(may be outdated: the API is gone since 30 s)"
    )


def test_an_external_name_is_not_a_service_for_a_vip() -> None:
    external = service("nginx", type="ExternalName", cluster_ip=None)
    found = port_chain(ChainIndex(see(kube(services={NGINX: external}, endpoints={}))), VIP, Port(80))
    assert marks(found)[Layer.SERVICE] is Mark.BROKEN
    assert details(found)[Layer.SERVICE] == (
        "Service default/nginx has type ExternalName (a DNS name) and so no endpoints and no real servers"
    )


EMPTY: Conf = replace(conf(), instances=(), virtual_servers=())
BARE: dict[str, Any] = {
    "conf": EMPTY,
    "running": EMPTY,
    "instances": (),
    "ipvs": replace(table(), virtual_servers=()),
    "advertisers": (),
}
"""A node whose keepalived has no VIP."""


def test_a_vip_without_a_ready_endpoint_is_broken_there_and_expected_nowhere_else() -> None:
    index = ChainIndex(see(kube(endpoints=UNREADY), **BARE))
    assert index.addresses == (VIP,)
    found = chain_of(index, VIP)
    below = dict.fromkeys(LAYERS[3:], Mark.NONE)
    assert marks(found) == ALL_OK | {Layer.ENDPOINTS: Mark.BROKEN} | below


def test_a_mapping_that_the_controller_never_wrote_is_missing_in_the_file() -> None:
    found = chain_of(ChainIndex(see(kube(), **BARE)), VIP)
    assert marks(found) == ALL_OK | {Layer.CONF: Mark.BROKEN} | dict.fromkeys(LAYERS[4:], Mark.NONE)
    assert details(found)[Layer.CONF] == ("not in /etc/keepalived/keepalived.conf, but the cluster requires it")


def test_a_port_without_ready_endpoints_next_to_one_with_some() -> None:
    two = (PORT, ServicePort("admin", 81, 8081))
    cluster = kube(
        services={NGINX: service("nginx", *two)},
        endpoints={
            NGINX: (
                group(endpoint(5), endpoint(6)),
                group(endpoint(5, ready=False), ports=(EndpointPort("admin", 8081),)),
            )
        },
    )
    index = ChainIndex(see(cluster))
    assert index.ports(VIP) == (Port(80), Port(81))
    assert marks(port_chain(index, VIP, Port(80))) == ALL_OK
    other = ALL_OK | {Layer.ENDPOINTS: Mark.BROKEN, Layer.IPVS: Mark.NONE}
    assert marks(port_chain(index, VIP, Port(81))) == other
    assert marks(chain_of(index, VIP)) == ALL_OK | {Layer.ENDPOINTS: Mark.BROKEN}


def test_an_ipv6_vip_cannot_be_in_a_configmap() -> None:
    found = chain_of(ChainIndex(see(kube(), **BARE)), "fd00::50")
    assert marks(found)[Layer.CONFIGMAP] is Mark.NONE
    assert first_break(found) is None


def test_in_proxy_mode_no_virtual_server_is_expected() -> None:
    started = controller("--proxy-protocol-mode=true")
    proxied = replace(conf(), virtual_servers=())
    found = chain_of(
        ChainIndex(
            see(
                kube(),
                keepalived=(keepalived(controller=started),),
                conf=proxied,
                running=proxied,
                ipvs=replace(table(), virtual_servers=()),
            )
        ),
        VIP,
    )
    assert marks(found) == ALL_OK | {Layer.IPVS: Mark.NONE}


def test_a_namespace_that_the_controller_does_not_watch() -> None:
    started = controller("--watch-namespace=shop")
    found = chain_of(ChainIndex(see(kube(), keepalived=(keepalived(controller=started),))), VIP)
    assert details(found)[Layer.SERVICE] == (
        "the controller watches only namespace shop and ignores Service default/nginx"
    )
    assert first_break(found) == found[1]


def test_without_any_config_the_kernel_is_compared_with_the_endpoints() -> None:
    found = chain_of(ChainIndex(see(kube(), conf=None, running=None, ipvs=table(real(5), real(9)))), VIP)
    assert marks(found)[Layer.IPVS] is Mark.BROKEN
    assert details(found)[Layer.IPVS] == (
        "10.4.0.50:80 2/2 real servers up: 10.2.68.6:8080 is a ready endpoint but not a real server, "
        "10.2.68.9:8080 is a real server but not a ready endpoint"
    )


def test_udp_and_tcp_on_one_port_are_two_ports() -> None:
    both = (ServicePort("dns", 53, 53, "UDP"), ServicePort("dns-tcp", 53, 53))
    index = ChainIndex(see(kube(services={NGINX: service("nginx", *both)}), **BARE))
    assert index.ports(VIP) == (Port(53), Port(53, Protocol.UDP))
    assert [str(p) for p in index.ports(VIP)] == ["53", "53/UDP"]


def test_real_servers_have_the_pods_of_the_mapped_service() -> None:
    seen = see(kube(endpoints={NGINX: (group(endpoint(5), endpoint(6, ready=False)),)}))
    reals = (seen.virtual_servers or ())[0].real_servers
    assert [r.pod for r in reals] == [
        PodView("default", "nginx-5", ready=True, node="node-b"),
        PodView("default", "nginx-6", ready=False, node="node-b"),
    ]


def test_a_sorry_server_in_the_kernel_is_not_unexpected() -> None:
    sorry = replace(conf_real(9), sorry=True)
    both = conf(conf_real(5), conf_real(6), sorry)
    found = chain_of(ChainIndex(see(kube(), conf=both, running=both, ipvs=table(real(5), real(6), real(9)))), VIP)
    assert marks(found) == ALL_OK
