"""The weight of one real server in the kernel's IPVS table, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.step import Side, StepFailed
from kvtui.actions.core.network import Network
from kvtui.model.ipvs import Protocol, endpoint
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvtui.actions.core.step import Json
    from kvtui.model.ipvs import RealServer, ServiceKey

    Target = tuple[ServiceKey, tuple[str, int]]


def service_name(service: ServiceKey) -> str:
    """As ipvsadm writes it, the protocol before it unless it is TCP."""
    protocol, address, port, fwmark = service
    if protocol is Protocol.FWMARK:
        return f"fwmark {fwmark}" + (" IPv6" if address else "")
    name = endpoint(address, port)
    return name if protocol is Protocol.TCP else f"{protocol.value} {name}"


def target_to_json(target: Target) -> list[list[str | int]]:
    """For the journal."""
    protocol, address, port, fwmark = target[0]
    return [[protocol.value, address, port, fwmark], list(target[1])]


def target_from_json(data: Sequence[Sequence[str | int]]) -> Target:
    """The other way."""
    protocol, address, port, fwmark = data[0]
    service = (Protocol(str(protocol)), str(address), int(port), int(fwmark))
    return service, (str(data[1][0]), int(data[1][1]))


@dataclass(frozen=True, slots=True)
class SetWeight:
    """A step: set the weight; method, thresholds and tunnel stay byte for byte.

    Attributes:
        network: in whose table.
        service: key of the virtual server.
        real: address and port of the real server.
        before: weight.
        after: weight.
    """

    kind: ClassVar[str] = "weight"

    network: Network
    service: ServiceKey
    real: tuple[str, int]
    before: int
    after: int

    @property
    def target(self) -> tuple[ServiceKey, tuple[str, int]]:
        """What it changes, within its namespace."""
        return (self.service, self.real)

    def describe(self) -> str:
        """In one line."""
        place = f"{endpoint(*self.real)} in {service_name(self.service)}"
        return f"set the weight of {place} in the kernel from {self.before} to {self.after}"

    def now(self) -> RealServer:
        """The real server as the kernel has it.

        Raises:
            StepFailed: it is not there, or the table cannot be read.
        """
        from kvtui.backend.ipvs.errors import IpvsUnavailable  # noqa: PLC0415 - only when it is carried out
        from kvtui.backend.ipvs.reader import IpvsReader  # noqa: PLC0415

        try:
            with IpvsReader(self.network.process()) as reader:
                table = reader.read()
        except IpvsUnavailable as why:
            raise StepFailed(f"the weight of {endpoint(*self.real)} cannot be told: {why}") from why
        virtual = next((v for v in table.virtual_servers if v.key == self.service), None)
        if virtual is None:
            raise StepFailed(
                f"virtual server {service_name(self.service)} is not in the kernel any more: keepalived was stopped, "
                "or its config does not have it now"
            )
        found = next((r for r in virtual.real_servers if r.key == self.real), None)
        if found is None:
            raise StepFailed(
                f"{endpoint(*self.real)} is not in {service_name(self.service)} any more: its health check took it "
                "out, or the config does not have it now; if it comes back keepalived gives it its configured weight"
            )
        return found

    def look(self) -> Side:
        """By the weight in the kernel."""
        weight = self.now().weight
        return Side.BEFORE if weight == self.before else Side.AFTER if weight == self.after else Side.NEITHER

    def do(self) -> None:
        """Set ``after``."""
        self._set(self.before, self.after)

    def undo(self) -> None:
        """Set ``before``."""
        self._set(self.after, self.before)

    def _set(self, old: int, new: int) -> None:
        from kvtui.backend.ipvs.errors import IpvsUnavailable, NotInTable  # noqa: PLC0415 - as above
        from kvtui.backend.ipvs.writer import set_weight  # noqa: PLC0415

        process = self.network.process()
        try:
            found, written = set_weight(process, self.service, self.real, new)
            if found.weight not in {old, new}:  # somebody was faster than our last look: their weight stays
                set_weight(process, self.service, self.real, found.weight)
                raise StepFailed(
                    f"somebody set the weight of {endpoint(*self.real)} to {found.weight} meanwhile: look again"
                )
        except (IpvsUnavailable, NotInTable) as why:
            raise StepFailed(str(why)) from why
        if written.weight != new:
            raise StepFailed(f"the kernel took weight {new} for {endpoint(*self.real)} but shows {written.weight}")

    def to_json(self) -> Json:
        """For the journal."""
        service, real = target_to_json(self.target)
        return {**self.network.to_json(), "service": service, "real": real, "before": self.before, "after": self.after}

    @classmethod
    def from_json(cls, data: Json) -> SetWeight:
        """From the journal."""
        service, real = target_from_json((data["service"], data["real"]))
        return cls(Network.from_json(data), service, real, int(data["before"]), int(data["after"]))
