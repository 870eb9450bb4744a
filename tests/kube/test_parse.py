"""The API's JSON → the model: what may be absent, odd or hostile; and which objects are asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.kube import parse, scope
from kvtui.backend.kube.errors import Nonsense
from kvtui.backend.kube.lines import LONGEST, Lines
from kvtui.backend.kube.query import Query
from kvtui.model.kube import Endpoint, KubeNode, Resource, ServicePort
from tests.kube import objects

if TYPE_CHECKING:
    import random

NGINX = ("default", "nginx")


def test_a_target_port_is_a_number_a_name_or_the_port_itself() -> None:
    service = objects.service("nginx", ports=((80, 8080), (81, "http"), (82, "8082")))
    service["spec"]["ports"].append({"port": 83, "protocol": "UDP", "name": "dns"})
    assert parse.service(service).ports == (
        ServicePort("", 80, 8080),
        ServicePort("", 81, "http"),
        ServicePort("", 82, 8082),
        ServicePort("dns", 83, 83, "UDP"),
    )


def test_a_headless_service_without_ports() -> None:
    found = parse.service({"metadata": {"namespace": "a", "name": "b"}, "spec": {"clusterIP": "None"}})
    assert (found.ports, found.cluster_ip, found.type) == ((), "None", "ClusterIP")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, (True, False)),
        ({"ready": None}, (True, False)),
        ({"ready": False, "serving": True, "terminating": True}, (False, True)),
        (None, (True, False)),
    ],
)
def test_readiness_of_an_endpoint(conditions: dict[str, Any] | None, expected: tuple[bool, bool]) -> None:
    obj = objects.endpointslice("nginx", {"addresses": ["10.0.0.1"], "conditions": conditions})
    found = parse.slice_of(obj)
    assert found is not None
    (endpoint,) = found[1][0].endpoints
    assert (endpoint.ready, endpoint.terminating) == expected


def test_a_slice_of_ipv6_and_one_without_endpoints_or_service() -> None:
    obj = objects.endpointslice("nginx", {"addresses": ["FD00:0::1"], "targetRef": {"kind": "Node", "name": "n"}})
    found = parse.slice_of(obj)
    assert found == (NGINX, found[1]) if found else None
    assert found is not None
    assert found[1][0].endpoints == (Endpoint("fd00::1", ready=True),)
    assert parse.slice_of({**obj, "endpoints": None, "ports": None}) == (NGINX, (type(found[1][0])((), ()),))
    assert parse.slice_of({**obj, "addressType": "FQDN"}) is None
    del obj["metadata"]["labels"]
    assert parse.slice_of(obj) is None


def test_why_a_pod_is_not_ready() -> None:
    assert parse.pod(objects.pod("a", ready=False, waiting="CrashLoopBackOff")).reason == "CrashLoopBackOff"
    assert parse.pod(objects.pod("a", waiting="Odd")).reason == ""  # it is ready
    leaving = objects.pod("a", ready=False)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T18:00:00Z"
    assert parse.pod(leaving).reason == "Terminating"
    evicted = objects.pod("a", ready=False)
    evicted["status"] |= {"phase": "Failed", "reason": "Evicted", "startTime": "2026-11-24T18:00:00Z"}
    assert (parse.pod(evicted).reason, parse.pod(evicted).phase) == ("Evicted", "Failed")
    assert parse.pod(evicted).started == 1795543200.0
    restarted = objects.pod("a")
    restarted["status"]["startTime"] = "2026-11-24T18:00:00Z"
    restarted["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": "2026-11-24T18:10:00Z"}}
    assert parse.pod(restarted).started == 1795543800.0
    assert parse.pod({"metadata": {"namespace": "a", "name": "b"}}).phase == "Unknown"


def test_a_node_and_its_addresses() -> None:
    assert parse.node(objects.node("a", "10.0.0.1", "192.0.2.1", ready=False)) == KubeNode(
        "a", ("10.0.0.1",), ("192.0.2.1",), ready=False
    )


def test_services_configmap_in_a_pods_arguments() -> None:
    def args(*words: str) -> str | None:
        return parse.services_configmap(objects.pod("a", args=words))

    assert args("--vrid=50", "--services-configmap=a/b") == "a/b"
    assert args("--services-configmap", "a/b", "--x") == "a/b"
    assert args("--services-configmap") is None
    assert args() is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("default/nginx", {NGINX}),
        ("default/nginx:DR", {NGINX}),
        (" default/nginx ", {NGINX}),
        ("default/nginx:80:DR", {NGINX}),
        ("default/nginx\nkube-system/x", {NGINX, ("kube-system", "x")}),
        ("a/b/c", set()),
        ("", set()),
        ("nginx", set()),
        ("Default/Nginx", set()),
        ("[red]/x\x1b[0m", set()),
        ("/" * 1_000_000, set()),
    ],
)
def test_which_services_a_value_could_mean(value: str, expected: set[tuple[str, str]]) -> None:
    assert scope.services_named({"10.0.0.1": value}) == expected


def test_few_services_are_asked_for_by_name_many_by_namespace() -> None:
    few = frozenset({NGINX, ("web", "front")})
    assert {q.target() for q in scope.services(few)} == {
        "/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Dnginx",
        "/api/v1/namespaces/web/services?fieldSelector=metadata.name%3Dfront",
    }
    many = frozenset(("default", f"s{i}") for i in range(500))
    assert [q.target() for q in scope.services(many)] == ["/api/v1/namespaces/default/services"]
    (slices,) = scope.endpoints(many, slices=True)
    assert slices.labels == "kubernetes.io/service-name"  # 500 names are no URL
    (slices,) = scope.endpoints(few - {NGINX}, slices=True)
    assert slices.labels == "kubernetes.io/service-name in (front)"
    everywhere = frozenset((f"ns{i}", "s") for i in range(5))
    assert [q.path for q in scope.endpoints(everywhere, slices=True)] == ["/apis/discovery.k8s.io/v1/endpointslices"]
    assert {q.plural for q in scope.endpoints(few, slices=False)} == {"endpoints"}


def test_a_namespace_is_never_more_than_a_part_of_a_path() -> None:
    assert Query(Resource.PODS, "pods", "a/../b?x").path == "/api/v1/namespaces/a%2F..%2Fb%3Fx/pods"


def test_pods_are_matched_by_every_label_of_a_selector() -> None:
    behind = scope.PodFilter({NGINX: {"app": "nginx", "tier": "web"}, ("default", "manual"): {}})
    assert behind("default", {"app": "nginx", "tier": "web", "more": "x"})
    assert not behind("default", {"app": "nginx"})
    assert not behind("other", {"app": "nginx", "tier": "web"})
    assert not behind("default", {})  # a Service without selector has no pods by labels
    assert scope.PodFilter(None)("any", {})


@settings(max_examples=50)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3), max_size=6),
    st.randoms(use_true_random=False),
)
def test_lines_come_out_whole_however_they_are_cut(events: list[dict[str, str]], chance: random.Random) -> None:
    stream = b"".join(json.dumps(e).encode() + b"\n" for e in events)
    lines, found = Lines(), []
    while stream:
        cut = chance.randint(1, len(stream))
        found += [json.loads(line) for line in lines.feed(stream[:cut])]
        stream = stream[cut:]
    assert found == events


def test_a_line_without_end_is_refused() -> None:
    lines = Lines()
    for _ in range(LONGEST >> 20):
        assert list(lines.feed(b"x" * (1 << 20))) == []
    with pytest.raises(Nonsense):
        list(lines.feed(b"x"))
