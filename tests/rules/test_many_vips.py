"""The cost of the rules is proportional to the number of VIPs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.rules.observe import observe
from kvtui.rules.triage.runner import pending_findings
from tests import kit
from tests.growth import ratio

if TYPE_CHECKING:
    from kvtui.model.snapshot import Snapshot


def _conclude(snapshot: Snapshot) -> None:
    assert len(observe(snapshot).vips or ()) == len(snapshot.addresses.addresses if snapshot.addresses else ()) - 1
    assert pending_findings(observe(snapshot)) is not None


def test_ten_times_the_vips_cost_ten_times_as_much() -> None:
    few, many = kit.many_vips(3), kit.many_vips(30)
    assert ratio(lambda: _conclude(many), to=lambda: _conclude(few)) < 25
