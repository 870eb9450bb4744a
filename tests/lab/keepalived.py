"""What differs between the versions of keepalived that the lab runs: here, as data, and nowhere else in its tests.

Each value was seen with that version in the lab.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Version:
    """One version.

    Attributes:
        text: The version, as ``keepalived --version`` prints it.
        json_log: What it logs when a signal asks for the JSON dump; None: nothing.
        data_log: What it logs when a signal asks for the text dump.
        reload_end: A pattern for the last that it logs of a reload.
        rejects_other_vips: Whether it rejects adverts with another list of VIPs than its own, so that both nodes
            become master. Later versions accept them, and one master stays.
        keeps_running_conf: Whether the config that runs can be read back; else the file counts.
    """

    text: str
    json_log: str | None = None
    data_log: str = "Printing VRRP data for process"
    reload_end: str = r"Reload complete|Reload finished"
    rejects_other_vips: bool = True
    keeps_running_conf: bool = True

    @property
    def number(self) -> tuple[int, ...]:
        """The version, for comparing."""
        return tuple(int(part) for part in self.text.split("."))


VERSIONS = (
    # It logs no end of a reload; opening its sockets is the last that it does.
    Version("2.1.5", json_log="as json for process", reload_end="VRRP sockpool", keeps_running_conf=False),
    Version("2.2.7", json_log="as json for process"),
    Version("2.3.3", rejects_other_vips=False),
)


def version_of(root: str) -> Version:
    """Returns what is known of the keepalived in a root folder.

    A version that is not in the table behaves as the newest older one that is, until a test shows what differs.
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
