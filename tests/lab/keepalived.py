"""Differences between the keepalived versions that the lab runs. Tests read them here only.

Each value was measured with that version in the lab.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Version:
    """A version of keepalived.

    Attributes:
        text: The version, as ``keepalived --version`` prints it.
        json_log: The text that it logs for the signal that requests the JSON dump; None: it logs nothing.
        data_log: The text that it logs for the signal that requests the text dump.
        reload_end: A pattern of the last line that it logs about a reload.
        rejects_other_vips: Whether it rejects adverts whose list of VIPs differs from its own, so that both nodes
            become master. Later versions accept them, and one node stays master.
        keeps_running_conf: Whether kvtui can read the running config; otherwise it reads the file.
    """

    text: str
    json_log: str | None = None
    data_log: str = "Printing VRRP data for process"
    reload_end: str = r"Reload complete|Reload finished"
    rejects_other_vips: bool = True
    keeps_running_conf: bool = True

    @property
    def number(self) -> tuple[int, ...]:
        """The version as numbers, for comparison."""
        return tuple(int(part) for part in self.text.split("."))


VERSIONS = (
    # It does not log the end of a reload; it opens its sockets last.
    Version("2.1.5", json_log="as json for process", reload_end="VRRP sockpool", keeps_running_conf=False),
    Version("2.2.7", json_log="as json for process"),
    Version("2.3.3", rejects_other_vips=False),
)


def version_of(root: str) -> Version:
    """Returns the version data of the keepalived in a root folder.

    A version that is not in the table gets the values of the newest older one.
    """
    program = Path(root, "usr/sbin/keepalived").read_bytes()
    found = re.search(rb"Keepalived v(\d+\.\d+\.\d+)", program)
    if found is None:
        raise LookupError(f"{root}/usr/sbin/keepalived does not contain its version")
    text = found[1].decode()
    number = Version(text).number
    known = [version for version in VERSIONS if version.number <= number]
    if not known:
        raise LookupError(f"keepalived {text} is older than all that tests/lab/keepalived.py knows")
    return replace(known[-1], text=text)
