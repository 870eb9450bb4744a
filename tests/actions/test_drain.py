"""Drain plans: steps and warnings, from snapshots, without a kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kvtui.actions.core.plan import NoteSeverity
from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.live import LIVE
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.addresses import AddressTable, InterfaceAddress
from kvtui.model.conf import ConfTrackFile
from kvtui.model.ipvs import ForwardingMethod, Protocol
from kvtui.model.vrrp import RealServerCheck
from tests.actions import nodes
from tests.actions.nodes import FIVE, NETWORK, QUIESCENT, WEB, grades, node, virtual
from tests.kit import NOW, VIP, addresses, conf, conf_real, keepalived, real

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


@pytest.fixture
def web() -> Observation:
    return nodes.web()


def test_a_drain_writes_one_weight(web: Observation) -> None:
    action = plan_drain(web, ("10.2.68.5", None), backend=LIVE)
    assert action.steps == (SetWeight(NETWORK, WEB, FIVE, 4, 0),)
    plan = action.plan
    assert (plan.kind, plan.target, plan.summary) == (
        "drain",
        "10.2.68.5:8080",
        "drain 10.2.68.5:8080 in 10.4.0.50:80",
    )
    assert [(c.what, c.before, c.after) for c in plan.changes] == [
        ("weight of 10.2.68.5:8080 in 10.4.0.50:80", "4", "0")
    ]
    assert plan.steps == ("set the weight of 10.2.68.5:8080 in 10.4.0.50:80 in the kernel from 4 to 0",)
    assert plan.equivalent_commands == ("ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w 0",)
    assert "2 active connections continue" in plan.effects[0]
    assert plan.refusal(force=False) is None
    assert set(grades(plan)) == {NoteSeverity.NOTE}
    assert "a drain affects this node only" in grades(plan)[NoteSeverity.NOTE]


def test_a_drain_covers_all_virtual_servers_or_the_chosen_one() -> None:
    dns = virtual(real(5, weight=2), real(6), protocol=Protocol.UDP, port=53)
    mark = virtual(real(5), real(6), protocol=Protocol.FWMARK, address=None, port=None, fwmark=7)
    seen = node(virtual(real(5), real(6)), dns, mark)
    udp, fwmark = (Protocol.UDP, VIP, 53, 0), (Protocol.FWMARK, "", 0, 7)

    def services(service: str | None) -> list[object]:
        return [s.service for s in plan_drain(seen, FIVE, service, backend=LIVE).steps if isinstance(s, SetWeight)]

    assert services(None) == [WEB, udp, fwmark]
    assert services(VIP) == [WEB, udp]
    assert services("10.4.0.50:53") == services("udp 10.4.0.50") == [udp]
    assert services("fwmark 7") == services("7") == [fwmark]
    plan = plan_drain(seen, FIVE, backend=LIVE).plan
    assert plan.summary == "drain 10.2.68.5:8080 in 10.4.0.50:80, UDP 10.4.0.50:53, fwmark 7"
    assert "UDP 10.4.0.50:53: IPVS cannot see when a UDP flow ends" in grades(plan)[NoteSeverity.WARNING]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"method": ForwardingMethod.DIRECT}, "-g -w 0"),
        ({"upper_threshold": 1000, "lower_threshold": 500}, "-m -w 0 -x 1000 -y 500"),
        ({"method": ForwardingMethod.TUNNEL}, "-i -w 0 --tun-type ipip"),
        (
            {"method": ForwardingMethod.TUNNEL, "tunnel_type": 1, "tunnel_port": 6080, "tunnel_flags": 1},
            "-i -w 0 --tun-type gue --tun-port 6080 --tun-csum",
        ),
        ({"method": ForwardingMethod.TUNNEL, "tunnel_type": 2}, "-i -w 0 --tun-type gre --tun-nocsum"),
    ],
)
def test_the_equivalent_command_keeps_every_option(changes: dict[str, Any], options: str) -> None:
    plan = plan_drain(node(virtual(real(5, **changes), real(6))), FIVE, backend=LIVE).plan
    assert plan.equivalent_commands == (f"ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 {options}",)


def test_the_equivalent_command_enters_another_network_namespace(web: Observation) -> None:
    elsewhere = replace(web, snapshot=replace(web.snapshot, keepalived=(keepalived(own_netns=False),)))
    (command,) = plan_drain(elsewhere, FIVE, backend=LIVE).plan.equivalent_commands
    assert command == "nsenter -t 820 -n ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w 0"


def test_a_slow_drain_has_equal_steps_with_pauses() -> None:
    seen = node(virtual(real(5, weight=100), real(6)))
    action = plan_drain(seen, FIVE, over=60, backend=LIVE)
    weights = [(s.before, s.after) for s in action.steps if isinstance(s, SetWeight)]
    assert weights == [(100 - 10 * n, 90 - 10 * n) for n in range(10)]
    assert action.pauses == pytest.approx([60 / 9] * 9 + [0])
    assert math.fsum(action.pauses) == pytest.approx(60)


def test_a_slow_drain_lowers_two_virtual_servers_together() -> None:
    seen = node(virtual(real(5, weight=3), real(6)), virtual(real(5), real(6), port=443))
    action = plan_drain(seen, FIVE, over=10, backend=LIVE)
    weights = [(s.service[2], s.before, s.after) for s in action.steps if isinstance(s, SetWeight)]
    assert weights == [(80, 3, 2), (443, 1, 0), (80, 2, 1), (80, 1, 0)] or weights[-1] == (80, 1, 0)
    assert [(s[1], s[2]) for s in weights if s[0] == 80] == [(3, 2), (2, 1), (1, 0)]
    assert [(s[1], s[2]) for s in weights if s[0] == 443] == [(1, 0)]
    assert math.fsum(action.pauses) == pytest.approx(10)
    assert action.pauses[-1] == 0
    assert "weight 1 cannot go down in steps: 10.2.68.5:8080 in 10.4.0.50:443" in grades(action.plan)[NoteSeverity.NOTE]


def test_a_drain_of_the_last_server_needs_force() -> None:
    seen = node(virtual(real(5), real(6, weight=0)))
    plan = plan_drain(seen, FIVE, backend=LIVE).plan
    refusal = plan.refusal(force=False) or ""
    assert "10.2.68.5:8080 is the last real server of 10.4.0.50:80 that takes connections" in refusal
    assert plan.refusal(force=True) is None


@pytest.mark.parametrize(
    ("scheduler", "flags", "refused"),
    [
        ("sh", (), True),
        ("mh", ("sched-flag-2",), True),
        ("dh", (), True),
        ("sh", ("sched-flag-1",), False),
        ("mh", ("sched-flag-1", "sched-flag-2"), False),
        ("wrr", (), False),
    ],
)
def test_hashing_without_a_fallback_refuses_clients(scheduler: str, flags: tuple[str, ...], refused: bool) -> None:
    plan = plan_drain(node(virtual(real(5), real(6), scheduler=scheduler, flags=flags)), FIVE, backend=LIVE).plan
    assert ("refuses the clients whose hash leads to" in grades(plan).get(NoteSeverity.UNSAFE, "")) is refused


@pytest.mark.parametrize(("quorum", "warned"), [(None, False), (1, False), (3, False), (4, True)])
def test_a_lost_quorum_is_a_warning(quorum: int | None, warned: bool) -> None:
    written = conf(conf_real(5), conf_real(6), conf_real(7))
    written = replace(written, virtual_servers=(replace(written.virtual_servers[0], quorum=quorum),))
    seen = node(virtual(real(5, weight=2), real(6, weight=2), real(7)), running=written, conf=written)
    text = grades(plan_drain(seen, FIVE, backend=LIVE).plan).get(NoteSeverity.WARNING, "")
    assert ("weight 3 would be left in 10.4.0.50:80, less than its quorum 4" in text) is warned


@pytest.mark.parametrize("sysctl", [0, 1])
@pytest.mark.parametrize("fix", [False, True])
def test_persistent_clients_keep_connecting_unless_the_sysctl_is_set(sysctl: int, fix: bool) -> None:
    seen = node(virtual(real(5), real(6), flags=("persistent",), persistence_timeout=1800))
    action = plan_drain(seen, FIVE, fix_persistence=fix, sysctls={QUIESCENT: sysctl}, backend=LIVE)
    warned = "clients that connected in the last 1800 s stay on" in grades(action.plan).get(NoteSeverity.WARNING, "")
    assert warned is (not sysctl and not fix)
    kinds = [s.kind for s in action.steps]
    if fix and not sysctl:
        assert kinds == ["sysctl", "weight"]
        assert action.steps[0] == SetSysctl(NETWORK, "expire_quiescent_template", 0, 1)
        assert action.plan.equivalent_commands[0] == f"sysctl -w {QUIESCENT}=1"
        assert action.plan.changes[0].what == QUIESCENT
        assert len(action.pauses) == 2
    else:
        assert kinds == ["weight"]


def test_the_sysctl_is_left_alone_where_nothing_is_persistent(web: Observation) -> None:
    assert [s.kind for s in plan_drain(web, FIVE, fix_persistence=True, backend=LIVE).steps] == ["weight"]


def test_a_virtual_server_of_kube_proxy_is_a_warning() -> None:
    held = AddressTable((InterfaceAddress(VIP, 32, "kube-ipvs0"),), (), NOW)
    nobody = conf(virtual_servers=())
    seen = node(virtual(real(5), real(6)), addresses=held, running=nobody, conf=nobody)
    assert "belongs to kube-proxy" in grades(plan_drain(seen, FIVE, backend=LIVE).plan)[NoteSeverity.WARNING]


def test_the_plan_on_a_backup_warns_that_no_traffic_passes_here() -> None:
    seen = node(virtual(real(5), real(6)), addresses=addresses())
    text = grades(plan_drain(seen, FIVE, backend=LIVE).plan)[NoteSeverity.WARNING]
    assert "this node does not hold 10.4.0.50, 10.4.0.5 does: no traffic for it passes here" in text


def test_draining_a_drained_server_succeeds_without_a_step() -> None:
    seen = node(virtual(real(5, weight=0), real(6)))
    action = plan_drain(seen, FIVE, backend=LIVE)
    assert (action.steps, action.plan.refusal(force=False)) == ((), None)
    assert action.plan.summary == "10.2.68.5:8080 is already drained"
    assert "10.2.68.5:8080 in 10.4.0.50:80 already has weight 0" in grades(action.plan)[NoteSeverity.NOTE]


def test_the_plan_notes_that_a_failed_server_gets_its_weight_back() -> None:
    check = RealServerCheck("10.4.0.50:80", *FIVE, alive=False, failed_checkers=1)
    seen = node(virtual(real(5, weight=0), real(6)), checks=(check,))
    assert (
        "its health check fails (inhibit_on_failure); when it passes again keepalived restores the weight"
        in (grades(plan_drain(seen, FIVE, backend=LIVE).plan)[NoteSeverity.NOTE])
    )


def test_the_plan_has_extra_notes(web: Observation) -> None:
    assert (
        "the journal is in memory"
        in grades(plan_drain(web, FIVE, extra_notes=["the journal is in memory"], backend=LIVE).plan)[NoteSeverity.NOTE]
    )


def test_the_plan_names_the_file_check() -> None:
    checked = replace(conf_real(5), file_check="drain")
    written = replace(conf(checked, conf_real(6)), track_files=(ConfTrackFile("drain", "/run/drain"),))
    seen = node(virtual(real(5), real(6)), running=written, conf=written)
    assert (
        "has FILE_CHECK with track file drain (/run/drain)"
        in grades(plan_drain(seen, FIVE, backend=LIVE).plan)[NoteSeverity.NOTE]
    )
