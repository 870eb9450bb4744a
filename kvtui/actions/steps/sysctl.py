"""The two sysctls that decide what happens to clients of a real server that is drained or gone."""

from __future__ import annotations

import errno
from typing import ClassVar

from msgspec import Struct

from kvtui.actions.core.network import Network
from kvtui.actions.core.step import Json, StepError, StepState, value_state
from kvtui.backend.linux.sysctls import read_sysctls, write_sysctl

ALLOWED = frozenset({"expire_quiescent_template", "expire_nodest_conn"})
NOT_THERE = "this sysctl does not exist: ip_vs is not loaded, or the kernel does not have it"


class SetSysctl(Struct, frozen=True):
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
        return value_state(self._value(), self.before, self.after)

    def do(self) -> None:
        self._write(self.after)

    def undo(self) -> None:
        self._write(self.before)

    @property
    def _path(self) -> str:
        return f"net/ipv4/vs/{self.name}"

    def _value(self) -> int:
        pid = self.network.process()
        try:
            return read_sysctls(pid, (self._path,))[f"net.ipv4.vs.{self.name}"]
        except (KeyError, OSError) as error:
            raise StepError(f"net.ipv4.vs.{self.name}: {_reason(error)}") from error

    def _write(self, value: int) -> None:
        try:
            write_sysctl(self.network.process(), self._path, value, fallback_pid=self.network.pid)
        except OSError as error:
            raise StepError(f"net.ipv4.vs.{self.name}: {_reason(error)}") from error

    def to_json(self) -> Json:
        return {**self.network.to_json(), "name": self.name, "before": self.before, "after": self.after}

    @classmethod
    def from_json(cls, data: Json) -> SetSysctl:
        return cls(Network.from_json(data), str(data["name"]), int(data["before"]), int(data["after"]))


def _reason(error: KeyError | OSError) -> str:
    if isinstance(error, KeyError | FileNotFoundError):
        return NOT_THERE
    if error.errno == errno.EROFS:
        return (
            "/proc/sys is mounted read-only here, as containers have it: run kvtui on the node itself or in a "
            "privileged pod, or leave the sysctl out"
        )
    if isinstance(error, PermissionError):
        return f"no permission to set it ({error.strerror}): run kvtui as root"
    return error.strerror or str(error)
