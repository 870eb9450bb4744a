"""Before and after a reload as rows, for the outcome and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance

Rows = list[dict[str, Any]]
Weights = dict[tuple[str, str], int]


def vrrp_rows(before: Observation, after: Observation, dumped: tuple[VrrpInstance, ...] | None = None) -> Rows:
    """Returns a row per instance: state, priority and VIPs; None where there is none. ``dumped`` is newest."""
    old = {i.name: i for i in before.vrrp_instances or ()}
    new = {i.name: i for i in after.vrrp_instances or ()}
    exact_rows = {i.name: i for i in dumped or ()}
    names = list(dict.fromkeys([*old, *(exact_rows if dumped is not None else new)]))
    rows: Rows = []
    for name in names:
        was, now, exact = old.get(name), new.get(name), exact_rows.get(name)
        rows.append(
            {
                "instance": name,
                "state_before": was.state.value if was else None,
                "state_after": exact.state.value if exact else now.state.value if now and dumped is None else None,
                "priority_before": was.priority if was else None,
                "priority_after": exact.base_priority if exact else now.priority if now and dumped is None else None,
                "vips_before": _held(before, name),
                "vips_after": _held(after, name),
            }
        )
    return rows


def _held(observation: Observation, instance: str) -> list[str]:
    return [v.address for v in observation.vips or () if v.instance == instance and v.present]


def weights(observation: Observation) -> Weights:
    table = observation.snapshot.ipvs
    return {
        (virtual.name, endpoint(real.address, real.port)): real.weight
        for virtual in (table.virtual_servers if table else ())
        for real in virtual.real_servers
    }


def ipvs_rows(before: Weights, after: Weights) -> Rows:
    """Returns a row per real server: its weight, None where it is not in the table."""
    return [
        {
            "virtual_server": virtual,
            "real_server": real,
            "weight_before": before.get((virtual, real)),
            "weight_after": after.get((virtual, real)),
        }
        for virtual, real in dict.fromkeys([*before, *after])
    ]


def undone_drains(before: Weights, after: Weights) -> list[str]:
    """Returns the real servers that had weight 0 and have another now."""
    return [
        f"{real} in {virtual} (weight {after[virtual, real]} again)"
        for (virtual, real), weight in before.items()
        if weight == 0 and after.get((virtual, real), 0) > 0
    ]
