"""Look-ups of real servers and health checks that the rules about the IPVS table share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.observation import RealServerState
from kvtui.rules.identity_cache import IdentityCache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kvtui.model.observation import Observation, RealServerView, VirtualServerView
    from kvtui.model.vrrp import RealServerCheck

CheckKey = tuple[str, str, int]

_unusual: IdentityCache[tuple[tuple[VirtualServerView, list[RealServerView]], ...]] = IdentityCache(1)
"""Of one observation: several rules use it."""


def unusual_reals(
    observation: Observation, wanted: Callable[[RealServerView], bool]
) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    servers = observation.virtual_servers or ()
    for virtual, reals in _unusual.get((servers,), None, lambda: tuple(_find_unusual(servers))):
        matches = [r for r in reals if wanted(r)]
        if matches:
            yield virtual, matches


def _find_unusual(servers: tuple[VirtualServerView, ...]) -> Iterator[tuple[VirtualServerView, list[RealServerView]]]:
    """Omits the usual real servers, which are nearly all: up, with their configured weight and no threshold."""
    up = RealServerState.UP
    for virtual in servers:
        if virtual.in_kernel:
            unusual = [
                r
                for r in virtual.real_servers
                if r.state is not up or r.weight != r.configured_weight or r.upper_threshold
            ]
            if unusual:
                yield virtual, unusual


def checks_of(observation: Observation) -> dict[CheckKey, RealServerCheck]:
    return {(c.virtual_server, c.address, c.port): c for c in observation.snapshot.checks or ()}
