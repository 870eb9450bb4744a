"""Documents of the public JSON as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kvtui.presenters.documents import status

if TYPE_CHECKING:
    from kvtui.model.observation import Observation


def document(seen: Observation, view: str = "status") -> Any:
    """The document of an observation as a JSON reader has it."""
    return msgspec.to_builtins(status(seen, view))
