"""Run as a program: ``status --watch -o json`` of a pod with keepalived and without kvtui, read by a shell in it.

python -m kvtui.cli.pod_status NAME COMMAND WORD…    # the command that runs "sh -c SCRIPT MARK" in the pod
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

from msgspec import to_builtins
from msgspec.structs import replace

from kvtui.backend.remote.pod_text import DETAIL, SCRIPT, pod_snapshot, sections
from kvtui.cli.output import Format, encode
from kvtui.model.cluster import NO_KVTUI
from kvtui.model.source import Source, SourceName, SourceState
from kvtui.model.vrrp import VrrpState
from kvtui.observer import Observer
from kvtui.presenters.documents import status
from kvtui.rules.vrrp.instances import known_instances

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.backend.remote.pod_text import Sections
    from kvtui.model.snapshot import Snapshot
    from kvtui.model.vrrp import VrrpInstance


class PodSource:
    """The latest reading, as an observer's source; it has no connections and no log."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    async def start(self, changed: object) -> None:
        """The caller reads."""

    async def read(self) -> Snapshot:
        assert self.snapshot is not None  # noqa: S101 - set before each observation
        return self.snapshot

    async def close(self) -> None:
        """Nothing is open."""


def with_states(snapshot: Snapshot) -> Snapshot:
    """Adds the instances of the config, each MASTER where its VIPs are, unless keepalived's own state is known."""
    if snapshot.instances is not None or snapshot.addresses is None:
        return snapshot
    up = {i.name for i in snapshot.addresses.interfaces if i.running}

    def state(instance: VrrpInstance) -> VrrpState:
        if any(snapshot.addresses and snapshot.addresses.holding(vip.address) for vip in instance.vips):
            return VrrpState.MASTER
        return VrrpState.BACKUP if instance.interface in up else VrrpState.FAULT

    known = tuple(replace(i, state=state(i)) for i in known_instances(snapshot) or ())
    read = Source(SourceName.VRRP, SourceState.DEGRADED, f"{DETAIL}; states follow from its addresses", snapshot.time)
    sources = tuple(read if s.name is SourceName.VRRP else s for s in snapshot.sources)
    return replace(snapshot, instances=known, sources=sources)


def main(pod: str, command: list[str]) -> int:
    mark = f"kvtui-{secrets.token_hex(8)}"
    process = subprocess.Popen(
        [*command, "sh", "-c", SCRIPT, mark], stdout=subprocess.PIPE, text=True, errors="replace"
    )
    assert process.stdout is not None  # noqa: S101 - a pipe
    asyncio.run(_print(pod, sections(process.stdout, mark)))
    return process.wait()


async def _print(pod: str, readings: Iterator[Sections]) -> None:
    source = PodSource()
    observer = Observer(source)  # type: ignore[arg-type]
    for found in readings:
        source.snapshot = with_states(pod_snapshot(pod, found))
        document = status(await observer.observe())
        document["comparison"] = {**to_builtins(document["comparison"]), "kvtui": NO_KVTUI}
        sys.stdout.write(encode(document, Format.JSON, stream=True))
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
