"""Findings about the config file, the running config, and the config that the ConfigMap asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.conf import Location, Problem, ProblemKind
from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import VirtualAddress
from tests.kit import NOW, VIP, addresses, conf_real, instance, real, sources, table
from tests.kit import kube as build_kube
from tests.triage.case import SYSCTLS, asked, backup, conf, only, suspected

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

PATH = "/etc/keepalived/keepalived.conf"


def edited(*numbers: int, digest: str = "b", priority: int = 100) -> object:
    base = conf(*numbers, digest=digest, modified=NOW - 30)
    return replace(base, instances=(replace(base.instances[0], priority=priority),))


def test_edited_and_not_reloaded() -> None:
    found = only(backup(conf=edited(priority=90)))

    assert (found.id, found.severity, found.object) == ("config-not-reloaded", Severity.WARNING, PATH)
    assert found.evidence == (
        "the file, written 30s ago, differs from the running config of PID 820 (conf)",
        "instance vips: priority is 90 in the file, 100 in the running config",
        "the next reload or restart applies the file",
    )
    assert found.remedy.startswith("kvtui --dry-run reload")


def test_a_changed_comment_is_not_an_edit() -> None:
    assert suspected(backup(conf=replace(conf(), modified=NOW))) == {}


def test_an_empty_file() -> None:
    found = suspected(backup(conf=conf(digest="", instances=(), virtual_servers=())))

    assert set(found) == {"config-empty"}
    assert found["config-empty"].severity is Severity.CRITICAL


def test_no_file() -> None:
    source = Source(SourceName.CONF, SourceState.UNAVAILABLE, f"{PATH} of PID 820 does not exist: a reload now …")
    others = tuple(s for s in sources() if s.name is not SourceName.CONF)
    found = only(backup(conf=None, sources=(*others, source)))

    assert (found.id, found.severity) == ("config-missing", Severity.CRITICAL)


def test_an_unreadable_file_is_not_a_finding() -> None:
    source = Source(SourceName.CONF, SourceState.UNAVAILABLE, f"{PATH} of PID 820 cannot be read: run kvtui as root")
    others = tuple(s for s in sources() if s.name is not SourceName.CONF)

    assert suspected(backup(conf=None, sources=(*others, source))) == {}


@pytest.mark.parametrize(
    ("kind", "severity"),
    [
        (ProblemKind.SYNTAX, Severity.CRITICAL),
        (ProblemKind.INCLUDE, Severity.WARNING),
        (ProblemKind.VALUE, Severity.WARNING),
    ],
)
def test_problems_of_the_reader(kind: ProblemKind, severity: Severity) -> None:
    problem = Problem(kind, "this '}' closes no block", Location(PATH, 7, 3))
    found = only(backup(conf=replace(conf(), problems=(problem,))))

    assert (found.id, found.severity) == (f"config-{kind.value}", severity)
    assert found.evidence == (f"{PATH}:7:3: this '}}' closes no block (conf)",)


def test_an_instance_without_vips() -> None:
    base = conf()
    bare = replace(base, instances=(replace(base.instances[0], vips=()),))
    found = suspected(backup(conf=bare, running=bare, instances=(instance(vips=()),), advertisers=()))

    assert {"instance-without-vips", "virtual-server-without-vip"} <= set(found)
    contradicted = suspected(backup(conf=bare, running=bare))  # keepalived's dump has a VIP
    assert "instance-without-vips" not in contradicted


# --- virtual servers that cannot work


def test_direct_routing_cannot_change_a_port() -> None:
    direct = conf(server={"method": ForwardingMethod.DIRECT})
    reals = tuple(real(n, method=ForwardingMethod.DIRECT) for n in (5, 6))
    found = only(backup(conf=direct, running=direct, ipvs=table(*reals)))

    assert (found.id, found.severity) == ("port-changed-by-direct-routing", Severity.CRITICAL)
    assert found.evidence[0] == f"{PATH}:1:1: 10.2.68.5:8080, 10.2.68.6:8080 (conf)"


def udp(*taking: int) -> Snapshot:
    checked = tuple(replace(conf_real(n), checks=("TCP_CHECK",)) for n in (5, 6))
    dns = conf(server={"protocol": Protocol.UDP, "real_servers": checked})
    kernel = table(*(real(n) for n in taking))
    virtual = replace(kernel.virtual_servers[0], protocol=Protocol.UDP)
    lets_go = {**SYSCTLS, "net.ipv4.vs.expire_nodest_conn": 1}
    return backup(conf=dns, running=dns, ipvs=replace(kernel, virtual_servers=(virtual,)), sysctls=lets_go)


def test_udp_with_a_tcp_check_that_removed_a_real_server() -> None:
    found = suspected(udp(5))

    assert set(found) == {"udp-with-tcp-check", "real-server-not-in-kernel"}


def test_udp_with_a_tcp_check_that_passes_is_not_reported() -> None:
    assert suspected(udp(5, 6)) == {}


def test_a_virtual_server_without_its_vip() -> None:
    base = conf()
    other = replace(base, virtual_servers=(replace(base.virtual_servers[0], address="10.4.0.99"),))
    kernel = table(real(5), real(6))
    moved = replace(kernel, virtual_servers=(replace(kernel.virtual_servers[0], address="10.4.0.99"),))
    found = only(backup(conf=other, running=other, ipvs=moved))

    assert (found.id, found.vips) == ("virtual-server-without-vip", ("10.4.0.99",))


# --- what the ConfigMap asks for


def test_a_config_as_asked_is_not_reported() -> None:
    assert suspected(asked()) == {}


def test_the_running_config_differs_from_what_is_asked() -> None:
    three = build_kube.group(*(build_kube.endpoint(n) for n in (5, 6, 7)))
    kube = build_kube.kube(endpoints={build_kube.NGINX: (three,)})
    found = suspected(asked(kube=kube))

    assert set(found) == {"running-not-expected", "endpoint-not-in-ipvs"}
    drift = found["running-not-expected"]
    assert drift.severity is Severity.WARNING
    assert drift.evidence == (
        f"virtual server {VIP}:80 lacks real server 10.2.68.7:8080, a ready endpoint (pod default/nginx-7)",
        "the file does not match it either (conf)",
    )


def test_a_priority_that_the_controller_did_not_write_is_an_info() -> None:
    good = asked().conf
    assert good is not None
    lowered = replace(good, instances=(replace(good.instances[0], priority=90),))
    found = only(asked(conf=lowered, running=lowered))

    assert (found.id, found.severity) == ("running-not-expected", Severity.INFO)


def test_an_edit_that_the_controller_overwrote() -> None:
    good = asked().running
    assert good is not None
    by_hand = replace(good, digest="hand", instances=(replace(good.instances[0], priority=150),))
    found = only(asked(running=by_hand))

    assert (found.id, found.severity) == ("config-overwritten", Severity.WARNING)
    assert found.title == f"kube-keepalived-vip has overwritten {PATH}: no file has the running config any more"
    assert found.evidence[1].startswith("instance vips: priority is 150; the controller would write 100")


def test_without_the_endpoints_nothing_is_compared() -> None:
    assert suspected(asked(kube=build_kube.kube(endpoints=None))) == {}


def test_a_vip_that_is_bound_by_hand_is_not_missing() -> None:
    base = conf()
    bare = replace(base, instances=(replace(base.instances[0], vips=(VirtualAddress("10.4.0.60", 32),)),))

    assert "virtual-server-without-vip" not in suspected(backup(conf=bare, running=bare, addresses=addresses(VIP)))
