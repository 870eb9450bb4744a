"""The kinds of steps, and the way from the journal back to a step."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json, Step, StepFactory

KINDS = {
    "weight": "kvtui.actions.steps.weight:SetWeight",
    "sysctl": "kvtui.actions.steps.sysctl:SetSysctl",
    "track value": "kvtui.actions.steps.track_value:SetTrackValue",
    "check value": "kvtui.actions.steps.check_value:SetCheckValue",
    "file": "kvtui.actions.steps.file:ReplaceFile",
    "hangup": "kvtui.actions.steps.reload:HangUp",
    "address": "kvtui.actions.steps.address:RemoveAddress",
    "draft": "kvtui.actions.steps.temp_file:RemoveDraft",
    "reversed": "kvtui.actions.core.reversed:Reversed",
}
"""``kind`` of a step → ``module:class``; the class has a ``from_json``."""


class UnknownStep(LookupError):  # noqa: N818 - what it is, in words for an operator
    """The journal has a step that this kvtui does not know (an older or newer one wrote it), or cannot read."""


def make(data: Json) -> Step:
    """The step that the journal describes.

    Args:
        data: ``kind`` and what the step's ``to_json`` gave.

    Raises:
        UnknownStep: its kind is not known here, or something is missing in it.
    """
    kind = str(data.get("kind"))
    if kind not in KINDS:
        raise UnknownStep(f"this kvtui does not know steps of kind {kind!r}; use the version that wrote them")
    module, _, name = KINDS[kind].partition(":")
    factory: StepFactory = getattr(import_module(module), name).from_json
    try:
        return factory(data)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise UnknownStep(f"a step of kind {kind!r} in the journal cannot be read: {error!r}") from error
