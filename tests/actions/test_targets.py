"""The real and virtual servers that an operator names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.drain.targets import UnknownTargetError, Wanted, parse_real, parse_service, service_option
from kvtui.actions.live import LIVE
from kvtui.model.ipvs import Protocol
from kvtui.rules.observe import observe
from tests.actions import nodes
from tests.actions.nodes import FIVE, node, virtual
from tests.kit import real, snapshot

if TYPE_CHECKING:
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation


@pytest.fixture
def web() -> Observation:
    return nodes.web()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.2.68.5", ("10.2.68.5", None)),
        ("10.2.68.5:8080", FIVE),
        ("[fd00:0::5]:80", ("fd00::5", 80)),
        ("FD00::0005", ("fd00::5", None)),
        ("[fd00::5]", ("fd00::5", None)),
    ],
)
def test_a_real_server_is_named_by_its_address(text: str, meant: tuple[str, int | None]) -> None:
    assert parse_real(text) == meant


@pytest.mark.parametrize("text", ["", "nginx", "10.2.68", "10.2.68.5/24", ":80"])
def test_other_text_is_not_a_real_server(text: str) -> None:
    with pytest.raises(UnknownTargetError, match="is not a real server: write ADDRESS or ADDRESS:PORT"):
        parse_real(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10.4.0.50:80", (None, "10.4.0.50", 80, None)),
        ("10.4.0.50", (None, "10.4.0.50", None, None)),
        ("udp 10.4.0.50:53", (Protocol.UDP, "10.4.0.50", 53, None)),
        ("[fd00::50]:80", (None, "fd00::50", 80, None)),
        ("fwmark 7", (None, None, None, 7)),
        ("FWM 7", (None, None, None, 7)),
        ("7", (None, None, None, 7)),
    ],
)
def test_a_virtual_server_is_named_as_in_ipvsadm(text: str, meant: tuple[object, ...]) -> None:
    assert parse_service(text) == Wanted(*meant)  # type: ignore[arg-type] # protocol, address, port, fwmark


@pytest.mark.parametrize(
    "key",
    [
        (Protocol.TCP, "10.4.0.50", 80, 0),
        (Protocol.UDP, "10.4.0.50", 53, 0),
        (Protocol.TCP, "fd00::50", 80, 0),
        (Protocol.FWMARK, "", 0, 7),
        (Protocol.FWMARK, "::", 0, 7),
    ],
)
def test_the_option_of_a_virtual_server_names_that_virtual_server(key: ServiceKey) -> None:
    assert parse_service(service_option(key)).matches(key)


@pytest.mark.parametrize("text", ["", "web", "icmp 10.4.0.50", "10.4.0.50:80 tcp", "fwmark x"])
def test_other_text_is_not_a_virtual_server(text: str) -> None:
    with pytest.raises(UnknownTargetError, match="is not a virtual server: write VIP:PORT"):
        parse_service(text)


def test_the_error_of_an_unknown_real_server_lists_the_others(web: Observation) -> None:
    with pytest.raises(UnknownTargetError) as raised:
        plan_drain(web, ("10.2.68.9", None), backend=LIVE)
    assert str(raised.value) == ("no real server 10.2.68.9 in 10.4.0.50:80; it has 10.2.68.5:8080, 10.2.68.6:8080")


def test_the_error_of_an_unknown_virtual_server_lists_the_others(web: Observation) -> None:
    with pytest.raises(
        UnknownTargetError, match=r"no virtual server 10\.4\.0\.51:80 in the kernel; it has 10\.4\.0\.50:80"
    ):
        plan_drain(web, FIVE, "10.4.0.51:80", backend=LIVE)


def test_the_error_of_a_server_that_its_check_removed_says_so() -> None:
    seen = node(virtual(real(6)))
    with pytest.raises(
        UnknownTargetError, match=r"in the config of 10\.4\.0\.50:80 but not in the kernel: its health check"
    ):
        plan_drain(seen, FIVE, backend=LIVE)


def test_an_address_with_two_ports_in_one_virtual_server_is_ambiguous() -> None:
    seen = node(virtual(real(5), real(5, port=8081), real(6)))
    with pytest.raises(UnknownTargetError, match=r"more than once: choose one of 10\.2\.68\.5:8080, 10\.2\.68\.5:8081"):
        plan_drain(seen, ("10.2.68.5", None), backend=LIVE)
    assert len(plan_drain(seen, ("10.2.68.5", 8081), backend=LIVE).steps) == 1


def test_no_drain_is_planned_without_a_table() -> None:
    with pytest.raises(UnknownTargetError, match="the IPVS table cannot be read"):
        plan_drain(observe(snapshot(ipvs=None)), FIVE, backend=LIVE)
