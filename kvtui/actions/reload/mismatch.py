"""What must be equal on all nodes, and how to change it: nodes with different values are both master."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Note, NoteSeverity
from kvtui.rules.vrrp.settings import compares_vips, must_be_equal, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.preflight import Preflight
    from kvtui.model.observation import Observation
    from kvtui.rules.vrrp.consequence import Consequence


def mismatch_notes(observation: Observation, preflight: Preflight, expected: Iterable[Consequence]) -> Iterator[Note]:
    """Yields UNSAFE where a node with the old value is known, a warning where none is."""
    old, new = settings_of(preflight.running), settings_of(preflight.conf)
    split = {c.prediction.instance: c.split for c in expected}
    vips = compares_vips(preflight.keepalived.version)
    controller = observation.snapshot.controller
    for name, after in new.items():
        before = old.get(name)
        changed = list(must_be_equal(before, after, vips=vips)) if before else []
        if before is None or not changed or split.get(name) is False:
            continue
        severity = NoteSeverity.UNSAFE if split.get(name) else NoteSeverity.WARNING
        seconds = 3 * before.interval
        owner = f"; {controller.name} writes all nodes by itself" if controller else ""
        yield Note(
            severity,
            f"{name}: {', '.join(changed)} must be equal on all nodes: in whatever order they are reloaded, two are "
            "master until all have it. Write the file on all nodes first, then reload all of them within "
            f"{seconds:g} s (one dead interval){owner}",
        )
