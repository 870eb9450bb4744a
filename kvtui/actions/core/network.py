"""A network namespace as journaled: found again after a restart of kvtui or keepalived."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.step import Json, StepError
from kvtui.backend.linux.namespaces import netns_inode
from kvtui.backend.linux.process import list_pids

if TYPE_CHECKING:
    from kvtui.model.ipvs import IpvsTable


class Network(Struct, frozen=True):
    """``pid`` is a process in it (keepalived, as a rule), None for kvtui's own; ``inode`` is None when unreadable."""

    pid: int | None
    inode: int | None

    def process(self) -> int | None:
        """Returns a process that is in it now; None when kvtui itself is. Raises StepError when none is."""
        if self.pid is None or (self.inode is not None and netns_inode() == self.inode):
            return None
        if self.inode is None or netns_inode(self.pid) == self.inode:
            return self.pid
        found = next((pid for pid in list_pids() if netns_inode(pid) == self.inode), None)
        if found is None:
            raise StepError(
                f"no process is in network namespace {self.inode} any more (it was that of process {self.pid}): its "
                "IPVS table is gone; see what runs now with `kvtui ipvs`"
            )
        return found

    def is_same(self, other: Network) -> bool:
        if self.inode is not None and other.inode is not None:
            return self.inode == other.inode
        return self.pid == other.pid

    def to_json(self) -> Json:
        return {"pid": self.pid, "netns": self.inode}

    @classmethod
    def from_json(cls, data: Json) -> Network:
        return cls(data["pid"], data["netns"])


def read_table(network: Network) -> IpvsTable:
    """Reads the kernel's IPVS table; raises StepError."""
    from kvtui.backend.ipvs.errors import IpvsError  # noqa: PLC0415 - only when it is carried out
    from kvtui.backend.ipvs.reader import IpvsReader  # noqa: PLC0415

    try:
        with IpvsReader(network.process()) as reader:
            return reader.read()
    except IpvsError as why:
        raise StepError(str(why)) from why
