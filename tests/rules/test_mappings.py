"""Mappings of a snapshot: the ConfigMap's entries with the API's data; without the API, the config's own comments."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.conf import ConfVirtualServer, Location
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.kube import EndpointPort, Kube, ServicePort
from kvtui.model.mapping import Mapping, MappingState
from kvtui.model.vrrp import VirtualAddress
from kvtui.rules.mapping.entries import from_conf, mappings, service_of
from kvtui.rules.observe import observe
from tests import kit
from tests.kit.kube import NGINX, configmap, controller, endpoint, group, kube, service, snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping as Dictionary

    from kvtui.model.snapshot import Snapshot

VIP = kit.VIP


def all_of(seen: Snapshot) -> dict[str, Mapping]:
    found = mappings(seen)
    assert found is not None
    return {m.vip: m for m in found}


def of(known: Kube, *flags: str) -> Mapping:
    """Returns the one entry of this API."""
    (found,) = all_of(snapshot(kube=known, keepalived=(kit.keepalived(controller=controller(*flags)),))).values()
    return found


def test_the_tutorials_entry_has_no_notes() -> None:
    assert of(kube()) == Mapping(VIP, "default/nginx", *NGINX, "NAT", MappingState.OK)
    assert observe(snapshot()).mappings == (of(kube()),)


def notes(value: str = "default/nginx", flag: str = "", **changes: object) -> tuple[str, ...]:
    changed = kube(configmap=configmap({VIP: value}))
    return of(replace(changed, **changes), "--http-port=8080", flag).notes


def test_a_service_that_does_not_exist_is_a_note_and_does_not_change_the_state() -> None:
    found = of(kube(services={}))
    assert found.state is MappingState.OK
    assert found.notes == (
        "Service default/nginx does not exist: the controller skips the entry and does not bind the VIP",
    )
    assert notes(services=None) == ()
    assert notes(endpoints=None) == ()


def test_a_namespace_that_is_not_watched() -> None:
    assert notes("default/nginx", "--watch-namespace=apps") == (
        "the controller watches only namespace apps: it skips default/nginx",
    )


def test_a_vip_that_vanishes() -> None:
    assert notes(endpoints={NGINX: (group(endpoint(5, ready=False), endpoint(6, ready=False)),)}) == (
        "port 80: none of its 2 endpoints is ready",
        "no port has a ready endpoint: the controller also removes the VIP from virtual_ipaddress",
    )
    assert notes(endpoints={})[0] == "port 80: the Service has no endpoints: does its selector match any pod?"


def test_udp_and_direct_routing_and_duplicates() -> None:
    udp = {NGINX: service("nginx", ServicePort("dns", 53, 8080, "UDP"))}
    assert notes(services=udp) == (
        (
            "port 53 is UDP, but the controller writes TCP_CHECK: keepalived removes each real server that does not "
            "answer TCP on that port too"
        ),
    )
    assert notes("default/nginx:DR") == (
        (
            'port 80 goes to targetPort 8080, but DR cannot change the port: keepalived logs "ports don\'t match" and '
            "uses 80 for the real servers too"
        ),
    )
    straight = {NGINX: service("nginx", ServicePort("", 8080, 8080))}
    assert notes("default/nginx:DR", services=straight) == ()
    ports = (EndpointPort("a", 8080), EndpointPort("b", 8080, "UDP"))
    assert notes(endpoints={NGINX: (group(endpoint(5), ports=ports),)}) == (
        "port 80: the config has 1 real servers twice (two endpoint ports have that number)",
    )


def test_a_named_target_port_that_is_not_found() -> None:
    named = {NGINX: service("nginx", ServicePort("web", 80, "http"))}
    assert notes(services=named)[0].startswith('port 80: targetPort "http" is a name')


def test_more_endpoints_than_an_endpoints_object_holds() -> None:
    many = tuple(replace(endpoint(1), address=f"10.9.{n >> 8}.{n & 255}") for n in range(1001))
    assert notes(endpoints={NGINX: (group(*many),)}) == (
        "more than 1000 ready endpoints: the controller reads an Endpoints object, which has at most 1000",
    )
    assert notes(endpoints={NGINX: (group(*many[:1000]),)}) == ()


def test_proxy_mode_is_known_from_the_controllers_flags() -> None:
    assert notes("default/nginx:PROXY", "--proxy-protocol-mode=true") == ()
    assert notes("default/nginx:PROXY") == (
        (
            "PROXY needs --proxy-protocol-mode, which this controller does not have: the controller writes "
            "`lvs_method PROXY`, and keepalived uses NAT"
        ),
    )


def virtual(address: str, port: int, comment: str | None, method: ForwardingMethod | None = None) -> ConfVirtualServer:
    return ConfVirtualServer(Location("k.conf", 1), address, port, service=comment, method=method)


def from_blocks(*virtuals: ConfVirtualServer, vips: tuple[str, ...] = ()) -> Dictionary[str, Mapping]:
    one = replace(kit.conf().instances[0], vips=tuple(VirtualAddress(v, 32) for v in vips))
    conf = kit.conf(instances=(one,), virtual_servers=virtuals)
    found = all_of(kit.snapshot(conf=conf, kube=None))
    assert all(m.source == "conf" for m in found.values())
    return found


def test_without_an_api_the_configs_comments_name_the_services() -> None:
    direct = ForwardingMethod.DIRECT
    found = from_blocks(
        virtual(VIP, 80, "default/nginx"),
        virtual(VIP, 443, "default/nginx"),
        virtual("10.4.0.51", 53, "kube-dns", direct),
        virtual("10.4.0.52", 80, None),
        vips=("10.4.0.60", VIP),
    )
    assert list(found) == ["10.4.0.60", VIP, "10.4.0.51", "10.4.0.52"]
    assert found["10.4.0.60"].state is MappingState.VIP_ONLY
    nginx, dns, other = found[VIP], found["10.4.0.51"], found["10.4.0.52"]
    assert (nginx.target, nginx.method, nginx.value, nginx.notes) == (NGINX, "NAT", "default/nginx", ())
    assert (dns.target, dns.method, dns.notes) == (("kube", "dns"), "DR", ())
    assert (other.target, other.value) == (None, "")
    assert other.notes[0].startswith("no `# Service:` comment")


@pytest.mark.parametrize(
    ("comment", "target"),
    [
        ("default/nginx", ("default", "nginx")),
        ("kube-system/my-svc", ("kube-system", "my-svc")),
        ("default-nginx", ("default", "nginx")),
        ("kube-system-dns", (None, None)),
        ("a/b/c", (None, None)),
        ("nginx", (None, None)),
        ("default/", (None, None)),
        ("", (None, None)),
    ],
)
def test_the_meaning_of_a_comment(comment: str, target: tuple[str | None, str | None]) -> None:
    assert service_of(comment) == target


def test_an_ambiguous_comment_is_marked_as_ambiguous() -> None:
    three = from_blocks(virtual(VIP, 80, "kube-system-dns"))[VIP]
    assert three.target is None
    assert three.notes == (
        (
            'the comment "kube-system-dns" means "kube/system-dns" or "kube-system/dns": a dash joins namespace '
            "and name, so only the API can tell them apart"
        ),
    )
    four = from_blocks(virtual(VIP, 80, "a-b-c-d"))[VIP]
    assert '"a/b-c-d" or "a-b-c/d", or one between' in four.notes[0]
    several = from_blocks(virtual(VIP, 80, "a/b"), virtual(VIP, 81, "a/c"))[VIP]
    assert several.notes == ('its virtual servers name several Services: "a/b", "a/c"',)


def test_without_api_and_config_there_are_no_mappings() -> None:
    assert mappings(kit.snapshot(conf=None, running=None, kube=None)) is None
    assert mappings(kit.snapshot(conf=None, running=None, kube=kube(configmap=None))) is None
    assert from_conf(kit.conf(instances=(), virtual_servers=())) == ()


def test_unchanged_mappings_are_not_computed_again() -> None:
    """500 mappings with 40 endpoints each: the second run is a look-up, and a change costs one Service's share."""
    keys = [("default", f"s{n}") for n in range(500)]
    services = {k: service(k[1], namespace=k[0]) for k in keys}
    endpoints = {
        k: (group(*(replace(endpoint(1), address=f"10.{n >> 8}.{n & 255}.{i}") for i in range(40))),)
        for n, k in enumerate(keys)
    }
    data = {f"10.200.{n >> 8}.{n & 255}": f"default/s{n}" for n in range(500)}
    seen = snapshot(kube=kube(configmap=configmap(data), services=services, endpoints=endpoints))

    def seconds() -> float:
        started = time.thread_time()
        assert len(all_of(seen)) == 500
        return time.thread_time() - started

    first = seconds()
    assert min(seconds() for _ in range(3)) < first / 2
    changed = {**endpoints, keys[7]: (group(endpoint(9, ready=False)),)}
    later = replace(seen, kube=replace(seen.kube or kube(), endpoints=changed))
    assert all_of(later)["10.200.0.7"].notes[0] == "port 80: its only endpoint is not ready"
    assert all_of(seen)["10.200.0.7"].notes == ()
