"""Phrases that many rules need: commands that are safe to paste, lists that end."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kvtui.model.ipvs import ForwardingMethod, Protocol, endpoint
from kvtui.model.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.model.observation import RealServerView, VirtualServerView

MOST = 6
"""Names in a list; the rest is counted."""


def quoted(name: str) -> str:
    """A name from outside as one word of a shell command: pasting a remedy must never run what a name holds."""
    return shlex.quote(plain(name, 200))


def listed(names: Iterable[str], most: int = MOST) -> str:
    """``a, b and 3 more``."""
    every = list(names)
    shown = ", ".join(plain(n, 100) for n in every[:most])
    return shown if len(every) <= most else f"{shown} and {len(every) - most} more"


def real_name(real: RealServerView) -> str:
    """``10.2.68.5:8080``."""
    return endpoint(real.address, real.port)


def arrow(virtual: VirtualServerView, real: RealServerView) -> str:
    """The object of a finding about one real server."""
    return f"{virtual.name} -> {real_name(real)}"


def vips_of(virtual: VirtualServerView) -> tuple[str, ...]:
    """The VIP of a virtual server, for ``Finding.vips``."""
    return () if virtual.address is None else (virtual.address,)


def group(virtual: VirtualServerView, reals: list[RealServerView]) -> tuple[str, str, Iterator[str]]:
    """How to speak of some real servers of a virtual server: object, subject of a sentence, a word on each.

    One real server is named; of several only the virtual server is, so that a list of thousands stays one finding.
    """
    words = (f"{real_name(r)}: {r.state.value}{f', check {r.check}' if r.check else ''}" for r in reals[:MOST])
    if len(reals) == 1:
        return arrow(virtual, reals[0]), f"Real server {real_name(reals[0])} of {virtual.name}", words
    return virtual.name, f"{len(reals)} of {len(virtual.real_servers)} real servers of {virtual.name}", words


SERVICE_OPTION = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service", Protocol.FWMARK: "-f"}
METHOD_OPTION = {ForwardingMethod.MASQ: "-m", ForwardingMethod.DIRECT: "-g", ForwardingMethod.TUNNEL: "-i"}


def service_option(virtual: VirtualServerView) -> str:
    """A virtual server as ipvsadm wants it: ``-t 10.4.0.50:80``."""
    if virtual.fwmark is not None:
        return f"-f {virtual.fwmark}"
    return f"{SERVICE_OPTION[virtual.protocol]} {virtual.name}"


def edit_weight(virtual: VirtualServerView, real: RealServerView, weight: int) -> str:
    """The ipvsadm command that sets a weight; the method is said, since ipvsadm would make it direct routing."""
    method = METHOD_OPTION.get(real.method, "") if real.method else ""
    return f"ipvsadm -e {service_option(virtual)} -r {real_name(real)} {method} -w {weight}".replace("  ", " ")
