"""The two sysctls that decide what happens to clients of a real server that is drained or gone."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kvtui.actions.core.network import Network
from kvtui.actions.core.step import StepError, StepState
from kvtui.backend.namespaces import open_in_network
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.step import Json

ALLOWED = frozenset({"expire_quiescent_template", "expire_nodest_conn"})
FOLDER = "/proc/sys/net/ipv4/vs"


@dataclass(frozen=True, slots=True)
class SetSysctl:
    """A step: set ``net.ipv4.vs.NAME`` in a network namespace.

    What /proc/sys/net shows depends on the thread that opens it (net/sysctl_net.c): a thread inside does it.

    Attributes:
        network: in which.
        name: one of ``ALLOWED``.
        before: value.
        after: value.

    Raises:
        ValueError: the name is not allowed.
    """

    kind: ClassVar[str] = "sysctl"

    network: Network
    name: str
    before: int
    after: int

    def __post_init__(self) -> None:
        if self.name not in ALLOWED:
            raise ValueError(f"kvtui sets {', '.join(sorted(ALLOWED))}, not {self.name!r}")

    def describe(self) -> str:
        return f"set net.ipv4.vs.{self.name} from {self.before} to {self.after}"

    def describe_undo(self) -> str:
        return f"restore net.ipv4.vs.{self.name} to {self.before}"

    def state(self) -> StepState:
        value = self._value()
        return (
            StepState.PENDING
            if value == self.before
            else StepState.APPLIED
            if value == self.after
            else StepState.CONFLICT
        )

    def do(self) -> None:
        self._write(self.after)

    def undo(self) -> None:
        self._write(self.before)

    @property
    def _path(self) -> Path:
        return Path(FOLDER, self.name)

    def _value(self) -> int:
        return self._inside(lambda: int(self._path.read_text("ascii")))

    def _write(self, value: int) -> None:
        self._inside(lambda: self._written(f"{value}\n"))

    def _written(self, text: str) -> int:
        """Containers have /proc/sys read-only; a privileged one beside ours, such as keepalived's own, does not."""
        try:
            return self._path.write_text(text, "ascii")
        except OSError as error:
            if error.errno != errno.EROFS or self.network.pid is None:
                raise
            try:
                return Path(f"/proc/{self.network.pid}/root{self._path}").write_text(text, "ascii")
            except OSError:
                raise error from None

    def _inside(self, work: Callable[[], int]) -> int:
        try:
            return open_in_network(self.network.process(), work)
        except OSError as error:
            raise StepError(f"net.ipv4.vs.{self.name}: {_reason(error)}") from error

    def to_json(self) -> Json:
        return {**self.network.to_json(), "name": self.name, "before": self.before, "after": self.after}

    @classmethod
    def from_json(cls, data: Json) -> SetSysctl:
        return cls(Network.from_json(data), str(data["name"]), int(data["before"]), int(data["after"]))


def _reason(error: OSError) -> str:
    """The cause, and the next step."""
    if error.errno == errno.EROFS:
        return (
            "/proc/sys is mounted read-only here, as containers have it: run kvtui on the node itself or in a "
            "privileged pod, or leave the sysctl out"
        )
    if isinstance(error, FileNotFoundError):
        return "it is not there: ip_vs is not loaded, or this kernel lacks it"
    if isinstance(error, PermissionError):
        return f"it may not be set ({error.strerror}): run kvtui as root"
    return error.strerror or str(error)
