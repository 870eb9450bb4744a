"""Why two nodes reject each other's adverts: by cause, from the wire and keepalived's counters, on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.finding import Severity
from kvtui.model.vrrp import AddressFamily, HmacTrailer, Transition, VrrpState
from kvtui.rules.triage.rejections import CAUSES
from tests.kit import NOW, VIP, addresses, advertiser, conf, instance, keepalived
from tests.triage.case import backup, master, suspected

if TYPE_CHECKING:
    from kvtui.model.finding import Finding
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import Advertiser

OWN = advertiser(0, outgoing=True)


def peer(node: int = 2, *, at: float = NOW - 0.5, **last: Any) -> Advertiser:
    """Returns another node's advertiser with changes."""
    base = advertiser(node, at=at)
    return replace(base, last=replace(base.last, **last))


def counting(state: VrrpState = VrrpState.MASTER, *, grown: bool = True, **counters: Any) -> Any:
    """Returns the instance with keepalived's counters, which grew in the last dump or at some time before."""
    return instance(
        state, counters={"advert_rcvd": 0, **counters}, grown=dict.fromkeys(counters, NOW - 2) if grown else {}
    )


def split(other: Advertiser, **counters: Any) -> Snapshot:
    """Returns a node in a split brain: this master has just advertised."""
    return master(instances=(counting(**counters),), advertisers=(OWN, other))


def test_different_passwords_are_reported_by_keepalived_alone() -> None:
    found = suspected(split(peer(), auth_failure=12))

    assert set(found) == {"two-masters", "adverts-rejected"}
    assert "another auth_pass" in found["adverts-rejected"].title
    assert found["adverts-rejected"].severity is Severity.CRITICAL
    assert found["two-masters"].remedy == "use the same auth_pass on all nodes, then: kvtui reload"
    assert any("auth_failure 12" in e for e in found["two-masters"].evidence)


@pytest.mark.parametrize("name", CAUSES)
def test_each_counter_names_its_cause(name: Any) -> None:
    grown: Any = {name: 3}
    found = suspected(backup(instances=(counting(VrrpState.BACKUP, **grown),)))

    assert CAUSES[name][0] in found["adverts-rejected"].title
    assert found["adverts-rejected"].remedy == CAUSES[name][1]


def test_counters_that_grew_long_ago_are_not_reported() -> None:
    past = counting(VrrpState.MASTER, grown=False, auth_failure=3)
    assert suspected(backup(instances=(counting(VrrpState.BACKUP, grown=False, auth_failure=3),))) == {}
    assert suspected(master(instances=(past,)))["adverts-rejected"].severity is Severity.WARNING
    long_master = replace(past, last_transition=NOW - 1800)
    assert suspected(master(instances=(long_master,)))["adverts-rejected"].severity is Severity.INFO
    assert suspected(master(instances=(replace(past, last_transition=NOW - 7200),))) == {}


def test_a_kvtui_that_watches_the_counters_knows_that_the_rejections_ended() -> None:
    past = counting(VrrpState.MASTER, grown=False, auth_failure=3)
    assert "adverts-rejected" in suspected(master(instances=(replace(past, counted_since=NOW - 30),)))
    assert suspected(master(instances=(replace(past, counted_since=NOW - 120),))) == {}
    still = replace(past, counted_since=NOW - 120, grown={"auth_failure": NOW - 60})
    assert suspected(master(instances=(still,)))["adverts-rejected"].severity is Severity.CRITICAL


def test_different_multicast_groups_are_not_a_firewall() -> None:
    found = suspected(split(peer(destination="224.0.0.20")))

    assert set(found) == {"two-masters", "vrrp-group-differs"}
    assert "224.0.0.20" in found["vrrp-group-differs"].title
    assert "tcpdump" not in found["two-masters"].remedy
    configured = replace(conf(), globals={"vrrp_mcast_group4": "224.0.0.20"})
    same = backup(conf=None, running=replace(backup().running or configured, globals=configured.globals))
    assert "vrrp-group-differs" not in suspected(replace(same, advertisers=(peer(destination="224.0.0.20"),)))


def test_a_master_that_rejected_adverts_silence_is_not_reported_as_hung() -> None:
    """keepalived holds the VIP and answers; the rejected adverts of the other node restart its timer."""
    old = replace(OWN, last=replace(OWN.last, received=NOW - 20))
    other = peer(addresses=(VIP, "10.4.0.51"))
    found = suspected(master(instances=(counting(addr_list_err=30),), advertisers=(old, other)))

    assert set(found) == {"two-masters", "vip-held-no-advert", "vip-lists-differ"}
    assert "adverts that it rejects restart its timer" in found["vip-held-no-advert"].title
    for finding in found.values():
        assert "restart keepalived" not in finding.remedy


