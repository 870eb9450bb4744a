"""The other nodes of a virtual router, from every source on this node.

A backup is silent: there may be nodes that nobody has heard. Their nopreempt and preempt_delay cannot be seen either;
they are taken to be as on this node.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.ip import canonical
from kvtui.model.vrrp import VrrpState
from kvtui.rules.mapping.controller import FIRST_PRIORITY
from kvtui.rules.vrrp.instances import evidence, self_address

if TYPE_CHECKING:
    from kvtui.model.kube import Kube
    from kvtui.model.log import LogTail
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import Advert, VrrpInstance

_NAME, _ADDRESS = r"\((?P<name>[^)]+)\)", r"advert from (?P<address>[0-9a-fA-F.:]+)"
LOGGED = (
    re.compile(rf"{_NAME} .*{_ADDRESS} with .*priority (?P<priority>\d+)"),
    re.compile(rf"{_NAME} received .*priority \((?P<priority>\d+)\) {_ADDRESS}"),
)
"""What keepalived logs of an advert of a node that is not its master."""
START = "Starting Keepalived v"
"""The first line of a keepalived; another one wrote the lines above it."""


class PeerSource(StrEnum):
    """Where a node is known from, best first."""

    WIRE = "heard on the wire"
    DUMP = "keepalived's master"
    LOG = "in keepalived's log"
    UNICAST = "a unicast_peer"
    POD = "a pod of the DaemonSet"
    REPORTED = "by its own kvtui"


class Other(Struct, frozen=True):
    """Another node of a virtual router; ``is_master``: it advertises now."""

    address: str
    priority: int | None  # effective, as it last was; None if no source has it
    source: PeerSource
    advert: Advert | None = None  # its latest one, which shows what it runs
    is_master: bool = False


class Others(Struct, frozen=True):
    """The other nodes; masters come first."""

    known: tuple[Other, ...]
    own: str | None  # address that this node advertises from
    complete: bool  # no node can be missing from `known`
    received: int  # adverts of other nodes that keepalived has counted since it started
    listening: bool  # adverts can be captured

    @property
    def masters(self) -> tuple[Other, ...]:
        return tuple(o for o in self.known if o.is_master)

    @property
    def master_address(self) -> str | None:
        return next((o.address for o in self.known if o.is_master), None)

    @property
    def exist(self) -> bool:
        """Whether there is another node for sure, or was while keepalived ran."""
        return bool(self.known) or self.received > 0

    @property
    def names(self) -> str:
        return ", ".join(o.address for o in self.known)


def others(snapshot: Snapshot, instance: VrrpInstance, peers: tuple[str, ...] = ()) -> Others:
    """Returns the other nodes of an instance; ``peers`` are its ``unicast_peer`` by the config."""
    peers = peers or instance.unicast_peers
    wire = evidence(snapshot, instance)
    own = wire.own.last.source if wire.own else self_address(snapshot, instance)
    live = {a.last.source for a in wire.live_others}
    found: dict[str, Other] = {}
    for a in wire.others:
        priority = a.last.priority or a.usual_priority
        found[a.last.source] = Other(a.last.source, priority, PeerSource.WIRE, a.last, a.last.source in live)
    # of a MASTER it is this node, also where its own address is not known yet
    if instance.state is not VrrpState.MASTER and (master := instance.master_address) and master != own:
        known = found.get(master)
        if known is None or known.priority is None:
            found[master] = Other(master, instance.master_priority, PeerSource.DUMP, is_master=not live)
    started = snapshot.chosen_keepalived.started if snapshot.chosen_keepalived else 0.0
    for address, priority in _logged(snapshot.log, instance.name, started).items():
        if address not in found or found[address].priority is None:
            found[address] = Other(address, priority, PeerSource.LOG)
    for address in peers:
        found.setdefault(address, Other(address, None, PeerSource.UNICAST))
    for address, priority in ((snapshot.reported_peers or {}).get(instance.name) or {}).items():
        if address not in found or found[address].advert is None:
            found[address] = Other(address, priority, PeerSource.REPORTED)
    pods = _pods(snapshot.kube, own) if own else None
    for address, priority in (pods or {}).items():
        is_ours = pods is not None and own is not None and instance.base_priority == pods[own]
        found.setdefault(address, Other(address, priority if is_ours else None, PeerSource.POD))
    found.pop(own or "", None)
    return Others(
        known=tuple(sorted(found.values(), key=lambda o: (not o.is_master, -(o.priority or 0), o.address))),
        own=own,
        complete=bool(peers) or pods is not None,
        received=(instance.counters or {}).get("advert_rcvd", 0),
        listening=snapshot.advertisers is not None,
    )


def _logged(log: LogTail | None, name: str, since: float) -> dict[str, int]:
    """Returns the nodes whose adverts this keepalived's log names, with the priority of the latest one.

    The order of lines tells more than their times: the clock may have been set meanwhile.
    """
    found: dict[str, int] = {}
    lines = log.lines if log else ()
    started = max((n for n, line in enumerate(lines) if START in line.text), default=None)
    for line in lines[started:]:
        if started is None and line.at is not None and line.at < since:
            continue
        for pattern in LOGGED:
            match = pattern.search(line.text)
            address = canonical(match["address"]) if match and match["name"] == name else None
            if match and address and int(match["priority"]):
                found[address] = int(match["priority"])
    return found


def _pods(kube: Kube | None, own: str) -> dict[str, int] | None:
    """Returns the nodes of the controller's pods with the priority that keepalived-vip gives them; None if unknown."""
    if kube is None or kube.pods is None or kube.nodes is None:
        return None
    names = {p.node for p in kube.pods.values() if p.controller and p.node}
    addresses = sorted(n.address or "" for n in kube.nodes.values())
    mine = {kube.nodes[name].address for name in names if name in kube.nodes}
    if own not in mine:
        return None
    return {address: FIRST_PRIORITY + addresses.index(address) for address in mine if address}
