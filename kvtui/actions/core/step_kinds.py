"""The kinds of steps; rebuilds a step from the journal."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kvtui.actions.core.intent import CannotPlanError

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json, Step, StepFactory

KINDS = {
    "weight": "kvtui.actions.steps.weight:SetWeight",
    "sysctl": "kvtui.actions.steps.sysctl:SetSysctl",
    "track value": "kvtui.actions.steps.track_value:SetTrackValue",
    "check value": "kvtui.actions.steps.check_value:SetCheckValue",
    "file": "kvtui.actions.steps.file:ReplaceFile",
    "config": "kvtui.actions.steps.kept_config:KeepConfig",
    "hangup": "kvtui.actions.steps.reload:ReloadStep",
    "address": "kvtui.actions.steps.address:RemoveAddress",
    "draft": "kvtui.actions.steps.temp_file:RemoveTempFile",
    "reversed": "kvtui.actions.core.reversed:Reversed",
}
"""``kind`` of a step → ``module:class``; the class has a ``from_json``."""

VALUE_KINDS = frozenset({"weight", "track value", "check value"})
"""Kinds of steps that set one value, and need no digest of everything around it."""


class UnknownStepError(CannotPlanError):
    """The journal has a step that this kvtui cannot rebuild: another version wrote it, or the line is damaged."""


def make(data: Json) -> Step:
    """Rebuilds the step that the journal describes.

    Raises:
        UnknownStepError: its kind is unknown here, or something is missing in it.
    """
    kind = str(data.get("kind"))
    if kind not in KINDS:
        raise UnknownStepError(f"this kvtui does not know steps of kind {kind!r}; use the version that wrote them")
    module, _, name = KINDS[kind].partition(":")
    factory: StepFactory = getattr(import_module(module), name).from_json
    try:
        return factory(data)
    except (KeyError, ValueError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise UnknownStepError(f"a step of kind {kind!r} in the journal cannot be read: {error!r}") from error
