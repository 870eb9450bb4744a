"""How many connections a drained real server still has, with a bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from kvtui.actions.core.intent import Intent
    from kvtui.model.observation import Observation

BAR_WIDTH = 20


def drain_progress_text(observation: Observation, intent: Intent, highest: int | None) -> tuple[str, int]:
    """Returns the progress of a drain, and the highest number of connections so far."""
    active = inactive = persistent = 0
    for virtual in observation.virtual_servers or ():
        for real in virtual.real_servers:
            if intent.target in {real.address, endpoint(real.address, real.port)} and real.weight == 0:
                active += real.active or 0
                inactive += real.inactive or 0
                persistent += real.persistent or 0
    left = active + inactive
    most = max(left, highest or 0)
    gone = BAR_WIDTH if not most else round((most - left) / most * BAR_WIDTH)
    bar = "#" * gone + "." * (BAR_WIDTH - gone)
    return f"[{bar}] active {active}, inactive {inactive}, persistent {persistent}", most
