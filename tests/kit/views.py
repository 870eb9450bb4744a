"""Builders of an observation and the rows that screens show."""

from __future__ import annotations

from kvtui.backend.demo.source import demo_snapshot
from kvtui.model.ipvs import ForwardingMethod, Protocol, Stats
from kvtui.model.observation import (
    InstanceView,
    ManagedBy,
    Master,
    Observation,
    Peer,
    RealServerState,
    RealServerView,
    VipView,
    VirtualServerView,
)
from kvtui.model.snapshot import Node, Snapshot
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.rules.observe import observe

EPOCH = 1_700_000_040.0
"""2023-11-14 22:14:00 UTC, the start of a minute."""


def demo(t: float = 5.0) -> Observation:
    """Returns the demo node after ``t`` seconds."""
    return observe(demo_snapshot(t, EPOCH), demo_snapshot(t - 1, EPOCH).ipvs)


def source(name: SourceName, state: SourceState = SourceState.OK, detail: str = "") -> Source:
    return Source(name, state, detail, EPOCH if state is SourceState.OK else None)


def snapshot(*overrides: Source, time: float = EPOCH, name: str = "node-a", chosen: int | None = 1) -> Snapshot:
    """Returns a snapshot whose sources are OK, except ``overrides``."""
    given = {s.name: s for s in overrides}
    return Snapshot(
        time=time,
        node=Node(name, read_only=False),
        sources=tuple(given.get(n, source(n)) for n in SourceName),
        chosen=chosen,
        advertisers=(),
    )


def stats(cps: float = 1.0, bps: float = 100.0) -> Stats:
    return Stats(10, 20, 30, 40, 50, cps, 1.0, 1.0, bps, bps)


def real(
    address: str = "10.2.0.1",
    port: int = 8080,
    *,
    weight: int | None = 1,
    configured: int | None = 1,
    state: RealServerState = RealServerState.UP,
    active: int = 3,
    cps: float = 1.0,
    check: str | None = None,
) -> RealServerView:
    return RealServerView(
        address, port, ForwardingMethod.MASQ, weight, active, 0, 0, 0, 0, stats(cps), state, configured, check
    )


def server(
    address: str = "10.4.0.50", *reals: RealServerView, cps: float = 1.0, service: str | None = "default/nginx"
) -> VirtualServerView:
    return VirtualServerView(
        f"{address}:80", Protocol.TCP, address, 80, None, "wlc", None, (), ManagedBy.KEEPALIVED, stats(cps),
        reals, service=service,
    )  # fmt: skip


def vip(
    address: str = "10.4.0.50",
    *,
    owner: str | None = "10.4.0.3",
    own: bool = True,
    rivals: tuple[str, ...] = (),
    instance: str = "vips",
) -> VipView:
    state = VrrpState.MASTER if own else VrrpState.BACKUP
    return VipView(address, 32, "eth0", instance, own, owner, state, own, rivals)


def instance(
    name: str = "vips",
    *,
    state: VrrpState = VrrpState.MASTER,
    peers: tuple[Peer, ...] = (),
    counters: dict[str, int] | None = None,
    rivals: tuple[str, ...] = (),
    effective: int = 100,
    nopreempt: bool = True,
) -> InstanceView:
    master = Master("10.4.0.3", 100, is_self=state is VrrpState.MASTER)
    return InstanceView(
        name, state, "eth0", 50, 3, 100, effective, nopreempt, 1.0, ("10.4.0.50",), EPOCH - 60, master, peers, counters,
        rivals=rivals,
    )  # fmt: skip


def make_observation(
    *,
    instances: tuple[InstanceView, ...] | None = None,
    vips: tuple[VipView, ...] | None = None,
    servers: tuple[VirtualServerView, ...] | None = None,
    of: Snapshot | None = None,
) -> Observation:
    return Observation(of or snapshot(), instances, vips, servers)
