"""A keepalived as the journal remembers it: found again after kvtui, or keepalived itself, was restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.step import StepError
from kvtui.backend.linux import processes
from kvtui.backend.linux.files import resolve_inside
from kvtui.backend.linux.procfs import start_ticks

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json
    from kvtui.model.keepalived import Keepalived


class Daemon(Struct, frozen=True):
    """Which keepalived.

    Attributes:
        start: when that started (clock ticks since boot), so that another process with the same PID is not meant.
        mntns: inode of that; None when it could not be read.
    """

    pid: int
    start: int
    conf: str
    mntns: int | None
    netns: int | None

    @classmethod
    def of(cls, keepalived: Keepalived) -> Daemon:
        return cls(keepalived.pid, start_ticks(keepalived.pid), keepalived.conf, keepalived.mntns, keepalived.netns)

    def is_same_process(self) -> bool:
        """Whether the very process still runs."""
        return self.start != 0 and start_ticks(self.pid) == self.start

    def found(self) -> Keepalived:
        """It as it is now: the same process, or one that took its place with the same config in the same namespaces.

        Raises:
            StepError: there is none.
        """
        if self.is_same_process() and (same := processes.find(only=self.pid)):
            return same[0]
        for keepalived in processes.find():
            if self.mntns is not None and self._place(keepalived) == (self.conf, self.mntns, self.netns):
                return keepalived
        raise StepError(
            f"keepalived {self.pid} with {self.conf} does not run any more, and none took its place in the same "
            "namespaces: look at what runs with `kvtui status`"
        )

    @staticmethod
    def _place(keepalived: Keepalived) -> tuple[str, int | None, int | None]:
        return (keepalived.conf, keepalived.mntns, keepalived.netns)

    def outside(self, path: str) -> str:
        """Where a file that keepalived names ``path`` can be opened from here.

        Raises:
            StepError: keepalived is gone, and its files with it; or the path cannot be followed.
        """
        root = processes.root_of(self.pid) if self.is_same_process() else None
        try:
            return resolve_inside(self.found().root if root is None else root, path)
        except OSError as error:
            raise StepError(f"{path} cannot be reached: {error.strerror or error}") from error

    def to_json(self) -> Json:
        return {"pid": self.pid, "start": self.start, "conf": self.conf, "mntns": self.mntns, "netns": self.netns}

    @classmethod
    def from_json(cls, data: Json) -> Daemon:
        return cls(int(data["pid"]), int(data["start"]), str(data["conf"]), data["mntns"], data["netns"])