def test_the_other_side_of_that_split_names_the_node_that_it_silenced() -> None:
    silenced = peer(at=NOW - 100, addresses=(VIP, "10.4.0.51"))
    found = suspected(master(advertisers=(OWN, silenced)))

    assert set(found) == {"vip-lists-differ"}
    died = peer(at=NOW - 100)
    assert suspected(master(advertisers=(OWN, died))) == {}


LONG_AGO = NOW - 600


def with_unheard(other: Advertiser, since: float = NOW - 1800, **grown: float) -> dict[str, Finding]:
    """This master counted the other's last adverts and received no more; it became master or was reloaded later.

    Without a counter, it rejected them for their password.
    """
    here = replace(counting(auth_failure=9), grown=grown or {"auth_failure": LONG_AGO + 3}, counted_since=NOW - 900)
    return suspected(master(instances=(replace(here, last_transition=since),), advertisers=(OWN, other)))


def test_a_rival_that_falls_silent_is_reported_until_evidence_shows_its_end() -> None:
    found = with_unheard(peer(at=LONG_AGO))
    assert set(found) == {"master-unheard"}
    finding = found["master-unheard"]
    assert finding.severity is Severity.WARNING
    assert "10m00s ago: nothing shows that it stepped down" in finding.title
    assert any("another auth_pass" in e for e in finding.evidence)
    assert finding.remedy.endswith("if it is MASTER, use the same auth_pass on all nodes, then: kvtui reload")
    wire = with_unheard(peer(at=LONG_AGO, version=2, auth_type=0), advert_sent=NOW)
    assert any("uses VRRP 2" in e for e in wire["master-unheard"].evidence)
    recently = with_unheard(peer(at=NOW - 30), auth_failure=NOW - 30)
    assert set(recently) == {"two-masters", "adverts-rejected"}  # master-unheard reports it next
    assert set(with_unheard(peer(at=NOW - 90), auth_failure=NOW - 90)) == {"master-unheard"}


def test_rivals_that_silence_each_other_alternately_are_two_masters_and_do_not_flap() -> None:
    others = peer(at=NOW - 30, addresses=(VIP, "10.4.0.51"))
    turns = tuple(Transition(NOW - a, 50, AddressFamily.V4, "10.4.0.5 → 10.4.0.3 is master") for a in (60, 45, 30, 29))
    here = replace(counting(), last_transition=NOW - 90)
    found = suspected(master(instances=(here,), advertisers=(OWN, others), transitions=turns))
    assert set(found) == {"two-masters", "vip-lists-differ"}
    assert "2 nodes are master" in found["two-masters"].title
    assert any("last heard 30.0 s ago" in e for e in found["two-masters"].evidence)
    agreeing = suspected(master(instances=(here,), advertisers=(OWN, peer(at=NOW - 30)), transitions=turns))
    assert set(agreeing) == {"flapping"}
    before = replace(here, last_transition=NOW - 29)  # it was master until this node took over
    assert "two-masters" not in suspected(master(instances=(before,), advertisers=(OWN, others)))


def test_evidence_that_a_silent_rival_has_ended_ends_the_finding() -> None:
    assert with_unheard(peer(at=LONG_AGO, priority=0)) == {}  # it stepped down
    assert with_unheard(peer(at=NOW - 4000), since=NOW - 7200) == {}  # history
    assert with_unheard(peer(at=LONG_AGO), since=LONG_AGO + 60) == {}  # reloaded, or master since then
    assert with_unheard(peer(at=LONG_AGO), auth_failure=LONG_AGO - 60) == {}  # its last advert was not rejected
    assert with_unheard(peer(at=LONG_AGO), auth_failure=LONG_AGO + 3, advert_rcvd=LONG_AGO + 3) == {}  # but accepted
    carp = replace(peer(at=LONG_AGO, carp=True, version=2, addresses=(), priority=0), believed=False, bad=50)
    assert with_unheard(carp) == {}
    assert with_unheard(peer(at=LONG_AGO), advert_sent=NOW) == {}  # it died; nothing was rejected


