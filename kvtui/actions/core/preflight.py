"""What a reload depends on: the config on disk, the config that runs, and the result of ``keepalived -t``."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.backend.conf import copies

if TYPE_CHECKING:
    from kvtui.backend.config_test import ConfigTest
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

MISSING = "does not exist"


class Scope(Enum):
    """What is tested by ``keepalived -t``, which takes 30 to 60 ms each time."""

    READ = "nothing"
    TESTED = "the file"
    COMPARED = "the file, and where it has messages the config that runs"


class Preflight(Struct, frozen=True):
    """The config of one keepalived at one moment; None where something could not be read.

    Attributes:
        running: the config that it runs (2.2.0+).
        saved_lines: lines of the file, from ``copies``; with passwords.
        baseline: the same test of the config that runs, which is ``test`` where the file is the same; None also where
            ``test`` is clean, or they were not compared.
        waited: seconds waited for a file that was being written.
        obstacle: why kvtui cannot replace the file; None when it can.
    """

    keepalived: Keepalived
    conf: Conf | None
    error: str = ""
    running: Conf | None = None
    saved_lines: tuple[str, ...] | None = None
    running_lines: tuple[str, ...] | None = None
    test: ConfigTest | None = None
    test_error: str = ""
    baseline: ConfigTest | None = None
    waited: float = 0.0
    obstacle: str | None = None

    @property
    def is_missing(self) -> bool:
        return self.error.endswith(MISSING)

    @property
    def changed(self) -> bool | None:
        """Whether the file differs from the config that runs; None when unknown."""
        if self.conf is None or self.running is None:
            return None
        return self.conf.digest != self.running.digest

    def diff(self) -> str:
        """Returns what a reload would change, passwords masked; empty when nothing, or when unknown."""
        if not self.changed or self.running_lines is None or self.saved_lines is None:
            return ""
        names = ("running", self.keepalived.conf)
        return copies.difference(self.running_lines, self.saved_lines, names=names)
