"""Predicts what remains for clients when real servers get weight 0 (docs/predictions.md compares it with the lab)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.model.prediction import CountChange, NewConnections, Traffic

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from kvtui.model.conf import ConfVirtualServer
    from kvtui.model.ipvs import RealServer, VirtualServer

HASHING = {"sh", "mh", "dh"}
FALLBACK = "sched-flag-1"
"""sh-fallback, mh-fallback (IP_VS_SVC_F_SCHED1)."""


def traffic(
    virtual: VirtualServer,
    name: str,
    weights: Mapping[tuple[str, int], int],
    conf: ConfVirtualServer | None,
    in_file: Container[tuple[str, int]] = (),
    failed: Container[tuple[str, int]] = (),
) -> Traffic:
    """Predicts it for one virtual server, as the kernel has it now and ``conf`` configures it.

    ``weights`` are those of the real servers that change; ``in_file`` has the ones that change by the track file of a
    FILE_CHECK: keepalived counts these, but does not see weights that are set in the kernel. ``failed``: real servers
    whose health check fails.
    """
    sorry = conf.sorry_keys() if conf else set()
    regular = [r for r in virtual.real_servers if r.key not in sorry or r.key in weights]
    live = [r for r in regular if r.weight]
    left = [r for r in regular if weights.get(r.key, r.weight)]
    total = sum(weights.get(r.key, r.weight) for r in regular)
    quorum = (conf.quorum or 1) if conf else 1
    seen = sum(_counted(r, weights if r.key in in_file else {}, conf) for r in regular if r.key not in failed)
    lost = seen < quorum - (conf.hysteresis if conf else 0)
    stands_in = next((endpoint(*key) for key in sorry), None)
    is_in = any(r.key in sorry and r.weight for r in virtual.real_servers)
    takes_over = stands_in if is_in or (lost and any(key in in_file for key in weights)) else None
    return Traffic(
        virtual_server=name,
        real_servers=CountChange(len(live), 0 if takes_over else len(left)),
        weight=CountChange(sum(r.weight for r in live), 0 if takes_over else total),
        quorum=quorum,
        quorum_met=not lost,
        sorry_server=takes_over,
        new_connections=_new_connections(virtual, left, weights, takes_over),
    )


def _counted(real: RealServer, weights: Mapping[tuple[str, int], int], conf: ConfVirtualServer | None) -> int:
    """Returns the weight that keepalived counts for a quorum: its own, not the kernel's."""
    own = conf.regular_servers().get(real.key) if conf else None
    return weights.get(real.key, real.weight if own is None or own.file_check else own.initial_weight)


def _new_connections(
    virtual: VirtualServer, left: list[RealServer], weights: Mapping[tuple[str, int], int], sorry: str | None
) -> NewConnections:
    if sorry is not None:
        return NewConnections.SORRY_SERVER
    if not left:
        return NewConnections.REFUSED
    is_hashed = virtual.scheduler in HASHING and FALLBACK not in virtual.flags
    if is_hashed and any(r.key in weights or not r.weight for r in virtual.real_servers if r not in left):
        return NewConnections.PARTLY_REFUSED
    return NewConnections.SERVED


def sentences_of(found: Traffic) -> Iterator[str]:
    now, then, name = found.real_servers.now, found.real_servers.then, found.virtual_server
    if found.sorry_server is not None:
        text = f"{name}: the sorry server {found.sorry_server} takes all new connections"
        yield text if then == now else f"{text}; keepalived takes the real servers out, and their connections end"
        return
    parts = [f"{name}: {then} of {now} live {'remains' if then == 1 else 'remain'}"]
    weight = found.weight
    if then and weight.then < weight.now:
        share = weight.now / weight.then
        parts.append(f"weight {weight.then} of {weight.now}: each gets about {share:.1f} × its new connections")
    if found.new_connections is NewConnections.REFUSED:
        parts.append("new connections are refused")
    elif found.new_connections is NewConnections.PARTLY_REFUSED:
        parts.append("clients whose hash leads to a real server of weight 0 are refused")
    yield "; ".join(parts)