def test_if_such_adverts_are_accepted_a_silent_node_is_a_backup() -> None:
    """2.3.3: nobody is silenced, and an advert list of a while ago is not evidence for the present."""
    accepting = (keepalived(version="2.3.3"),)
    other = peer(addresses=(VIP, "10.4.0.51"))
    assert "vip-lists-differ" in suspected(master(advertisers=(OWN, other), keepalived=accepting))
    silent = peer(at=NOW - 100, addresses=(VIP, "10.4.0.51"))
    here = replace(counting(), last_transition=NOW - 900)
    assert suspected(master(advertisers=(OWN, silent), keepalived=accepting, instances=(here,))) == {}
    assert suspected(master(advertisers=(OWN, peer(at=NOW - 600, addresses=(VIP, "10.4.0.51"))), instances=(here,)))
    silent = peer(at=NOW - 600, addresses=(VIP, "10.4.0.51"))
    assert suspected(master(advertisers=(OWN, silent), keepalived=accepting, instances=(here,))) == {}


def test_the_other_side_without_an_advert_names_what_is_unknown() -> None:
    found = suspected(master(instances=(counting(grown=False, addr_list_err=4),)))["adverts-rejected"]

    assert "another list of VIPs" in found.title
    assert any("kvtui cluster" in e for e in found.evidence)
    once = suspected(master(instances=(counting(grown=False, addr_list_err=1),)))["adverts-rejected"]
    assert once.severity is Severity.INFO  # of a master that is silent now, or was master once
    assert suspected(master(instances=(counting(grown=False, packet_len_err=2),))) == {}


def test_a_master_that_is_silent_though_it_answers_is_not_restarted() -> None:
    found = suspected(master(advertisers=()))["vip-held-no-advert"]
    assert "keepalived answers" in found.title
    hung = replace(master(advertisers=()), sources=tuple(replace(s, read_at=NOW - 100) for s in master().sources))
    assert "restart keepalived" in suspected(hung)["vip-held-no-advert"].remedy


@pytest.mark.parametrize(
    "other",
    [
        peer(version=2, auth_type=0),
        peer(destination="224.0.0.20"),
        replace(peer(checksum_ok=False, error="wrong checksum"), bad=9),
        peer(interval=2.0),
    ],
    ids=["version", "group", "checksum", "interval"],
)
def test_adverts_that_keepalived_rejects_without_counting_are_not_filtered(other: Advertiser) -> None:
    assert "adverts-filtered-here" not in suspected(split(other))


def test_an_address_owner_drops_every_advert_uncounted() -> None:
    owner = replace(counting(), base_priority=255, effective_priority=255)
    assert "adverts-filtered-here" not in suspected(master(instances=(owner,), advertisers=(OWN, peer())))


def test_carp_is_named_and_not_taken_for_an_old_keepalived() -> None:
    carp = replace(
        peer(carp=True, version=2, auth_type=None, addresses=(), interval=1.0, priority=0), believed=False, bad=50
    )
    found = suspected(master(advertisers=(OWN, carp)))

    assert set(found) == {"carp-sender"}
    assert "vhid" in found["carp-sender"].remedy


def signed(key: int = 1, at: float = NOW - 0.5) -> HmacTrailer:
    return HmacTrailer(1, key, int(at * 65536) << 16)


def test_an_unfinished_roll_out_of_auth_hmac() -> None:
    own = replace(OWN, last=replace(OWN.last, hmac=signed()))
    found = suspected(master(advertisers=(own, peer())))
    assert found["hmac-unsigned"].severity is Severity.WARNING
    assert "does not sign" in found["hmac-unsigned"].title

    late = suspected(master(advertisers=(own, peer(hmac=signed(at=NOW - 60)))))
    assert "59.5 s late" in late["hmac-stale"].title


def test_signed_nodes_that_agree_are_not_reported() -> None:
    own = replace(OWN, last=replace(OWN.last, hmac=signed()))
    found = suspected(master(advertisers=(own, peer(hmac=signed()))))
    assert set(found) == {"two-masters"}


def test_a_firewall_is_the_last_possible_cause() -> None:
    found = suspected(split(peer()))
    assert set(found) == {"two-masters", "adverts-filtered-here"}
    assert "224.0.0.18" in found["two-masters"].remedy


def test_no_master_needs_a_capture_on_the_interface() -> None:
    silent = backup(advertisers=())
    assert set(suspected(silent)) == {"no-master"}
    table = addresses()
    down = replace(table, interfaces=(replace(table.interfaces[0], up=False),))
    assert "no-master" not in suspected(replace(silent, addresses=down))
    assert suspected(silent, listened=3.0) == {}  # 4 intervals without a drop have not passed
