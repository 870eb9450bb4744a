"""The number in the track file of a FILE_CHECK, and the weights in the kernel that keepalived derives from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct
from msgspec.structs import replace

from kvtui.actions.core.network import Network, read_table
from kvtui.actions.core.step import Json, StepError, StepState
from kvtui.actions.steps.track_value import SetTrackValue
from kvtui.actions.steps.weight import Server, target_from_json, target_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.model.ipvs import DestinationKey


TIMEOUT = 10.0
"""Seconds for keepalived to follow: it watches the file (inotify) and is done within milliseconds (measured)."""


def read_weights(network: Network) -> dict[DestinationKey, int]:
    """Raises StepError where the table cannot be read."""
    return {(v.key, r.key): r.weight for v in read_table(network).virtual_servers for r in v.real_servers}


class Effect(Server, frozen=True):
    """One real server whose weight the file changes."""

    before: int
    after: int


class SetCheckValue(Struct, frozen=True):
    """A step: another number in the file; it is done when the kernel's weights have followed.

    A real server that is not in the kernel (its other check fails) is not waited for: keepalived gives it the weight
    that the file says when it comes back.
    """

    kind: ClassVar[str] = "check value"

    file: SetTrackValue
    network: Network
    effects: tuple[Effect, ...]

    def describe(self) -> str:
        changed = [f"{e.name} from weight {e.before} to {e.after}" for e in self.effects if e.before != e.after]
        return self.file.describe() + (f", so that keepalived takes {', '.join(changed)}" if changed else "")

    def describe_undo(self) -> str:
        restored = [f"weight {e.before} of {e.name}" for e in self.effects if e.before != e.after]
        return self.file.describe_undo() + (f", so that keepalived restores {', '.join(restored)}" if restored else "")

    def why_not_ours(self) -> str:
        return self.file.why_not_ours()

    def state(self) -> StepState:
        """By the number in the file: the weights are keepalived's to follow."""
        return self.file.state()

    def do(self) -> None:
        self.file.do()
        if error := self._awaited(lambda e, weight: weight == e.after):
            self.file.undo()
            raise StepError(f"{error}; the old number was restored")

    def undo(self) -> None:
        self.file.undo()
        if error := self._awaited(lambda e, weight: weight != e.after or e.before == e.after):
            raise StepError(f"{error}; the file has the old number")

    def _awaited(self, followed: Callable[[Effect, int], bool]) -> str:
        """Returns what has not followed in time; empty when all has."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            weights = read_weights(self.network)
            late = [e for e in self.effects if e.target in weights and not followed(e, weights[e.target])]
            if not late:
                return ""
            if time.monotonic() >= deadline:
                there = ", ".join(f"{e.name} has weight {weights[e.target]}" for e in late)
                return (
                    f"keepalived did not follow {self.file.path} within {TIMEOUT:g} s: {there}. Its checker process "
                    "may be stopped, or runs another config: look at its log"
                )
            time.sleep(0.05)

    def until(self, later: SetCheckValue) -> SetCheckValue:
        """Returns the step from where this one begins to where a later one of the same file ends."""
        begins = {e.target: e.before for e in self.effects}
        effects = tuple(replace(e, before=begins.get(e.target, e.before)) for e in later.effects)
        return replace(self, file=replace(self.file, after=later.file.after), effects=effects)

    def to_json(self) -> Json:
        """Has the weights apart from the targets, so that steps of one file are seen to be of one."""
        return {
            **self.network.to_json(),
            "file": self.file.to_json(),
            "targets": [target_to_json(e.target) for e in self.effects],
            "before": [e.before for e in self.effects],
            "after": [e.after for e in self.effects],
        }

    @classmethod
    def from_json(cls, data: Json) -> SetCheckValue:
        rows = zip(data["targets"], data["before"], data["after"], strict=True)
        effects = tuple(Effect(*target_from_json(t), int(before), int(after)) for t, before, after in rows)
        return cls(SetTrackValue.from_json(data["file"]), Network.from_json(data), effects)
