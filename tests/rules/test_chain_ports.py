"""The chain of a VIP that firewall marks or groups of virtual servers serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.model.ipvs import Protocol
from kvtui.rules.chain import ChainIndex, ChainLink, Layer, Mark, Port, first_break, port_chain
from kvtui.rules.observe import observe
from tests.kit import (
    VIP,
    conf_real,
    real,
    snapshot,
    table,
)
from tests.rules.chains import ALL_OK, WRITTEN, detail_of, links, marks

if TYPE_CHECKING:
    from kvtui.model.ipvs import RealServer, VirtualServer

MARK = replace(WRITTEN.virtual_servers[0], address=None, port=None, fwmark=7, protocol=Protocol.FWMARK, service=None)
MARKED = replace(WRITTEN, virtual_servers=(MARK,))
KERNEL_MARK = replace(table(real(5), real(6)).virtual_servers[0], address=None, port=None, fwmark=7)


def by_mark(*virtuals: VirtualServer, **changes: Any) -> tuple[ChainLink, ...]:
    return links(conf=MARKED, running=MARKED, ipvs=replace(table(), virtual_servers=virtuals), **changes)


def test_a_vip_served_by_a_firewalls_mark_has_an_ipvs_layer() -> None:
    found = by_mark(replace(KERNEL_MARK, protocol=Protocol.FWMARK))
    assert marks(found) == ALL_OK
    assert detail_of(found, Layer.CONF) == "in instance vips; marked packets go to fwmark 7"
    assert detail_of(found, Layer.IPVS) == "by firewall mark: fwmark 7 2/2 real servers up"


BY_MARK: dict[str, tuple[tuple[RealServer, ...] | None, str]] = {
    "not in the kernel": (None, "by firewall mark: fwmark 7 is in the config but not in the kernel"),
    "one real server lacks": (
        (real(5),),
        "by firewall mark: fwmark 7 1/2 real servers up: 10.2.68.6:8080 is not in the kernel",
    ),
    "a stranger": (
        (real(5), real(6), real(7)),
        "by firewall mark: fwmark 7 3/3 real servers up: 10.2.68.7:8080 is only in the kernel",
    ),
}


@pytest.mark.parametrize(("reals", "detail"), BY_MARK.values(), ids=BY_MARK.keys())
def test_a_broken_virtual_server_of_a_mark_breaks_the_chain(reals: tuple[RealServer, ...] | None, detail: str) -> None:
    there = () if reals is None else (replace(KERNEL_MARK, protocol=Protocol.FWMARK, real_servers=reals),)
    found = by_mark(*there)
    assert marks(found) == ALL_OK | {Layer.IPVS: Mark.BROKEN}
    assert detail_of(found, Layer.IPVS) == detail


def test_a_mark_of_another_family_or_without_a_config_is_not_the_vips() -> None:
    six = replace(MARKED, virtual_servers=(replace(MARK, real_servers=(replace(conf_real(5), address="fd00::5"),)),))
    found = links(conf=six, running=six, ipvs=replace(table(), virtual_servers=()))
    assert detail_of(found, Layer.IPVS) == "no virtual server; the VIP is only an address"
    none = replace(WRITTEN, virtual_servers=())
    stranger = replace(KERNEL_MARK, protocol=Protocol.FWMARK)
    found = links(conf=none, running=none, ipvs=replace(table(), virtual_servers=(stranger,)))
    assert detail_of(found, Layer.IPVS) == "no virtual server; the VIP is only an address"


def test_each_member_of_a_group_is_a_port_of_its_vip() -> None:
    """The reader expands a group: two virtual servers of one block, with its real servers."""
    (one,) = WRITTEN.virtual_servers
    both = replace(WRITTEN, virtual_servers=(replace(one, group="web"), replace(one, group="web", port=443)))
    seen = observe(snapshot(conf=both, running=both, ipvs=table(real(5), real(6))))
    index = ChainIndex(seen)
    assert index.ports(VIP) == (Port(80), Port(443))
    broken = first_break(port_chain(index, VIP, Port(443)))
    assert broken is not None
    assert broken.detail == "10.4.0.50:443 is in the config but not in the kernel"
    assert first_break(port_chain(index, VIP, Port(80))) is None
