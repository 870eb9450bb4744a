"""The kernel's table compared with the config: up, drained, failed, removed, and the program that manages it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.addresses import InterfaceAddress
from kvtui.model.ipvs import ForwardingMethod
from kvtui.model.observation import ManagedBy, RealServerState, VirtualServerView
from kvtui.model.vrrp import RealServerCheck
from kvtui.rules.observe import observe
from tests.kit import VIP, addresses, conf, conf_real, real, snapshot, table

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot


def virtual(of: Snapshot) -> VirtualServerView:
    views = observe(of).virtual_servers
    assert views is not None
    assert len(views) == 1
    return views[0]


def states(view: VirtualServerView) -> dict[str, RealServerState]:
    return {r.address: r.state for r in view.real_servers}


def test_the_state_of_each_real_server_from_kernel_and_config() -> None:
    kernel = table(real(5), real(6, weight=0), real(9))
    wanted = conf(conf_real(5, weight=3), conf_real(6), conf_real(7))
    view = virtual(snapshot(ipvs=kernel, running=wanted))
    assert states(view) == {
        "10.2.68.5": RealServerState.UP,
        "10.2.68.6": RealServerState.DRAINED,
        "10.2.68.9": RealServerState.UP,
        "10.2.68.7": RealServerState.REMOVED,
    }
    assert [(r.weight, r.configured_weight) for r in view.real_servers] == [(1, 3), (0, 1), (1, None), (None, 1)]
    assert view.up == 2
    assert view.service == "default/nginx"
    assert view.real_servers[3].method is ForwardingMethod.MASQ


def test_a_weight_that_only_keepalived_knows_comes_from_its_dump() -> None:
    """``weight ${_RANDOM 1 9}``."""
    wanted = conf(replace(conf_real(5, weight=None), weight_unknown=True))
    check = RealServerCheck(f"{VIP}:80", "10.2.68.5", 8080, configured_weight=7, alive=True)
    for checks, weight in ((None, None), ((check,), 7)):
        (view,) = virtual(snapshot(ipvs=table(real(5)), running=wanted, checks=checks)).real_servers
        assert view.configured_weight == weight


def test_only_the_checker_distinguishes_a_failed_server_from_a_drained_one() -> None:
    fails = RealServerCheck(f"{VIP}:80", "10.2.68.6", 8080, alive=False, failed_checkers=1)
    passes = RealServerCheck(f"{VIP}:80", "10.2.68.5", 8080, alive=True)
    view = virtual(snapshot(ipvs=table(real(5, weight=0), real(6, weight=0)), checks=(fails, passes)))
    assert states(view) == {"10.2.68.5": RealServerState.DRAINED, "10.2.68.6": RealServerState.FAILED}
    assert [r.check for r in view.real_servers] == ["passes", "fails (1 of its checks)"]


def test_a_virtual_server_that_is_only_in_the_config_is_marked_so() -> None:
    view = virtual(snapshot(ipvs=replace(table(), virtual_servers=())))
    assert not view.in_kernel
    assert (view.up, len(view.real_servers), view.stats) == (0, 2, None)


def test_which_program_manages_it() -> None:
    assert virtual(snapshot()).managed_by is ManagedBy.KEEPALIVED
    unknown = conf(virtual_servers=())
    assert virtual(snapshot(running=unknown)).managed_by is ManagedBy.UNKNOWN
    proxied = addresses()
    proxied = replace(proxied, addresses=(*proxied.addresses, InterfaceAddress(VIP, 32, "kube-ipvs0")))
    assert virtual(snapshot(running=unknown, addresses=proxied)).managed_by is ManagedBy.KUBE_PROXY


def test_the_running_config_takes_precedence_over_the_file() -> None:
    view = virtual(snapshot(conf=conf(conf_real(5, weight=9)), running=conf(conf_real(5), conf_real(6))))
    assert [r.configured_weight for r in view.real_servers] == [1, 1]
