"""The panel of sources: what each could read, how old it is, and why it is not complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.presenters.sources import sources_text
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


class SourcesPanel(Panel):
    """Sources."""

    heading = "Sources"

    def text(self, observation: Observation | None) -> str:
        return "Nothing was read yet." if observation is None else sources_text(observation)
