"""The consequences of a drain for clients and instances, in the data of the plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import to_builtins
from msgspec.structs import replace

from kvtui.actions.drain.definition import drain
from kvtui.actions.drain.plan import plan_drain
from kvtui.actions.live import LIVE
from kvtui.rules.servers.drained import sentences_of, traffic
from tests.actions.nodes import FIVE, node, virtual
from tests.kit import conf, conf_real, real

if TYPE_CHECKING:
    from kvtui.model.conf import ConfVirtualServer

KEY = ("10.2.68.5", 8080)


def configured(*reals: Any, **changes: Any) -> ConfVirtualServer:
    return replace(conf(*reals).virtual_servers[0], **changes)


SORRY = replace(conf_real(9), sorry=True)
ONE, TWO = conf_real(5), conf_real(6)
IN_FILE = {KEY}


@pytest.mark.parametrize(
    ("kernel", "written", "in_file", "clients", "says"),
    [
        ((real(5), real(6)), configured(ONE, TWO), (), "served", "1 of 2 live remains; weight 1 of 2: each gets"),
        ((real(5),), configured(ONE), (), "refused", "0 of 1 live remain; new connections are refused"),
        ((real(5),), None, (), "refused", "0 of 1 live remain"),
        ((real(5),), configured(ONE, SORRY), (), "refused", "new connections are refused"),  # kvtui cannot see it
        ((real(5),), configured(ONE, SORRY), IN_FILE, "sorry server", "the sorry server 10.2.68.9:8080 takes all"),
        ((real(5), real(6)), configured(ONE, TWO, SORRY, quorum=2), IN_FILE, "sorry server", "their connections end"),
        ((real(5), real(6)), configured(ONE, TWO, SORRY, quorum=2, hysteresis=1), IN_FILE, "served", "1 of 2 live"),
        ((real(5), real(9)), configured(ONE, SORRY), (), "sorry server", "10.2.68.9:8080 takes all new connections"),
    ],
)  # fmt: skip
def test_remaining_servers_and_new_connections(
    kernel: Any, written: ConfVirtualServer | None, in_file: Any, clients: str, says: str
) -> None:
    found = traffic(virtual(*kernel), "10.4.0.50:80", {KEY: 0}, written, in_file)
    assert found.new_connections == clients
    assert says in "".join(sentences_of(found))


@pytest.mark.parametrize(("flags", "clients"), [((), "partly refused"), (("sched-flag-1",), "served")])
def test_a_hashing_scheduler_refuses_some_clients(flags: tuple[str, ...], clients: str) -> None:
    hashed = virtual(real(5), real(6), scheduler="sh", flags=flags)
    assert traffic(hashed, "", {KEY: 0}, configured(ONE, TWO)).new_connections == clients


def test_the_plan_has_the_remaining_servers_and_no_instance_moves() -> None:
    plan = plan_drain(node(virtual(real(5, weight=4), real(6))), FIVE, backend=LIVE).plan
    assert (
        plan.effects[1] == "10.4.0.50:80: 1 of 2 live remains; weight 1 of 5: each gets about 5.0 × its new connections"
    )
    assert list(to_builtins(plan.traffic)) == [
        {
            "virtual_server": "10.4.0.50:80",
            "real_servers": {"now": 2, "then": 1},
            "weight": {"now": 5, "then": 1},
            "quorum": 1,
            "quorum_met": True,
            "sorry_server": None,
            "new_connections": "served",
        }
    ]
    assert [(p.instance, p.certainty, p.two_owners) for p in plan.prediction] == [("vips", "certain", False)]
    assert all(p.state.now == p.state.then and p.vips_here.now == p.vips_here.then for p in plan.prediction)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [({}, None), ({"wait": True}, 300), ({"timeout": 7.0}, 7), ({"wait": True, "timeout": 0.0}, 0)],
)
def test_a_timeout_implies_waiting(options: dict[str, Any], seconds: float | None) -> None:
    assert drain("10.2.68.5", **options).wait == seconds
