"""What a connect proves: from a director it takes another path than a client's, and by DR it may prove nothing."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from kvtui.model.connect import Connect
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.rules.chain import ChainIndex, ChainLink, Layer, Mark, Port, connect_link
from kvtui.rules.observe import observe
from tests.kit import NOW, VIP, addresses, keepalived, real, snapshot, table

ACCEPTED = Connect(VIP, 80, NOW - 2, 0.0042, source="10.4.0.3")
REFUSED = Connect(VIP, 80, NOW - 2, 0.0042, "connection refused")
UNANSWERED = Connect(VIP, 80, NOW - 2, 3.0, "no answer within 3 s")
DR = table(*(replace(real(n), method=ForwardingMethod.DIRECT) for n in (5, 6)))
NOWHERE = replace(table(), virtual_servers=())
HTTP = Port(80)
OWN_TABLE = "; through this node's IPVS table, not through the VIP's owner, like every connect from a director"


def link(result: Connect | None, port: Port | None = HTTP, **changes: Any) -> ChainLink:
    return connect_link(ChainIndex(observe(snapshot(**changes))), VIP, port, result)


def test_accepted_from_a_machine_that_is_not_a_director() -> None:
    found = link(ACCEPTED, ipvs=NOWHERE, conf=None, running=None)
    assert found == ChainLink(Layer.CONNECT, Mark.OK, "accepted in 4 ms, from 10.4.0.3", 2.0)


def test_a_director_reports_the_path_of_the_connect() -> None:
    assert link(ACCEPTED) == ChainLink(Layer.CONNECT, Mark.OK, f"accepted in 4 ms, from 10.4.0.3{OWN_TABLE}", 2.0)


@pytest.mark.parametrize("result", [REFUSED, UNANSWERED], ids=["refused", "unanswered"])
def test_a_failure_breaks_the_chain(result: Connect) -> None:
    found = link(result)
    assert found.mark is Mark.BROKEN
    assert found.detail == f"{result.error} after {result.seconds * 1000:.0f} ms{OWN_TABLE}"
    assert found.remedy


def test_by_dr_from_the_master_itself_a_failure_proves_nothing() -> None:
    found = link(UNANSWERED, ipvs=DR, addresses=addresses(VIP))
    assert found.mark is Mark.UNKNOWN
    assert found.detail == (
        "no answer within 3 s; inconclusive: this node has the VIP, so its connect comes from the VIP, and "
        "with direct the real server, which has the VIP too, answers to itself"
    )
    assert found.remedy.startswith("test from another host")


def test_by_dr_from_a_backup_a_failure_breaks_the_chain() -> None:
    assert link(UNANSWERED, ipvs=DR).mark is Mark.BROKEN
    assert link(ACCEPTED, ipvs=DR).mark is Mark.OK


def test_by_nat_from_the_master_itself_a_failure_breaks_the_chain() -> None:
    assert link(UNANSWERED, addresses=addresses(VIP)).mark is Mark.BROKEN


def test_keepalived_in_another_namespace_has_another_table() -> None:
    found = link(UNANSWERED, ipvs=DR, addresses=addresses(VIP), keepalived=(keepalived(own_netns=False),))
    assert found.mark is Mark.BROKEN
    assert found.detail.endswith("from kvtui's network namespace, which is not keepalived's")


@pytest.mark.parametrize("port", [None, Port(53, Protocol.UDP)], ids=["no port", "UDP"])
def test_without_a_tcp_port_there_is_no_connect(port: Port | None) -> None:
    assert link(None, port) == ChainLink(Layer.CONNECT, Mark.NONE, "no TCP port to connect to")
