"""Phrases that several rules share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint
from kvtui.rules.phrases import MAX_NAMES, METHOD_OPTIONS, service_option

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kvtui.model.observation import RealServerView, VirtualServerView


def real_name(real: RealServerView) -> str:
    return endpoint(real.address, real.port)


def describe_real(real: RealServerView) -> str:
    check = f", check {real.check}" if real.check else ""
    return f"{real_name(real)}: {real.state.value}{check}"


def vips_of(virtual: VirtualServerView) -> tuple[str, ...]:
    return () if virtual.address is None else (virtual.address,)


def group(virtual: VirtualServerView, reals: list[RealServerView]) -> tuple[str, str]:
    """Returns object and subject of a finding about real servers of one virtual server.

    A single real server is named. Several become one finding about the virtual server.
    """
    if len(reals) == 1:
        name = real_name(reals[0])
        return f"{virtual.name} -> {name}", f"Real server {name} of {virtual.name}"
    return virtual.name, f"{len(reals)} of {len(virtual.real_servers)} real servers of {virtual.name}"


def first_of(texts: Sequence[str]) -> Iterator[str]:
    yield from texts[:MAX_NAMES]
    if len(texts) > MAX_NAMES:
        yield f"and {len(texts) - MAX_NAMES} more"


def edit_weight(virtual: VirtualServerView, real: RealServerView, weight: int) -> str:
    """Returns the ipvsadm command that sets a weight; without the method ipvsadm would switch to direct routing."""
    method = f" {METHOD_OPTIONS[real.method]}" if real.method in METHOD_OPTIONS else ""
    return f"ipvsadm -e {service_option(virtual)} -r {real_name(real)}{method} -w {weight}"
