"""The steps of the demo: each reads and changes the demo's world instead of kernel, files and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict

from kvtui.actions.core.step import StepError
from kvtui.actions.core.step_kinds import Reversed
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep
from kvtui.actions.steps.sysctl import SetSysctl
from kvtui.actions.steps.track_value import SetTrackValue, value_of
from kvtui.actions.steps.weight import SetWeight
from kvtui.model.ipvs import endpoint, service_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.step import Step
    from kvtui.backend.demo.source import World
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import RealServer


class DemoWeight(SetWeight, frozen=True, kw_only=True):
    world: World

    def now(self) -> RealServer:
        virtuals = self.world.table().virtual_servers
        if found := next((r for v in virtuals for r in v.real_servers if (v.key, r.key) == self.target), None):
            return found
        raise StepError(
            f"{endpoint(*self.real)} is no longer in {service_name(self.service)}: its health check removed it"
        )

    def _set(self, old: int, new: int) -> None:
        found = self.now().weight
        if found not in {old, new}:
            raise StepError(
                f"the weight of {endpoint(*self.real)} was set to {found} by something else: check it and try again"
            )
        self.world.set_weight(self.target, new)


class DemoSysctl(SetSysctl, frozen=True, kw_only=True):
    world: World

    def _value(self) -> int:
        return self.world.changes.sysctls[self.name]

    def _write(self, value: int) -> None:
        self.world.set_sysctl(self.name, value)


class DemoTrackValue(SetTrackValue, frozen=True, kw_only=True):
    """The number in the demo's track file, which is always there."""

    world: World

    def why_not_ours(self) -> str:
        return ""

    def _value(self) -> int:
        return value_of(self.world.read(self.path))

    def _write(self, value: int) -> None:
        self.world.write(self.path, f"{value}\n")


class DemoFile(ReplaceFile, frozen=True, kw_only=True):
    world: World

    def why_not_ours(self) -> str:
        return ""

    def _read(self) -> bytes:
        return self.world.read(self.path).encode("utf-8", "surrogateescape")

    def _write(self, data: bytes, _instead_of: bytes) -> None:
        self.world.write(self.path, data.decode("utf-8", "surrogateescape"))


class DemoReloadStep(ReloadStep, kw_only=True):
    world: World

    def _running(self) -> Conf | None:
        return self.world.running

    def reload_once(self) -> None:
        if self.shown is not None and self.world.conf.digest != self.shown:
            raise StepError(f"{self.world.conf.path} was changed since it was shown: check it and try again")
        self.world.reload()


DEMO_STEPS: dict[Any, Callable[..., Step]] = {
    SetWeight: DemoWeight,
    SetSysctl: DemoSysctl,
    SetTrackValue: DemoTrackValue,
    ReplaceFile: DemoFile,
    ReloadStep: DemoReloadStep,
}
"""A step → the same on the demo. Other steps cannot be done there."""


def demo_step(step: Any, world: World) -> Step:
    if isinstance(step, Reversed):
        return Reversed(demo_step(step.step, world))
    if type(step) in DEMO_STEPS:
        return DEMO_STEPS[type(step)](**asdict(step), world=world)
    made: Step = step
    if type(step) not in DEMO_STEPS.values():
        raise StepError(f"the demo cannot do this: {made.describe()}")
    return made
