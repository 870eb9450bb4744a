"""A network namespace as the journal remembers it: found again after kvtui, or keepalived, was restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.step import StepFailed
from kvtui.backend import procfs
from kvtui.backend.namespaces import netns_inode
from kvtui.model.record import dataclass

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json


@dataclass(frozen=True, slots=True)
class Network:
    """Whose network namespace.

    Attributes:
        pid: of a process in it (keepalived, as a rule); None for kvtui's own.
        inode: of the namespace; None when it could not be read (then only ``pid`` names it).
    """

    pid: int | None
    inode: int | None

    def process(self) -> int | None:
        """A process that is in it now; None when kvtui itself is.

        Raises:
            StepFailed: no process is in it any more.
        """
        if self.pid is None or (self.inode is not None and netns_inode() == self.inode):
            return None
        if self.inode is None:
            return self.pid
        if netns_inode(self.pid) == self.inode:
            return self.pid
        found = next((pid for pid in procfs.pids() if netns_inode(pid) == self.inode), None)
        if found is None:
            raise StepFailed(
                f"no process is in network namespace {self.inode} any more (it was that of process {self.pid}), so "
                "its IPVS table is gone with it: look at what runs now with `kvtui ipvs`"
            )
        return found

    def is_same(self, other: Network) -> bool:
        """Whether both name one namespace, as far as can be told."""
        if self.inode is not None and other.inode is not None:
            return self.inode == other.inode
        return self.pid == other.pid

    def to_json(self) -> Json:
        """For the journal."""
        return {"pid": self.pid, "netns": self.inode}

    @classmethod
    def from_json(cls, data: Json) -> Network:
        """From the journal."""
        return cls(data["pid"], data["netns"])
