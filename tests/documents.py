"""Documents of kvtui's JSON output as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kvtui.presenters.documents import status

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def document(observation: Observation, view: str = "status") -> Any:
    """Returns the document of an observation as a JSON reader sees it."""
    return msgspec.to_builtins(status(observation, view))
