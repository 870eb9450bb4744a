"""A drained real server empties: a bar and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from kvtui.actions.core.intent import Intent
    from kvtui.model.observation import Observation

BAR = 20


def drain_progress_text(seen: Observation, intent: Intent, at_first: int | None) -> tuple[str, int]:
    """How far a drained server has emptied, with a bar; and the most connections seen so far."""
    active = inactive = persistent = 0
    for virtual in seen.virtual_servers or ():
        for real in virtual.real_servers:
            if intent.target in {real.address, endpoint(real.address, real.port)} and real.weight == 0:
                active += real.active or 0
                inactive += real.inactive or 0
                persistent += real.persistent or 0
    left = active + inactive
    most = max(left, at_first or 0)
    gone = BAR if not most else round((most - left) / most * BAR)
    bar = "#" * gone + "." * (BAR - gone)
    return f"[{bar}] active {active}, inactive {inactive}, persistent {persistent}", most
