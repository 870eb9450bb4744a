"""What is concluded of a node costs in proportion to its VIPs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.rules.observe import observe
from kvtui.rules.triage.runner import pending_findings
from tests import build
from tests.growth import ratio

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot


def _node(instances: int, vips: int = 100) -> Snapshot:
    """A master of that many instances with as many VIPs each, all of them on the interface."""
    base = build.instance()
    wanted = {f"VI_{i}": [f"10.{i}.0.{n}" for n in range(vips)] for i in range(instances)}
    return build.snapshot(
        instances=tuple(
            replace(base, name=name, vrid=n, vips=tuple(replace(base.vips[0], address=a) for a in addresses))
            for n, (name, addresses) in enumerate(wanted.items(), start=1)
        ),
        addresses=build.addresses(*(a for addresses in wanted.values() for a in addresses)),
    )


def _conclude(snapshot: Snapshot) -> None:
    assert len(observe(snapshot).vips or ()) == len(snapshot.addresses.addresses if snapshot.addresses else ()) - 1
    assert pending_findings(observe(snapshot)) is not None


def test_ten_times_the_vips_cost_ten_times_as_much() -> None:
    few, many = _node(3), _node(30)
    assert ratio(lambda: _conclude(replace(many)), to=lambda: _conclude(replace(few))) < 25
