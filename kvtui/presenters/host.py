"""The machine's CPU, load, memory, disk and NIC errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.model.units import count

if TYPE_CHECKING:
    from kvtui.model.host import Host, Nic


MAX_NICS = 2
"""Interfaces to name; those with most errors and drops come first."""


def host_lines(host: Host) -> list[str]:
    parts = [] if host.cpu is None else [f"CPU {host.cpu:.0f}%, steal {host.steal or 0.0:.0f}%"]
    parts.append(f"load {' '.join(f'{average:.2f}' for average in host.load)}, {host.cores} cores")
    parts.append(f"memory {count(host.memory_available)}B of {count(host.memory_total)}B free")
    failing = sorted((nic for nic in host.nics if _lost(nic)), key=_lost, reverse=True)
    more = [] if host.disk_free is None else [f"{plain(host.state_folder or '')} {count(host.disk_free)}B free"]
    more += [_nic_text(nic) for nic in failing[:MAX_NICS]]
    more += [f"{len(failing) - MAX_NICS} more NICs with errors or drops"] if len(failing) > MAX_NICS else []
    return [", ".join(parts), *([", ".join(more)] if more else [])]


def _lost(nic: Nic) -> int:
    return nic.errors_in + nic.errors_out + nic.drops_in + nic.drops_out


def _nic_text(nic: Nic) -> str:
    errors, drops = nic.errors_in + nic.errors_out, nic.drops_in + nic.drops_out
    parts = [f"{count(errors)} errors"] if errors else []
    parts += [f"{count(drops)} drops"] if drops else []
    return f"{plain(nic.name)} {' and '.join(parts)}"
