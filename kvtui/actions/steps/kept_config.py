"""Keeps the config that runs before a reload, so that an undo can bring it back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.step import StepError, StepState
from kvtui.actions.steps.file import write_atomically
from kvtui.backend.conf import reader
from kvtui.backend.conf.running import read_copy, read_running

if TYPE_CHECKING:
    from kvtui.actions.core.step import Json

FOLDER = "configs"
"""In the state folder, beside the journal, which has no secrets: these files have passwords, and mode 0600."""
MAX_KEPT = 20
DIGITS = 8
"""Of a digest, in the name of a file."""


class KeepConfig(Struct, frozen=True):
    """A step: keeps keepalived's own copy of the config that runs (2.2.0+). Its way back writes that over the file.

    The copy has no comments and its includes are in it. The newer file is kept beside it, under another name.

    Attributes:
        ran: digest of the config that ran.
        newer: digest of the file that the reload brought.
        kept: where the copy is.
    """

    kind: ClassVar[str] = "config"

    daemon: Daemon
    ran: str
    newer: str
    kept: str

    @property
    def newer_name(self) -> str:
        """Where an undo keeps the newer file: no ``include *.conf`` takes it in."""
        return f"{self.daemon.conf}.newer-{self.newer[:DIGITS]}"

    def describe(self) -> str:
        return ""

    def describe_undo(self) -> str:
        return f"write the config that ran before into {self.daemon.conf}; the newer file is kept as {self.newer_name}"

    def state(self) -> StepState:
        if not Path(self.kept).exists():
            return StepState.PENDING
        return StepState.PENDING if self._on_disk() == self.ran else StepState.APPLIED

    def _on_disk(self) -> str:
        keepalived = self.daemon.found()
        try:
            conf = reader.read(keepalived.conf, root=keepalived.root, config_id=keepalived.instance_name, now=0.0)
        except OSError as error:
            raise StepError(f"{keepalived.conf} cannot be read: {error.strerror or error}") from error
        return conf.digest

    def do(self) -> None:
        keepalived = self.daemon.found()
        running = read_running(keepalived.pid, now=0.0, config_id=keepalived.instance_name)
        text = read_copy(keepalived.pid)
        if running is None or text is None or running.digest != self.ran:
            raise StepError(f"keepalived {keepalived.pid} was reloaded since the plan was made: check it and try again")
        lines = [line for line in text.split("\n") if line and line[0] not in "#!"]
        kept = Path(self.kept)
        try:
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("\n".join(lines) + "\n")
            for old in sorted(kept.parent.iterdir(), key=lambda f: f.stat().st_mtime)[:-MAX_KEPT]:
                old.unlink()
        except OSError as error:
            raise StepError(f"{kept} cannot be written, so an undo would not be possible: {error.strerror}") from error

    def undo(self) -> None:
        keepalived = self.daemon.found()
        running = read_running(keepalived.pid, now=0.0, config_id=keepalived.instance_name)
        if running is not None and running.digest == self.ran:
            Path(self.kept).unlink(missing_ok=True)  # the reload was never sent: the file is the operator's
            return
        path = self.daemon.outside(self.daemon.conf)
        try:
            text = Path(self.kept).read_bytes()
            present = Path(path).read_bytes()
            os.link(path, _free(path, self.newer_name))
            write_atomically(path, text, instead_of=present)
        except OSError as error:
            raise StepError(f"{self.daemon.conf} was not written: {error.strerror or error}") from error

    def to_json(self) -> Json:
        return {"daemon": self.daemon.to_json(), "ran": self.ran, "newer": self.newer, "kept": self.kept}

    @classmethod
    def from_json(cls, data: Json) -> KeepConfig:
        return cls(Daemon.from_json(data["daemon"]), str(data["ran"]), str(data["newer"]), str(data["kept"]))


def _free(path: str, name: str) -> str:
    """Returns where the newer file is kept: a name that is not taken by another text."""
    wanted = Path(path).with_name(Path(name).name)
    found, number = wanted, 1
    while found.exists():
        number += 1
        found = wanted.with_name(f"{wanted.name}-{number}")
    return str(found)
