"""Findings from the API: entries, Services, endpoints, rights, pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Severity
from kvtui.model.kube import Pod, Resource, ResourceState
from kvtui.model.source import SourceState
from kvtui.model.vrrp import VrrpState
from tests.kit import NOW, VIP, addresses, advertiser, instance, keepalived, real, table
from tests.kit import kube as build_kube
from tests.kit.kube import NGINX, configmap, endpoint, group, kube, node, resources
from tests.triage.case import asked, only, suspected

if TYPE_CHECKING:
    from kvtui.model.kube import Kube
    from kvtui.model.snapshot import Snapshot

EDIT = "kubectl -n default edit configmap vip-configmap"
NOT_SERVED = {"running-not-expected"}
"""Also reported when the config differs from the ConfigMap."""


def entries(**more: str) -> Kube:
    """Returns the mappings of the good entry and others: ``v99`` stands for the key 10.4.0.99."""
    return kube(configmap=configmap({VIP: "default/nginx", **{f"10.4.0.{k[1:]}": v for k, v in more.items()}}))


@pytest.mark.parametrize("value", ["nginx", "default/nginx:nat", "default/nginx:80", "default/nginx:TUN", "a/b/c:DR"])
def test_an_entry_that_the_controller_skips(value: str) -> None:
    found = only(asked(kube=entries(v99=value)))

    assert (found.id, found.severity, found.object) == ("mapping-error", Severity.CRITICAL, "10.4.0.99")
    assert found.remedy == EDIT
    assert found.evidence[0] == f"10.4.0.99: {value!r} (ConfigMap)"


def test_an_entry_that_is_misleading() -> None:
    two = kube(configmap=configmap({VIP: "default/nginx\nshop/pay"}))
    found = only(asked(kube=two))

    assert (found.id, found.severity) == ("mapping-odd", Severity.WARNING)
    assert found.title.endswith("the controller uses only the first one with a slash")


def test_control_characters_of_a_value_never_reach_the_terminal() -> None:
    found = only(asked(kube=entries(v99="\x1b]0;owned\x07[red]\u202e" + "x" * 5000)))

    assert all(e.isprintable() and len(e) < 400 for e in (found.title, *found.evidence, found.remedy))


def test_no_configmap() -> None:
    none = kube(configmap=None, configmap_missing=True)
    found = only(asked(kube=none))

    assert (found.id, found.severity, found.object) == ("configmap-missing", Severity.CRITICAL, "default/vip-configmap")


def test_a_configmap_that_another_controller_rewrites() -> None:
    owned = kube(configmap=configmap(annotations=("k8s.co/cloud-provider-config",)))

    assert (only(asked(kube=owned)).id, only(asked(kube=owned)).severity) == ("configmap-owned", Severity.INFO)


def test_a_service_that_does_not_exist() -> None:
    found = only(asked(kube=entries(v99="shop/pay")))

    assert (found.id, found.severity, found.vips) == ("service-missing", Severity.CRITICAL, ("10.4.0.99",))
    assert found.remedy == "kubectl -n shop get services"


def with_pay(*, ready: tuple[bool, ...]) -> Kube:
    """Returns a second Service, shop/pay on 10.4.0.99, that keepalived does not serve."""
    pay = ("shop", "pay")
    ends = tuple(endpoint(20 + n, ready=r, name="pay", namespace="shop") for n, r in enumerate(ready))
    base = entries(v99="shop/pay")
    services = {**(base.services or {}), pay: build_kube.service("pay", namespace="shop")}
    return replace(base, services=services, endpoints={**(base.endpoints or {}), pay: (group(*ends),)})


def test_a_service_without_ready_endpoints() -> None:
    found = only(asked(kube=with_pay(ready=(False, False))))

    assert (found.id, found.severity, found.object) == ("no-ready-endpoints", Severity.CRITICAL, "10.4.0.99")
    assert found.evidence == (
        "port 80: none of its 2 endpoints is ready (Kubernetes)",
        "so the controller also removes the VIP from virtual_ipaddress",
    )


def test_a_good_entry_that_is_not_in_the_config() -> None:
    found = suspected(asked(kube=with_pay(ready=(True,))))

    assert set(found) == {"mapping-not-served", *NOT_SERVED}
    assert found["mapping-not-served"].evidence[0] == "port 80: 1 ready endpoint (Kubernetes)"


def test_proxy_without_the_controllers_mode() -> None:
    proxy = kube(configmap=configmap({VIP: "default/nginx:PROXY"}))
    without = (keepalived(controller=build_kube.controller("--release-vips")),)
    found = suspected(asked(kube=proxy, keepalived=without))
    in_mode = (keepalived(controller=build_kube.controller("--proxy-protocol-mode")),)

    assert found["proxy-without-mode"].severity is Severity.WARNING
    assert "proxy-without-mode" not in suspected(asked(kube=proxy, keepalived=in_mode))
    off = (keepalived(controller=build_kube.controller("--release-vips", "--proxy-protocol-mode=false")),)
    assert "proxy-without-mode" in suspected(asked(kube=proxy, keepalived=off))


# --- endpoints compared with IPVS


def endpoints(**ready: bool) -> Kube:
    """Returns endpoints by the last byte of their address: ``e5=True``."""
    return kube(endpoints={NGINX: (group(*(endpoint(int(k[1:]), ready=r) for k, r in ready.items())),)})


def test_an_endpoint_that_is_not_ready_takes_connections() -> None:
    found = suspected(asked(kube=endpoints(e5=True, e6=False)))

    assert set(found) == {"endpoint-not-ready-in-ipvs", *NOT_SERVED}
    odd = found["endpoint-not-ready-in-ipvs"]
    assert odd.evidence == (
        "endpoints of default/nginx: 10.2.68.6 (Kubernetes)",
        f"{VIP}:80 -> 10.2.68.6:8080 weight 1 (ipvs)",
    )
    assert odd.remedy.startswith(f"ipvsadm -e -t {VIP}:80 -r 10.2.68.6:8080 -m -w 0")


def test_a_drained_endpoint_is_not_reported() -> None:
    drained = table(real(5), real(6, weight=0, persistent=0))

    assert set(suspected(asked(kube=endpoints(e5=True, e6=False), ipvs=drained))) == {"drained", *NOT_SERVED}


def test_a_removed_endpoint_takes_connections() -> None:
    found = suspected(asked(kube=endpoints(e5=True)))

    assert set(found) == {"endpoint-gone-in-ipvs", *NOT_SERVED}


def test_a_ready_endpoint_that_is_not_in_ipvs() -> None:
    found = suspected(asked(kube=endpoints(e5=True, e6=True, e7=True)))

    assert set(found) == {"endpoint-not-in-ipvs", *NOT_SERVED}
    assert (
        found["endpoint-not-in-ipvs"].title
        == f"10.2.68.7 behind default/nginx is a ready endpoint, but not in IPVS ({VIP})"
    )


def test_a_dual_stack_service_is_compared_in_the_vips_family() -> None:
    both = (group(endpoint(5), endpoint(6)), group(endpoint(5, address="fd00::5"), endpoint(6, address="fd00::6")))

    assert suspected(asked(kube=kube(endpoints={NGINX: both}))) == {}


# --- the cluster


def test_a_missing_right_names_the_kind() -> None:
    denied = ResourceState(
        Resource.PODS, SourceState.UNAVAILABLE, "the right to list pods is missing", None, forbidden=True
    )
    found = only(asked(kube=kube(pods=None, resources=resources(pods=denied))))

    assert (found.id, found.severity, found.object) == ("rbac-missing", Severity.WARNING, "pods")
    assert found.evidence[0] == "the right to list pods is missing (Kubernetes)"


def test_an_unreachable_api_is_not_a_missing_right() -> None:
    away = ResourceState(Resource.PODS, SourceState.DEGRADED, "connection refused", NOW - 3)

    assert suspected(asked(kube=kube(resources=resources(pods=away)))) == {}


def test_the_nodes_address_is_on_no_interface() -> None:
    outside = node(0, external_ips=("203.0.113.7",))
    nodes = {n.name: n for n in (outside, node(1), node(2))}
    found = suspected(asked(kube=kube(nodes=nodes)))

    assert found["node-address-missing"].severity is Severity.CRITICAL
    assert found["node-address-missing"].title == "203.0.113.7, the address of node node-a, is on no interface here"
    with_iface_flag = (keepalived(controller=build_kube.controller("--iface=eth0", interface="eth0")),)
    assert "node-address-missing" not in suspected(asked(kube=kube(nodes=nodes), keepalived=with_iface_flag))


def pod(number: int, *, ready: bool = True, reason: str = "", started: float | None = NOW - 9000) -> Pod:
    """Returns the controller's pod on node number ``number``."""
    name = f"kube-keepalived-vip-{number}"
    phase = "Running"
    host = f"10.4.0.{3 + number}"
    return Pod(
        "kube-system", name, f"node-{'abc'[number]}", host, ready, phase, reason, controller=True, started=started
    )


