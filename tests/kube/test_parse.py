"""kvtui parses the API's JSON, also absent, odd or hostile fields, and plans which objects to request."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvtui.backend.kube import facts, parse, query_plan
from kvtui.backend.kube.query_plan import Query
from kvtui.model.kube import (
    ConfigMap,
    Endpoint,
    EndpointGroup,
    EndpointPort,
    KubeNode,
    KubeService,
    Pod,
    Resource,
    ServicePort,
)
from kvtui.model.source import SourceState
from tests.kube import objects

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


def test_the_services_configmap_in_a_pods_arguments() -> None:
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
def test_the_services_that_a_value_could_name(value: str, expected: set[tuple[str, str]]) -> None:
    assert query_plan.services_named({"10.0.0.1": value}) == expected


def test_few_services_are_requested_by_name_and_many_by_namespace() -> None:
    few = frozenset({NGINX, ("web", "front")})
    assert {q.target() for q in query_plan.services(few)} == {
        "/api/v1/namespaces/default/services?fieldSelector=metadata.name%3Dnginx",
        "/api/v1/namespaces/web/services?fieldSelector=metadata.name%3Dfront",
    }
    many = frozenset(("default", f"s{i}") for i in range(500))
    assert [q.target() for q in query_plan.services(many)] == ["/api/v1/namespaces/default/services"]
    (slices,) = query_plan.endpoints(many, slices=True)
    assert slices.labels == "kubernetes.io/service-name"  # 500 names do not fit into a URL
    (slices,) = query_plan.endpoints(few - {NGINX}, slices=True)
    assert slices.labels == "kubernetes.io/service-name in (front)"
    everywhere = frozenset((f"ns{i}", "s") for i in range(5))
    assert [q.path for q in query_plan.endpoints(everywhere, slices=True)] == [
        "/apis/discovery.k8s.io/v1/endpointslices"
    ]
    assert {q.plural for q in query_plan.endpoints(few, slices=False)} == {"endpoints"}


def test_a_namespace_is_escaped_in_a_path() -> None:
    assert Query(Resource.PODS, "pods", "a/../b?x").path == "/api/v1/namespaces/a%2F..%2Fb%3Fx/pods"


def test_pods_are_matched_by_every_label_of_a_selector() -> None:
    behind = query_plan.PodFilter({NGINX: {"app": "nginx", "tier": "web"}, ("default", "manual"): {}})
    assert behind("default", {"app": "nginx", "tier": "web", "more": "x"})
    assert not behind("default", {"app": "nginx"})
    assert not behind("other", {"app": "nginx", "tier": "web"})
    assert not behind("default", {})  # a Service without selector has no pods by labels
    assert query_plan.PodFilter(None)("any", {})


NAMES = st.text(max_size=5)
PORTS = st.lists(st.builds(EndpointPort, NAMES, st.integers(1, 65535)), max_size=2).map(tuple)
ENDPOINTS = st.builds(
    Endpoint, NAMES, st.booleans(), st.booleans(), st.none() | st.tuples(NAMES, NAMES), st.none() | NAMES
)
GROUPS = st.builds(EndpointGroup, PORTS, st.lists(ENDPOINTS, max_size=3).map(tuple))
VALUES = {
    Resource.CONFIGMAPS: st.tuples(NAMES, NAMES, st.dictionaries(NAMES, NAMES), NAMES, st.lists(NAMES).map(tuple)).map(
        lambda values: ConfigMap(*values)
    ),
    Resource.SERVICES: st.builds(
        KubeService,
        NAMES,
        NAMES,
        NAMES,
        st.lists(st.builds(ServicePort, NAMES, st.integers(), st.integers() | NAMES, NAMES), max_size=2).map(tuple),
        st.none() | NAMES,
        st.lists(NAMES, max_size=2).map(tuple),
    ),
    Resource.ENDPOINTS: st.tuples(st.tuples(NAMES, NAMES), st.lists(GROUPS, max_size=2).map(tuple)),
    Resource.PODS: st.builds(
        Pod,
        *(NAMES, NAMES, st.none() | NAMES, st.none() | NAMES, st.booleans(), NAMES, NAMES, st.booleans()),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    Resource.NODES: st.builds(
        KubeNode, NAMES, st.lists(NAMES, max_size=2).map(tuple), st.lists(NAMES, max_size=2).map(tuple), st.booleans()
    ),
}


@pytest.mark.parametrize("resource", list(Resource))
@settings(max_examples=50)
@given(st.data())
def test_values_survive_the_pipe_as_json(resource: Resource, data: st.DataObject) -> None:
    value = data.draw(VALUES[resource])
    line = json.dumps(msgspec.to_builtins(value))
    assert msgspec.convert(json.loads(line), facts.VALUES[resource]) == value
    assert "\n" not in line


def test_the_api_processs_status_survives_the_pipe() -> None:
    resource = facts.ResourceStatus(SourceState.DEGRADED, "why", "kubectl", forbidden=True, read_at=1.5, known=True)
    status = facts.Status("https://api", ("default", "vip"), False, True, (resource, resource))  # noqa: FBT003
    assert msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(status))), facts.Status) == status
