"""The weight of one real server in the kernel's IPVS table, and nothing else of it."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct, to_builtins

from kvtui.actions.core.network import Network
from kvtui.actions.core.step import Json, StepError, StepState, from_builtins, value_state
from kvtui.model.ipvs import DestinationKey, RealServer, ServiceKey, endpoint, service_name


def target_to_json(target: DestinationKey) -> Any:
    return to_builtins(target)


def target_from_json(data: object) -> DestinationKey:
    target: DestinationKey = from_builtins(data, DestinationKey)
    return target


class Server(Struct, frozen=True):
    service: ServiceKey
    real: tuple[str, int]

    @property
    def target(self) -> DestinationKey:
        return (self.service, self.real)

    @property
    def name(self) -> str:
        return f"{endpoint(*self.real)} in {service_name(self.service)}"


class SetWeight(Struct, frozen=True):
    """A step: set the weight; method, thresholds and tunnel stay byte for byte."""

    kind: ClassVar[str] = "weight"

    network: Network
    service: ServiceKey
    real: tuple[str, int]
    before: int
    after: int

    @property
    def target(self) -> DestinationKey:
        return (self.service, self.real)

    @property
    def name(self) -> str:
        return Server(self.service, self.real).name

    def describe(self) -> str:
        return f"set the weight of {self.name} in the kernel from {self.before} to {self.after}"

    def describe_undo(self) -> str:
        return f"restore weight {self.before} of {self.name} in the kernel"

    def now(self) -> RealServer:
        """Reads the real server from the kernel; raises StepError where that is impossible, or it is not there."""
        from kvtui.backend.ipvs.errors import IpvsError  # noqa: PLC0415 - only when it is carried out
        from kvtui.backend.ipvs.reader import IpvsReader  # noqa: PLC0415

        try:
            with IpvsReader(self.network.process()) as reader:
                table = reader.read()
        except IpvsError as why:
            raise StepError(f"the weight of {endpoint(*self.real)} is unknown: {why}") from why
        virtual = next((v for v in table.virtual_servers if v.key == self.service), None)
        if virtual is None:
            raise StepError(
                f"virtual server {service_name(self.service)} is no longer in the kernel: keepalived was stopped, "
                "or its config does not have it now"
            )
        found = next((r for r in virtual.real_servers if r.key == self.real), None)
        if found is None:
            raise StepError(
                f"{endpoint(*self.real)} is no longer in {service_name(self.service)}: its health check removed it, "
                "or the config does not have it now; if it returns, keepalived gives it its configured weight"
            )
        return found

    def state(self) -> StepState:
        return value_state(self.now().weight, self.before, self.after)

    def do(self) -> None:
        self._set(self.before, self.after)

    def undo(self) -> None:
        self._set(self.after, self.before)

    def _set(self, old: int, new: int) -> None:
        from kvtui.backend.ipvs.errors import IpvsError, NotInTableError  # noqa: PLC0415 - as above
        from kvtui.backend.ipvs.writer import set_weight  # noqa: PLC0415

        process = self.network.process()
        try:
            found, written = set_weight(process, self.service, self.real, new)
            if found.weight not in {old, new}:  # something else was faster than our last look: its weight stays
                set_weight(process, self.service, self.real, found.weight)
                raise StepError(
                    f"the weight of {endpoint(*self.real)} was set to {found.weight} by something else: "
                    "check it and try again"
                )
        except (IpvsError, NotInTableError) as why:
            raise StepError(str(why)) from why
        if written.weight != new:
            raise StepError(f"the kernel accepted weight {new} for {endpoint(*self.real)} but shows {written.weight}")

    def to_json(self) -> Json:
        service, real = target_to_json(self.target)
        return {**self.network.to_json(), "service": service, "real": real, "before": self.before, "after": self.after}

    @classmethod
    def from_json(cls, data: Json) -> SetWeight:
        service, real = target_from_json((data["service"], data["real"]))
        return cls(Network.from_json(data), service, real, int(data["before"]), int(data["after"]))
