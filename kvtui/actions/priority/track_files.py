"""Track files of an instance: keepalived's own control of the priority at run time, which outlives reloads.

effective = clamp(base + value × weight, 1..254); a product of −254 or less, or weight 0 with any value but 0, is FAULT
(measured: priority 0 on the wire within 1 ms, a peer is master in 0.65 s, even one with nopreempt).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.steps.track_value import SetTrackValue, value_of
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.daemon import Daemon
    from kvtui.actions.core.preflight import Preflight
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

    ReadText = Callable[[Keepalived, str], str]

FAULT = -254
DEFAULT_WEIGHT = 1


class TrackFileControl(Struct, frozen=True):
    """One track file as one instance tracks it."""

    name: str
    path: str
    weight: int
    value: int  # the number in it now; 0 also where it does not exist
    existed: bool
    shared: tuple[str, ...]  # other instances that track it too
    checked: tuple[str, ...] = ()  # real servers that have it as their FILE_CHECK: their weights follow it

    def fault_value(self) -> int:
        """Returns the smallest value that puts the instance into FAULT."""
        if self.weight == 0:
            return 1
        times = -(FAULT // abs(self.weight))  # rounded away from 0
        return -times if self.weight > 0 else times

    def step(self, daemon: Daemon, value: int) -> SetTrackValue:
        return SetTrackValue(daemon, self.path, self.value, value, existed=self.existed)


def track_file_controls(preflight: Preflight, instance: str, backend: ActionBackend) -> tuple[TrackFileControl, ...]:
    """Returns the track files of an instance, in the config that runs (else in the file); only those with a path."""
    conf = preflight.running or preflight.conf
    if conf is None:
        return ()
    files = {f.name: f for f in conf.track_files}
    tracking = {i.name: [t for t in i.tracks if t.kind == "file"] for i in conf.instances}
    found = []
    for track in tracking.get(instance, []):
        file = files.get(track.name)
        if file is None or file.path is None or _is_ignored(preflight, track.name):
            continue
        weight = next((w for w in (track.weight, file.weight) if w is not None), DEFAULT_WEIGHT)
        shared = tuple(n for n, tracks in tracking.items() if n != instance and track.name in {t.name for t in tracks})
        value, existed = read_number(backend.text, preflight.keepalived, file.path)
        checked = _checked(conf, track.name)
        found.append(TrackFileControl(track.name, file.path, weight, value, existed, shared, checked))
    return tuple(found)


def _checked(conf: Conf, name: str) -> tuple[str, ...]:
    found = (endpoint(*v.key_of(r)) for v in conf.virtual_servers for r in v.real_servers if r.file_check == name)
    return tuple(dict.fromkeys(found))


def _is_ignored(preflight: Preflight, name: str) -> bool:
    """Keepalived ignores a file that an instance tracks before it is defined (measured with 2.2.7)."""
    test = preflight.baseline or preflight.test
    return test is not None and any(f"track file {name} not found" in m.text for m in test.messages)


def read_number(read: ReadText, keepalived: Keepalived, path: str) -> tuple[int, bool]:
    """Returns the number in a track file, and whether the file exists."""
    try:
        return value_of(read(keepalived, path)), True
    except OSError:
        return 0, False
