"""A keepalived as the journal remembers it: found again after kvtui, or keepalived itself, was restarted."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec import Struct, to_builtins

from kvtui.actions.core.step import Json, StepError, from_builtins
from kvtui.backend.conf import reader
from kvtui.backend.conf.copies import read_running
from kvtui.backend.linux import processes
from kvtui.backend.linux.place import Place, open_place
from kvtui.backend.linux.procfs import start_ticks

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived


def running_conf(keepalived: Keepalived) -> Conf | None:
    """Returns the config that it runs; None as with ``read_running``."""
    return read_running(keepalived.pid, now=0.0, config_id=keepalived.config_id)


def saved_conf(keepalived: Keepalived) -> Conf:
    """Reads its config from the disk; raises OSError."""
    return reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.config_id, now=0.0)


class Daemon(Struct, frozen=True):
    """``start`` is in clock ticks since boot: another process with the same PID is not meant. Namespaces are inodes."""

    pid: int
    start: int
    conf: str
    mntns: int | None
    netns: int | None

    @classmethod
    def of(cls, keepalived: Keepalived) -> Daemon:
        return cls(keepalived.pid, start_ticks(keepalived.pid), keepalived.conf, keepalived.mntns, keepalived.netns)

    def is_same_process(self) -> bool:
        return self.start != 0 and start_ticks(self.pid) == self.start

    def found(self) -> Keepalived:
        """Returns the same process, or one that took its place with the same config in the same namespaces.

        Raises StepError when there is none.
        """
        if self.is_same_process() and (same := processes.find(only=self.pid)):
            return same[0]
        for other in processes.find() if self.mntns is not None else ():
            if (other.conf, other.mntns, other.netns) == (self.conf, self.mntns, self.netns):
                return other
        raise StepError(
            f"keepalived {self.pid} with {self.conf} no longer runs, and no other keepalived replaced it in the "
            "same namespaces: check what runs with `kvtui status`"
        )

    def root(self) -> str:
        """Returns the prefix of its files; raises StepError when keepalived is gone, and its files with it."""
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
        if confs is None or any(path in (c.path, *c.files, *(f.path for f in c.track_files)) for c in confs):
            return ""
        return f"{path} is not in the config of keepalived {self.pid}: kvtui does not change it"

    def why_not_its_address(self, address: str) -> str:
        """Returns the same of an address: empty when it is one of keepalived's VIPs."""
        confs = self._confs()
        if confs is None or any(v.address == address for conf in confs for i in conf.instances for v in i.all_vips):
            return ""
        return f"{address} is not a VIP in the config of keepalived {self.pid}: kvtui does not change it"

    def _confs(self) -> tuple[Conf, ...] | None:
        """Returns the config that runs and the one on disk, where they can be read; None where keepalived is gone."""
        try:
            found = self.found()
        except StepError:
            return None
        running, saved = running_conf(found), None
        with suppress(OSError):
            saved = saved_conf(found)
        return tuple(conf for conf in (running, saved) if conf is not None)


class JournaledFields:
    """Writes ``journaled_fields`` of a step into the journal, and makes the step of them again."""

    journaled_fields: ClassVar[tuple[str, ...]]

    def to_json(self) -> Json:
        return {name: to_builtins(getattr(self, name)) for name in self.journaled_fields}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        made: Self = from_builtins({name: data[name] for name in cls.journaled_fields}, cls)
        return made


class FileStep(JournaledFields, Struct, frozen=True):
    """Changes one file of keepalived, or what is beside it."""

    daemon: Daemon
    path: str

    def why_not_ours(self) -> str:
        return self.daemon.why_not_its_file(self.path)
