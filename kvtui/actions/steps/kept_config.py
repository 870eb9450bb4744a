"""Keeps the config that runs before a reload, so that an undo can bring it back."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon, JournaledFields, running_conf, saved_conf
from kvtui.actions.core.state_folder import folder
from kvtui.actions.core.step import Json, StepError, StepState, os_errors_as
from kvtui.backend.conf import reader
from kvtui.backend.conf.copies import read_copy
from kvtui.backend.conf.expand import ConfigFile, Expander
from kvtui.backend.linux.files import read_open
from kvtui.backend.linux.private_folder import open_own_file, open_private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kvtui.model.keepalived import Keepalived

FOLDER = "configs"
"""In the state folder, beside the journal, which has no secrets: these files have passwords, and mode 0600."""
MAX_KEPT = 20
DIGEST = re.compile(r"[0-9a-f]{64}")
DIGITS = 8
"""Of a digest, in the name of a file."""


class KeepConfig(JournaledFields, Struct, frozen=True):
    """A step: keeps keepalived's own copy of the config that runs (2.2.0+). Undo writes that over the file.

    The copy has no comments and its includes are in it. The newer file is kept beside it, under another name.

    Attributes:
        ran: digest of the config that ran.
        newer: digest of the file that the reload brought.
        is_sent: whether this run has sent the signal; None where an earlier run did it all. Before it there is nothing
            to bring back, even if an earlier reload of these two configs kept the same; after it, a busy keepalived
            may not have read the newer file yet.
    """

    kind: ClassVar[str] = "config"
    journaled_fields = ("daemon", "ran", "newer")

    daemon: Daemon
    ran: str
    newer: str
    is_sent: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        if not (DIGEST.fullmatch(self.ran) and DIGEST.fullmatch(self.newer)):
            raise ValueError("no digest of a config")

    @property
    def kept(self) -> Path:
        """Where the copy is: named by digests alone, so that a journal cannot name another file."""
        return folder() / FOLDER / f"{self.ran[:DIGITS]}-{self.newer[:DIGITS]}.conf"

    @property
    def newer_name(self) -> str:
        """Where an undo keeps the newer file: no ``include *.conf`` takes it in."""
        return f"{self.daemon.conf}.newer-{self.newer[:DIGITS]}"

    def describe(self) -> str:
        return ""

    def describe_undo(self) -> str:
        return f"write the config that ran before into {self.daemon.conf}; the newer file is kept as {self.newer_name}"

    def state(self) -> StepState:
        if not self.kept.exists() or (self.is_sent is not None and not self.is_sent()):
            return StepState.PENDING
        keepalived = self.daemon.found()
        with os_errors_as(f"{keepalived.conf} cannot be read"):
            return StepState.PENDING if saved_conf(keepalived).digest == self.ran else StepState.APPLIED

    def do(self) -> None:
        keepalived = self.daemon.found()
        running, text = running_conf(keepalived), read_copy(keepalived.pid)
        if running is None or text is None or running.digest != self.ran:
            raise StepError(f"keepalived {keepalived.pid} was reloaded since the plan was made: check it and try again")
        lines = [line for line in text.split("\n") if line and line[0] not in "#!"]
        data = ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")
        failure = f"{self.kept} cannot be written, so an undo would not be possible"
        with os_errors_as(failure), open_private_folder(str(self.kept.parent), make=True) as kept:
            fd = open_own_file(kept, self.kept.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            _remove_oldest(kept)

    def undo(self) -> None:
        keepalived = self.daemon.found()
        running = running_conf(keepalived)
        if running is not None and running.digest == self.ran and not (self.is_sent is not None and self.is_sent()):
            self.kept.unlink(missing_ok=True)  # the reload was never sent: the file is the operator's
            return
        with os_errors_as(f"{self.daemon.conf} was not written"):
            with open_private_folder(str(self.kept.parent)) as kept:
                text = read_open(open_own_file(kept, self.kept.name, os.O_RDONLY), self.kept.name)
            if _digest(text, keepalived) != self.ran:
                raise StepError(f"{self.kept} is not the config that ran: {self.daemon.conf} was left as it is")
            with self.daemon.place(self.daemon.conf) as place:
                present = place.read()
                place.keep_as(posixpath.basename(self.newer_name))
                place.write(text, instead_of=present)

    def to_json(self) -> Json:
        return {**super().to_json(), "kept": str(self.kept)}


def _remove_oldest(kept: int) -> None:
    names = sorted(os.listdir(kept), key=lambda name: os.stat(name, dir_fd=kept, follow_symlinks=False).st_mtime)
    for name in names[:-MAX_KEPT]:
        os.unlink(name, dir_fd=kept)


def _digest(text: bytes, keepalived: Keepalived) -> str:
    expander = Expander(keepalived.config_id)
    pieces = expander.file(ConfigFile(keepalived.conf, text.decode("utf-8", "surrogateescape")))
    return reader.conf_of(expander, pieces).digest
