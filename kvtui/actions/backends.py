from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.backend.demo import Demo

if TYPE_CHECKING:
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.backend.source import SnapshotSource


def backend_for(source: SnapshotSource) -> ActionBackend:
    """Returns where to act on what a source shows. Keep it: it holds the demo's journal."""
    if isinstance(source, Demo):
        from kvtui.actions.demo.backend import DemoBackend  # noqa: PLC0415 - brings all steps with it

        return DemoBackend(source.world)
    from kvtui.actions.live import LIVE  # noqa: PLC0415

    return LIVE
