"""A keepalived as the journal remembers it: found again after kvtui, or keepalived itself, was restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.step import StepError
from kvtui.backend.conf import reader
from kvtui.backend.conf.running import read_running
from kvtui.backend.linux import processes
from kvtui.backend.linux.place import open_place
from kvtui.backend.linux.procfs import start_ticks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from kvtui.actions.core.step import Json
    from kvtui.backend.linux.place import Place
    from kvtui.model.conf import Conf
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

    def root(self) -> str:
        """Returns the prefix of its files.

        Raises:
            StepError: keepalived is gone, and its files with it.
        """
        root = processes.root_of(self.pid) if self.is_same_process() else None
        return self.found().root if root is None else root

    def place(self, path: str) -> AbstractContextManager[Place]:
        """Opens the folder of a file that keepalived names ``path``; raises like ``root`` and ``open_place``."""
        return open_place(path, self.root())

    def why_not_its_file(self, path: str) -> str:
        """Returns why an entry of the journal may not lead to this file; empty when keepalived's config names it.

        So a forged entry changes no other file. Where keepalived is gone, the step itself says so.
        """
        confs = self._confs()
        names = {name for conf in confs or () for name in (conf.path, *conf.files)}
        names |= {file.path for conf in confs or () for file in conf.track_files if file.path}
        if confs is None or path in names:
            return ""
        return f"{path} is no file of the config of keepalived {self.pid}: kvtui leaves it alone"

    def why_not_its_address(self, address: str) -> str:
        """Returns the same of an address: empty when it is one of keepalived's VIPs."""
        confs = self._confs()
        if confs is None or any(v.address == address for conf in confs for i in conf.instances for v in i.all_vips):
            return ""
        return f"{address} is no VIP in the config of keepalived {self.pid}: kvtui leaves it alone"

    def _confs(self) -> tuple[Conf, ...] | None:
        """Returns the config that runs and the one on disk, where they can be read; None where keepalived is gone."""
        try:
            found = self.found()
        except StepError:
            return None
        running = read_running(found.pid, now=0.0, config_id=found.instance_name)
        try:
            saved = reader.read(found.conf, root=found.root, config_id=found.instance_name, now=0.0)
        except OSError:
            saved = None
        return tuple(conf for conf in (running, saved) if conf is not None)

    def to_json(self) -> Json:
        return {"pid": self.pid, "start": self.start, "conf": self.conf, "mntns": self.mntns, "netns": self.netns}

    @classmethod
    def from_json(cls, data: Json) -> Daemon:
        return cls(int(data["pid"]), int(data["start"]), str(data["conf"]), data["mntns"], data["netns"])
