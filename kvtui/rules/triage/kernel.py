"""The kernel's IPVS table beside keepalived's config and checkers: what the rules about it look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import Protocol
from kvtui.model.observation import RealServerState
from kvtui.rules.identity_cache import Remembered
from kvtui.rules.servers.views import conf_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.conf import Conf, ConfVirtualServer
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.vrrp import RealServerCheck

CheckKey = tuple[str, str, int]

_unusual: Remembered[tuple[tuple[VirtualServerView, list[RealServerView]], ...]] = Remembered(1)
"""Of one observation: many rules look at it."""


def odd(
    seen: Observation, wanted: Callable[[RealServerView], bool]
) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    """Virtual servers of the kernel with those of their real servers that are ``wanted``: never ordinary ones."""
    servers = seen.virtual_servers or ()
    for virtual, reals in _unusual.get((servers,), None, lambda: tuple(_sifted(servers))):
        found = [r for r in reals if wanted(r)]
        if found:
            yield virtual, found


def _sifted(servers: tuple[VirtualServerView, ...]) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    """Without the ordinary real servers, which are nearly all: up, with their configured weight, without a limit."""
    up = RealServerState.UP
    for virtual in servers:
        if virtual.in_kernel:
            found = [
                r
                for r in virtual.real_servers
                if r.state is not up or r.weight != r.configured_weight or r.upper_threshold
            ]
            if found:
                yield virtual, found


def checks_of(seen: Observation) -> dict[CheckKey, RealServerCheck]:
    """What keepalived's checkers say, by virtual server, address and port."""
    return {(c.virtual_server, c.address, c.port): c for c in seen.snapshot.checks or ()}


def configured(seen: Observation) -> dict[ServiceKey, ConfVirtualServer]:
    """The virtual servers of the running config (else of the file) by the kernel's key."""
    conf = running_or_file(seen)
    pairs = ((conf_key(v), v) for v in conf.virtual_servers) if conf else ()
    return {key: v for key, v in pairs if key is not None}


def running_or_file(seen: Observation) -> Conf | None:
    """What keepalived runs; the file where that cannot be read."""
    return seen.snapshot.running or seen.snapshot.conf


def kernel_key(virtual: VirtualServerView) -> ServiceKey:
    """See ``model.ipvs.VirtualServer.key``; of a fwmark the family is guessed from its real servers."""
    if virtual.fwmark is not None:
        six = any(":" in r.address for r in virtual.real_servers)
        return (Protocol.FWMARK, "::" if six else "", 0, virtual.fwmark)
    return (virtual.protocol, virtual.address or "", virtual.port or 0, 0)
