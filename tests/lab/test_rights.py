"""kvtui without one permission at a time: it names the permission and shows the other data."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.lab.cluster import Cluster
    from tests.lab.node import Node

KVTUI = [sys.executable, "-m", "kvtui"]
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]


def without(*capabilities: str) -> list[str]:
    """Returns a prefix that runs a command as root without these capabilities."""
    less = ",".join(f"-{c}" for c in capabilities)
    return ["setpriv", "--bounding-set", less, "--inh-caps", less, "--ambient-caps", "-all"]


def status(node: Node, prefix: list[str], *options: str) -> dict[str, Any]:
    """Returns the document that kvtui prints with fewer rights; it must exit with 0."""
    done = node.exec([*prefix, *KVTUI, *options, "status", "-o", "json"])
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def sources(document: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Returns name → state and detail."""
    return {s["name"]: (s["state"], s["detail"]) for s in document["sources"]}


def test_without_net_raw_only_adverts_are_missing(cluster: Cluster) -> None:
    document = status(cluster.node("node-a"), without("net_raw"))
    by_name = sources(document)
    assert by_name["adverts"][0] == "unavailable"
    assert "CAP_NET_RAW" in by_name["adverts"][1]
    assert {n for n, (state, _) in by_name.items() if state != "ok"} == {"adverts", "kubernetes"}
    # keepalived still reports its master
    assert document["vips"][0]["owner"] == cluster.master().address


def test_without_net_admin_ipvs_has_weights_but_no_counters(cluster: Cluster) -> None:
    document = status(cluster.node("node-a"), without("net_admin"))
    state, detail = sources(document)["ipvs"]
    assert state == "degraded"
    assert "CAP_NET_ADMIN" in detail
    virtual = document["virtual_servers"][0]
    assert virtual["stats"] is None
    assert {r["weight"] for r in virtual["real_servers"]} == {1}
    assert {r["upper_threshold"] for r in virtual["real_servers"]} == {None}


def test_an_unprivileged_user_sees_only_public_data(cluster: Cluster) -> None:
    master = cluster.master()
    document = status(master, NOBODY)
    by_name = sources(document)
    assert by_name["conf"][0] == "unavailable"
    assert "root" in by_name["conf"][1]
    assert by_name["vrrp"][0] == "unavailable"
    assert by_name["adverts"][0] == "unavailable"
    assert by_name["addresses"] == ("ok", "")
    assert [s["weight"] for v in document["virtual_servers"] for s in v["real_servers"]] == [1] * 5
    assert document["vips"] is None


def test_read_only_sends_no_signal(cluster: Cluster) -> None:
    node = cluster.node("node-a")
    before = node.log()
    document = status(node, [], "--read-only")
    assert document["node"]["read_only"] is True
    # each dump request would be a line in keepalived's log
    assert "JSON" not in node.log()[len(before) :]
    assert "Printing" not in node.log()[len(before) :]
    assert document["vrrp_instances"][0]["vrid"] == 50


def test_an_unreadable_config_is_named(cluster: Cluster) -> None:
    node = cluster.node("node-b")
    text = node.conf_path.read_text()
    node.conf_path.unlink()
    try:
        state, detail = sources(status(node, []))["conf"]
    finally:
        node.conf_path.write_text(text)
    assert state == "unavailable"
    assert "/etc/keepalived/keepalived.conf" in detail
    assert "reload" in detail


def test_without_keepalived_in_this_namespace_no_other_one_is_chosen(cluster: Cluster) -> None:
    """The client's namespace has none, but three in other namespaces are visible."""
    done = cluster.client([*KVTUI, "status", "-o", "json"])
    document = json.loads(done.stdout)
    state, detail = sources(document)["keepalived"]
    assert state == "unavailable"
    assert "--pid" in detail
    assert str(cluster.master().keepalived_pid) in detail
    assert document["vips"] is None
    assert document["virtual_servers"] == []


def test_pid_chooses_another_keepalived_and_its_namespace(cluster: Cluster) -> None:
    node = cluster.node("node-b")
    done = cluster.client([*KVTUI, "--pid", str(node.keepalived_pid), "status", "-o", "json"])
    document = json.loads(done.stdout)
    assert document["vrrp_instances"][0]["priority"] == node.spec.priority(node.index)
    assert len(document["virtual_servers"]) == 2
    assert sources(document)["keepalived"][0] == "degraded"


def test_a_pid_of_another_program_is_a_usage_error(cluster: Cluster) -> None:
    done = cluster.client([*KVTUI, "--pid", "1", "status"])
    assert done.returncode == 2
    assert "process 1 is not a keepalived" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", ["status", "vrrp", "vips", "ipvs"])
def test_plain_text_shows_unavailable_sources(cluster: Cluster, command: str) -> None:
    done = cluster.node("node-a").exec([*NOBODY, *KVTUI, command])
    assert done.returncode == 0
    assert "unavailable" in done.stdout
    assert "\x1b" not in done.stdout