def with_pods(*found: Pod) -> Kube:
    base = kube()
    return replace(base, pods={**(base.pods or {}), **{(p.namespace, p.name): p for p in found}})


@pytest.mark.parametrize(
    ("number", "reason", "severity"),
    [
        (0, "CrashLoopBackOff", Severity.CRITICAL),
        (1, "CrashLoopBackOff", Severity.WARNING),
        (0, "ContainersNotReady", Severity.WARNING),
    ],
)
def test_a_controller_that_is_not_ready(number: int, reason: str, severity: Severity) -> None:
    found = only(asked(kube=with_pods(pod(number, ready=False, reason=reason))))

    assert (found.id, found.severity) == ("controller-not-ready", severity)
    assert found.remedy == f"kubectl -n kube-system logs --previous kube-keepalived-vip-{number}"


def deaf(*pods: Pod, heard: int = 0) -> Snapshot:
    """Returns a master for an hour that has received so many adverts of others since its start."""
    one = instance(VrrpState.MASTER, counters={"advert_rcvd": heard, "advert_sent": 3600})
    return asked(
        kube=with_pods(*pods),
        instances=(one,),
        addresses=addresses(VIP),
        advertisers=(advertiser(0, outgoing=True),),
    )


def test_multicast_is_blocked_if_a_master_never_heard_an_earlier_one() -> None:
    found = only(deaf(pod(0), pod(1), pod(2)))

    assert (found.id, found.severity) == ("multicast-blocked", Severity.CRITICAL)
    assert found.evidence[2] == (
        "ready before that: kube-keepalived-vip-1 on node-b, kube-keepalived-vip-2 on node-c (Kubernetes)"
    )


@pytest.mark.parametrize(
    "snapshot",
    [
        deaf(pod(1, started=NOW - 3595), pod(2, started=None)),
        deaf(pod(1, ready=False, reason="Pending")),
        deaf(pod(1), heard=3),
        deaf(),
    ],
    ids=["peers came later", "peers are not ready", "it heard them once", "no peers"],
)
def test_a_master_that_hears_nobody_is_not_a_fault_in_itself(snapshot: Snapshot) -> None:
    assert "multicast-blocked" not in suspected(snapshot)
