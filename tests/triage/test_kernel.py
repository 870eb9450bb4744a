"""Findings about the IPVS table compared with the config and the health checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from kvtui.model.addresses import Interface, InterfaceAddress
from kvtui.model.finding import Severity
from kvtui.model.ipvs import ForwardingMethod, Protocol, VirtualServer
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import RealServerCheck
from tests.kit import VIP, addresses, conf_real, real, sources, table
from tests.triage.case import SYSCTLS, backup, conf, only, suspected

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot

VIRTUAL = f"{VIP}:80"


def check(number: int, *, alive: bool = True, weight: int = 1) -> RealServerCheck:
    return RealServerCheck(VIRTUAL, f"10.2.68.{number}", 8080, 1, weight, alive, 0 if alive else 2)


def without_ipvs(sysctls: dict[str, int] | None) -> Snapshot:
    gone = tuple(s for s in sources() if s.name is not SourceName.IPVS)
    return backup(ipvs=None, sysctls=sysctls, sources=(*gone, Source(SourceName.IPVS, SourceState.UNAVAILABLE, "why")))


def test_ip_vs_is_missing_if_the_kernel_lacks_its_sysctls() -> None:
    kernel = {name: value for name, value in SYSCTLS.items() if not name.startswith("net.ipv4.vs.")}
    found = only(without_ipvs(kernel))

    assert (found.id, found.severity, found.vips) == ("ip-vs-missing", Severity.CRITICAL, (VIP,))


def test_a_table_that_cannot_be_read_is_not_missing() -> None:
    assert suspected(without_ipvs(SYSCTLS)) == {}
    assert suspected(without_ipvs(None)) == {}


def test_a_virtual_server_that_vanished() -> None:
    empty = replace(table(), virtual_servers=())
    found = only(backup(ipvs=empty))

    assert (found.id, found.severity, found.object) == ("virtual-server-not-in-kernel", Severity.CRITICAL, VIRTUAL)


def proxied(*, bridged: bool = True) -> Snapshot:
    """Returns kube-proxy's dummy interface with a cluster address, and its virtual server next to keepalived's."""
    service = VirtualServer(Protocol.TCP, "10.96.0.1", 443, None, 4, "rr")
    base = addresses()
    links = (*base.interfaces, Interface(7, "kube-ipvs0", up=False, running=False, mtu=1500))
    place = InterfaceAddress("10.96.0.1", 32, "kube-ipvs0")
    ours = table(real(5), real(6)).virtual_servers if bridged else ()
    return backup(
        addresses=replace(base, addresses=(*base.addresses, place), interfaces=links),
        ipvs=replace(table(), virtual_servers=(*ours, service)),
    )


def test_kube_proxy_in_ipvs_mode() -> None:
    found = only(proxied())

    assert (found.id, found.severity) == ("kube-proxy-ipvs", Severity.WARNING)
    assert found.evidence == (
        "interface kube-ipvs0 exists (addresses)",
        "1 virtual server on its addresses (ipvs)",
        f"virtual servers of keepalived: {VIRTUAL} (ipvs)",
    )


def test_kube_proxy_is_named_when_something_vanished() -> None:
    found = suspected(proxied(bridged=False))["virtual-server-not-in-kernel"]

    assert "excludeCIDRs" in found.remedy
    assert (
        "kube-proxy in IPVS mode deletes unknown virtual servers: interface kube-ipvs0 exists (addresses)"
        in found.evidence
    )


def test_a_virtual_server_made_by_hand() -> None:
    both = table(real(5), real(6))
    extra = replace(both.virtual_servers[0], port=8443, real_servers=(real(9),))
    found = only(backup(ipvs=replace(both, virtual_servers=(*both.virtual_servers, extra))))

    assert (found.id, found.severity) == ("virtual-server-not-in-config", Severity.WARNING)
    assert found.remedy == f"ipvsadm -D -t {VIP}:8443"


@pytest.mark.parametrize(
    ("server", "evidence", "remedy"),
    [
        ({"scheduler": "rr"}, "scheduler wlc (ipvs), rr (conf)", f"ipvsadm -E -t {VIRTUAL} -s rr -p 1800"),
        (
            {"persistence_timeout": 60},
            "persistence 1800 s (ipvs), 60 s (conf)",
            f"ipvsadm -E -t {VIRTUAL} -s wlc -p 60",
        ),
        ({"persistence_timeout": None}, "persistence 1800 s (ipvs), 0 s (conf)", f"ipvsadm -E -t {VIRTUAL} -s wlc  #"),
    ],
)
def test_a_virtual_server_that_differs(server: dict[str, object], evidence: str, remedy: str) -> None:
    base = conf()
    other = replace(base, virtual_servers=(replace(base.virtual_servers[0], **server),))
    found = only(backup(conf=other, running=other))

    assert (found.id, found.severity) == ("virtual-server-differs", Severity.WARNING)
    assert found.evidence == (evidence,)
    assert found.remedy.startswith(remedy)


def test_no_real_server_takes_connections() -> None:
    found = suspected(backup(ipvs=table(real(5, weight=0), real(6, weight=0))))

    assert found["no-live-real-server"].severity is Severity.CRITICAL
    assert found["no-live-real-server"].evidence[0] == "2 drained (ipvs, conf)"
    assert found["no-live-real-server"].remedy == "kvtui undrain 10.2.68.5:8080"


def test_a_virtual_server_without_real_servers() -> None:
    alone = conf(server={"real_servers": ()})
    found = only(backup(conf=alone, running=alone, ipvs=table()))

    assert found.evidence[0] == "it has no real servers (ipvs, conf)"


def test_a_real_server_whose_check_fails() -> None:
    found = suspected(backup(ipvs=table(real(5)), checks=(check(5), check(6, alive=False))))

    assert set(found) == {"real-server-down", "persistence-pins-removed"}
    down = found["real-server-down"]
    assert (down.severity, down.object) == (Severity.WARNING, f"{VIRTUAL} -> 10.2.68.6:8080")
    assert down.evidence == ("10.2.68.6:8080: removed, check fails (2 of its checks) (ipvs, dump)",)


def test_inhibit_on_failure_is_not_a_drain() -> None:
    found = suspected(backup(ipvs=table(real(5), real(6, weight=0)), checks=(check(5), check(6, alive=False))))

    assert "real-server-down" in found
    assert "drained" not in found


def test_a_real_server_deleted_by_hand() -> None:
    found = suspected(backup(ipvs=table(real(5)), checks=(check(5), check(6))))

    assert set(found) == {"real-server-not-in-kernel", "persistence-pins-removed"}
    gone = found["real-server-not-in-kernel"]
    assert gone.evidence[1] == "keepalived reports that its check passes (dump)"


def test_a_real_server_added_by_hand() -> None:
    found = only(backup(ipvs=table(real(5), real(6), real(7))))

    assert (found.id, found.object) == ("real-server-not-in-config", f"{VIRTUAL} -> 10.2.68.7:8080")
    assert found.remedy == f"ipvsadm -d -t {VIRTUAL} -r 10.2.68.7:8080"


def test_a_sorry_server_is_configured() -> None:
    sorry = replace(conf_real(7), sorry=True)
    base = conf()
    with_sorry = replace(
        base,
        virtual_servers=(
            replace(base.virtual_servers[0], real_servers=(*base.virtual_servers[0].real_servers, sorry)),
        ),
    )

    assert suspected(backup(conf=with_sorry, running=with_sorry, ipvs=table(real(5), real(6), real(7)))) == {}


def test_a_weight_that_is_not_configured() -> None:
    found = only(backup(ipvs=table(real(5), real(6, weight=7))))

    assert (found.id, found.severity) == ("weight-differs", Severity.WARNING)
    assert found.evidence == ("10.2.68.6:8080: weight 7 (ipvs), 1 (conf)",)
    assert found.remedy == f"ipvsadm -e -t {VIRTUAL} -r 10.2.68.6:8080 -m -w 1"


def test_a_remedy_keeps_the_forwarding_method() -> None:
    direct = real(6, weight=7, method=ForwardingMethod.DIRECT)

    assert only(backup(ipvs=table(real(5), direct))).remedy.endswith("-g -w 1")


def test_a_weight_that_a_check_gave() -> None:
    assert suspected(backup(ipvs=table(real(5), real(6, weight=7)), checks=(check(5), check(6, weight=7)))) == {}


def test_a_drain_is_an_info() -> None:
    found = suspected(backup(ipvs=table(real(5), real(6, weight=0, persistent=0))))

    assert set(found) == {"drained"}
    assert found["drained"].severity is Severity.INFO
    assert found["drained"].remedy.startswith("kvtui undrain 10.2.68.6:8080")


def test_many_real_servers_are_one_finding() -> None:
    numbers = range(5, 105)
    many = conf(*numbers)
    found = suspected(backup(conf=many, running=many, ipvs=table(*(real(n, weight=3) for n in numbers))))

    assert set(found) == {"weight-differs"}
    assert found["weight-differs"].title == f"100 of 100 real servers of {VIRTUAL} have another weight than configured"
    assert len(found["weight-differs"].evidence) == 6


def test_a_full_real_server() -> None:
    found = only(backup(ipvs=table(real(5), real(6, active=90, inactive=10, upper_threshold=100))))

    assert (found.id, found.severity) == ("real-server-full", Severity.WARNING)
    assert found.evidence == ("10.2.68.6:8080: 100 connections, uthreshold 100 (ipvs)",)


# --- persistence


def test_persistence_pins_clients_to_a_drained_server() -> None:
    found = suspected(backup(ipvs=table(real(5), real(6, weight=0, persistent=12))))

    pins = found["persistence-pins-drained"]
    assert pins.severity is Severity.WARNING
    assert pins.evidence[0] == "12 persistence templates; each expires 1800 s after the client's last connection (ipvs)"
    assert pins.remedy.startswith("sysctl -w net.ipv4.vs.expire_quiescent_template=1")


@pytest.mark.parametrize("sysctls", [{**SYSCTLS, "net.ipv4.vs.expire_quiescent_template": 1}, None])
def test_pinned_clients_are_not_reported_if_the_sysctl_frees_them_or_is_unknown(sysctls: dict[str, int] | None) -> None:
    snapshot = backup(ipvs=table(real(5), real(6, weight=0, persistent=12)), sysctls=sysctls)

    assert set(suspected(snapshot)) == {"drained"}


def test_persistence_pins_clients_to_a_removed_server() -> None:
    found = suspected(backup(ipvs=table(real(5)), checks=(check(5), check(6, alive=False))))

    assert found["persistence-pins-removed"].remedy == "sysctl -w net.ipv4.vs.expire_nodest_conn=1"


def test_expire_nodest_conn_frees_the_clients_of_a_removed_server() -> None:
    lets_go = {**SYSCTLS, "net.ipv4.vs.expire_nodest_conn": 1}

    assert "persistence-pins-removed" not in suspected(backup(ipvs=table(real(5)), sysctls=lets_go))
