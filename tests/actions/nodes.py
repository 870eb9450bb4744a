"""Nodes, drains and journal entries for tests of drain plans: the tutorial's cluster, as node-a observes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kvtui.actions.core.journal import Entry
from kvtui.actions.core.network import Network
from kvtui.actions.drain.active_drains import Drain
from kvtui.model.ipvs import IpvsTable, Protocol, VirtualServer
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe
from tests.kit import NOW, VIP, addresses, advertiser, instance, real, snapshot, table

if TYPE_CHECKING:
    from kvtui.actions.core.plan import NoteSeverity, Plan
    from kvtui.actions.core.runner import Action, Verification
    from kvtui.actions.steps.sysctl import SetSysctl
    from kvtui.model.ipvs import RealServer
    from kvtui.model.observation import Observation

NETWORK = Network(820, 4026531840)
WEB = (Protocol.TCP, VIP, 80, 0)
FIVE = ("10.2.68.5", 8080)
QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


def virtual(*reals: RealServer, **changes: Any) -> VirtualServer:
    """The tutorial's virtual server, not persistent."""
    (base,) = table(*reals).virtual_servers
    return replace(base, **{"flags": (), "persistence_timeout": None, **changes})


def node(*virtuals: VirtualServer, **changes: Any) -> Observation:
    """Returns an observation of node-a, which holds the VIP and has these virtual servers in its kernel."""
    held = {"addresses": addresses(VIP), "ipvs": IpvsTable(virtuals, complete=True, read_at=NOW, monotonic=1.0)}
    return observe(snapshot(**{**held, **changes}))


def grades(plan: Plan) -> dict[NoteSeverity, str]:
    """Returns all notes of each severity as one text."""
    found: dict[NoteSeverity, str] = {}
    for note_ in plan.notes:
        found[note_.severity] = f"{found.get(note_.severity, '')}{note_.text}\n"
    return found


def web() -> Observation:
    """Two real servers, the first of weight 4."""
    return node(virtual(real(5, weight=4), real(6)))


def entry_of(
    action: Action, identity: str, at: float, result: str = "done", facts: dict[str, Any] | None = None
) -> Entry:
    """Returns the journal entry of the action."""
    return Entry(
        id=identity,
        at=at,
        verb=action.plan.kind.value,
        target=action.plan.target,
        who={"user": "anna"},
        reason="disk",
        summary=action.plan.summary,
        steps=tuple({"kind": s.kind, **s.to_json()} for s in action.steps),
        result=result,
        facts=facts or {},
    )


def drained(weight: int = 4, identity: str = "a", sysctl: SetSysctl | None = None) -> Drain:
    return Drain(WEB, FIVE, identity, NETWORK, weight, "disk", {"user": "anna"}, 1.0, sysctl)


def verified(action: Action) -> Verification:
    return asyncio.run(_verify(action))


async def _verify(action: Action) -> Verification:
    return await action.verify(lambda _text: None)


MASTER: dict[str, Any] = {
    "addresses": addresses(VIP),
    "advertisers": (advertiser(0, outgoing=True), advertiser(1, at=NOW - 90)),
}


def master(**changes: Any) -> Observation:
    """Returns an observation of a MASTER that heard node-b (priority 101) 90 s ago."""
    return observe(snapshot(instances=(instance(VrrpState.MASTER, **changes),), **MASTER))


async def nothing() -> Observation:
    raise AssertionError("a plan reads no further observation")
