"""The chain of a VIP: each layer ok, broken or unknown; the first break is named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason
from kvtui.model.vrrp import RealServerCheck, VrrpState
from kvtui.rules.chain import Layer, Mark, first_break, whole
from tests.kit import (
    NOW,
    VIP,
    addresses,
    advertiser,
    conf,
    conf_real,
    instance,
    keepalived,
    real,
    sources,
    table,
)
from tests.kit.kube import controller
from tests.rules.chains import ALL_OK, CLUSTER, UNKNOWN, WRITTEN, detail_of, links, marks

OWN = advertiser(0, outgoing=True)
MASTER: dict[str, Any] = {
    "instances": (instance(VrrpState.MASTER),),
    "addresses": addresses(VIP),
    "advertisers": (OWN,),
}


@pytest.mark.parametrize("changes", [{}, MASTER], ids=["backup", "master"])
def test_a_complete_chain(changes: dict[str, Any]) -> None:
    found = links(**changes)
    assert marks(found) == ALL_OK
    assert first_break(found) is None


def test_without_an_api_it_is_unknown_whether_the_chain_is_complete() -> None:
    found = links()
    not_read = "no data from the API: not read"
    mapped = f"{not_read}; according to keepalived.conf: default/nginx with NAT"
    named = f"{not_read}; the config's comment names default/nginx"
    assert [detail_of(found, layer) for layer in CLUSTER] == [mapped, named, not_read]
    assert whole(found) is None


def without_api(reason: UnavailableReason) -> tuple[Source, ...]:
    """Returns a snapshot of a node without an API, for this reason: the API is absent or not wanted."""
    others = tuple(s for s in sources() if s.name is not SourceName.KUBERNETES)
    return (*others, Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, "no API", reason=reason))


ANONYMOUS = replace(WRITTEN, virtual_servers=tuple(replace(v, service=None) for v in WRITTEN.virtual_servers))
"""A handwritten keepalived.conf: no comment names a Service."""
ALONE: dict[str, tuple[dict[str, Any], bool | None, str]] = {
    "a node of a cluster": (
        {"sources": without_api(UnavailableReason.ABSENT)},
        None,
        "no Kubernetes API is configured; according to keepalived.conf: default/nginx with NAT",
    ),
    "no cluster at all": (
        {"sources": without_api(UnavailableReason.ABSENT), "conf": ANONYMOUS, "running": ANONYMOUS},
        True,
        "no Kubernetes API is configured; according to keepalived.conf: no Service with NAT",
    ),
    "a controller, though no comment": (
        {
            "sources": without_api(UnavailableReason.ABSENT),
            "conf": ANONYMOUS,
            "running": ANONYMOUS,
            "keepalived": (keepalived(controller=controller()),),
        },
        None,
        "no Kubernetes API is configured; according to keepalived.conf: no Service with NAT",
    ),
    "not wanted": (
        {"sources": without_api(UnavailableReason.UNWANTED)},
        True,
        "Kubernetes is disabled (--no-kube); according to keepalived.conf: default/nginx with NAT",
    ),
}


@pytest.mark.parametrize(("changes", "is_complete", "detail"), ALONE.values(), ids=ALONE.keys())
def test_without_an_api_the_clusters_layers_are_expected_if_the_config_names_services(
    changes: dict[str, Any], is_complete: bool | None, detail: str
) -> None:
    found = links(**changes)
    expected = dict.fromkeys(CLUSTER, Mark.NONE if is_complete else Mark.UNKNOWN)
    assert marks(found) == ALL_OK | expected
    assert detail_of(found, Layer.CONFIGMAP) == detail
    assert whole(found) is is_complete
    assert all("--no-kube" in link.remedy for link in found if link.mark is Mark.UNKNOWN)


def test_a_break_on_the_node_is_named_without_an_api() -> None:
    found = links(sources=without_api(UnavailableReason.UNWANTED), ipvs=table(real(5)))
    broken = first_break(found)
    assert broken is not None
    assert broken.layer is Layer.IPVS
    assert whole(found) is False


WITHOUT = replace(conf(conf_real(5), conf_real(6)), instances=())
CASES: dict[str, tuple[dict[str, Any], dict[Layer, Mark], str]] = {
    "the file lost it": (
        {"conf": WITHOUT},
        {Layer.CONF: Mark.BROKEN},
        "not in /etc/keepalived/keepalived.conf: the next reload removes it",
    ),
    "never reloaded": ({"running": WITHOUT}, {Layer.RUNNING: Mark.BROKEN}, "keepalived runs without it: reload"),
    "no virtual server in the kernel": (
        {"ipvs": replace(table(), virtual_servers=())},
        {Layer.IPVS: Mark.BROKEN},
        "10.4.0.50:80 is in the config but not in the kernel",
    ),
    "every real server drained": (
        {"ipvs": table(real(5, weight=0), real(6, weight=0))},
        {Layer.IPVS: Mark.BROKEN},
        (
            "no real server of 10.4.0.50:80 accepts connections: "
            "10.2.68.5:8080 is drained (weight 0), 10.2.68.6:8080 is drained (weight 0)"
        ),
    ),
    "a real server was taken away": (
        {"ipvs": table(real(5))},
        {Layer.IPVS: Mark.BROKEN},
        "10.4.0.50:80 1/2 real servers up: 10.2.68.6:8080 is not in the kernel",
    ),
    "a real server that no config has": (
        {"ipvs": table(real(5), real(6), real(7))},
        {Layer.IPVS: Mark.BROKEN},
        "10.4.0.50:80 3/3 real servers up: 10.2.68.7:8080 is only in the kernel",
    ),
    "a real server of the file is not run": (
        {"conf": conf(conf_real(5), conf_real(6), conf_real(7), digest="new")},
        {Layer.RUNNING: Mark.BROKEN},
        ("keepalived runs virtual server 10.4.0.50:80, which lacks 10.2.68.7:8080 of the file: reload"),
    ),
    "a master without the address": (
        MASTER | {"addresses": addresses()},
        {Layer.ADDRESS: Mark.BROKEN},
        "this node is MASTER but does not have the address",
    ),
    "a backup with the address": (
        {"addresses": addresses(VIP)},
        {Layer.ADDRESS: Mark.BROKEN},
        "on eth0, but this node is BACKUP: two nodes may have it",
    ),
    "split brain": (
        MASTER | {"advertisers": (OWN, advertiser(2))},
        {Layer.VRRP: Mark.BROKEN},
        "10.4.0.3, 10.4.0.5 advertise it at the same time: split brain",
    ),
    "fault and nobody": (
        {"instances": (instance(VrrpState.FAULT),), "advertisers": ()},
        {Layer.VRRP: Mark.BROKEN},
        "this node is in FAULT and no other node advertises it",
    ),
    "the owner leaves the VIP out": (
        {"advertisers": (replace(advertiser(2), last=replace(advertiser(2).last, addresses=("10.4.0.51",))),)},
        {Layer.VRRP: Mark.BROKEN},
        "10.4.0.5 is master of VRID 50 but does not advertise this VIP",
    ),
    "the owner fell silent": (
        {"advertisers": (advertiser(2, at=NOW - 12),)},
        {Layer.ADDRESS: Mark.BROKEN, Layer.VRRP: Mark.BROKEN},
        "not on this node, and no node advertises it any more",
    ),
}


@pytest.mark.parametrize(("changes", "broken", "detail"), CASES.values(), ids=CASES.keys())
def test_only_the_broken_layer_is_marked_and_named(
    changes: dict[str, Any], broken: dict[Layer, Mark], detail: str
) -> None:
    found = links(**changes)
    assert marks(found) == ALL_OK | broken
    first = first_break(found)
    assert first is not None
    assert (first.layer, first.detail) == (next(iter(broken)), detail)
    assert first.remedy
    assert whole(found) is False


REMEDIES = {
    "never reloaded": "kvtui reload",
    "every real server drained": "kvtui ipvs  # do they answer? undo a drain with kvtui undrain",
    "a real server that no config has": (
        "ipvsadm -d -t 10.4.0.50:80 -r 10.2.68.7:8080  # no config has it; or add it to the config"
    ),
    "a backup with the address": "ip addr del 10.4.0.50/32 dev eth0  # or restart keepalived",
    "split brain": "kvtui vrrp  # on each node: do adverts arrive? same VRID, version, password and VIPs?",
    "fault and nobody": "kvtui vrrp  # a tracked interface, script or file is down",
    "the owner fell silent": "kvtui vrrp  # on the other nodes: does keepalived run?",
}


@pytest.mark.parametrize(("case", "remedy"), REMEDIES.items(), ids=REMEDIES.keys())
def test_the_remedy_can_be_pasted_into_a_shell(case: str, remedy: str) -> None:
    first = first_break(links(**CASES[case][0]))
    assert first is not None
    assert first.remedy == remedy


def test_an_interfaces_name_is_quoted_in_the_remedy() -> None:
    held = addresses(VIP)
    evil = replace(held, addresses=tuple(replace(a, interface="a;reboot") for a in held.addresses))
    first = first_break(links(addresses=evil))
    assert first is not None
    assert first.remedy == "ip addr del 10.4.0.50/32 dev 'a;reboot'  # or restart keepalived"


@pytest.mark.parametrize(("changes", "layer", "detail"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unreadable_layer_is_unknown_and_never_broken(changes: dict[str, Any], layer: Layer, detail: str) -> None:
    found = links(**changes)
    assert marks(found) == ALL_OK | {layer: Mark.UNKNOWN}
    assert detail_of(found, layer) == detail
    assert first_break(found) is None


def test_an_owner_that_fell_silent_is_named_with_the_time_since_its_last_advert() -> None:
    last = links(advertisers=(advertiser(2, at=NOW - 12),))[-1]
    assert (last.detail, last.age) == ("no node advertises it any more; 10.4.0.5 was the last one", 12.0)


def test_without_a_state_an_address_is_no_evidence() -> None:
    found = links(instances=None, advertisers=(), sources=sources(None), addresses=addresses())
    assert marks(found)[Layer.ADDRESS] is Mark.UNKNOWN
    assert detail_of(found, Layer.ADDRESS) == "not on this node; the VRRP state is unknown"


def test_a_vip_without_a_virtual_server_expects_none() -> None:
    bare = conf(virtual_servers=())
    found = links(conf=bare, running=bare, ipvs=replace(table(), virtual_servers=()))
    assert marks(found) == ALL_OK | {Layer.IPVS: Mark.NONE}
    assert first_break(found) is None


def test_a_file_edited_after_the_reload_is_reported_but_does_not_break_the_chain() -> None:
    found = links(conf=conf(conf_real(5), conf_real(6), digest="new"))
    assert marks(found) == ALL_OK
    assert detail_of(found, Layer.RUNNING) == "keepalived runs it; other parts of the file are not reloaded"


INTENDED: dict[str, tuple[dict[str, Any], str]] = {
    "its check fails": (
        {
            "ipvs": table(real(5)),
            "checks": (RealServerCheck(f"{VIP}:80", "10.2.68.6", 8080, 1, 0, alive=False, failed_checkers=1),),
        },
        "10.4.0.50:80 1/2 real servers up: 10.2.68.6:8080 is removed; its check fails (1 of its checks)",
    ),
    "drained": (
        {"ipvs": table(real(5), real(6, weight=0))},
        "10.4.0.50:80 1/2 real servers up: 10.2.68.6:8080 is drained (weight 0)",
    ),
    "another weight": (
        {"ipvs": table(real(5), real(6, weight=3))},
        "10.4.0.50:80 2/2 real servers up: 10.2.68.6:8080 has weight 3, configured is 1",
    ),
}


@pytest.mark.parametrize(("changes", "detail"), INTENDED.values(), ids=INTENDED.keys())
def test_intended_changes_of_keepalived_or_an_operator_are_named_and_do_not_break_the_chain(
    changes: dict[str, Any], detail: str
) -> None:
    found = links(**changes)
    assert marks(found) == ALL_OK
    assert detail_of(found, Layer.IPVS) == detail


def test_a_removed_server_whose_check_passes_was_removed_by_hand() -> None:
    passing = RealServerCheck(f"{VIP}:80", "10.2.68.6", 8080, 1, 1, alive=True, failed_checkers=0)
    found = links(ipvs=table(real(5)), checks=(passing,))
    assert marks(found) == ALL_OK | {Layer.IPVS: Mark.BROKEN}
    assert detail_of(found, Layer.IPVS).endswith("10.2.68.6:8080 is not in the kernel, but its last known check passes")


def test_every_layer_has_the_age_of_its_source() -> None:
    old = tuple(replace(s, read_at=NOW - n) for n, s in enumerate(sources()))
    found = links(sources=old, advertisers=(advertiser(2, at=NOW - 0.25),))
    read = {s.name: NOW - s.read_at for s in old if s.read_at is not None}
    assert [link.age for link in found] == [
        None,
        None,
        None,
        read[SourceName.CONF],
        read[SourceName.CONF],
        read[SourceName.IPVS],
        read[SourceName.ADDRESSES],
        0.25,
    ]


def test_the_first_break_is_the_first_in_the_order_of_the_layers() -> None:
    found = links(running=WITHOUT, addresses=addresses(VIP), ipvs=table(real(5, weight=0), at=NOW))
    assert [link.layer for link in found if link.mark is Mark.BROKEN] == [Layer.RUNNING, Layer.IPVS, Layer.ADDRESS]
    first = first_break(found)
    assert first is not None
    assert first.layer is Layer.RUNNING
