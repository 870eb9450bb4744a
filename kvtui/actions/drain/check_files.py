"""Track files of FILE_CHECKs: keepalived's own control of a weight, which outlives flaps and reloads.

Measured with 2.2.7: weight in the kernel = configured weight + number in the file × weight of the check, never below 0.
The check's weight is the track file's where it says none, and 1 where that says none either. With weight 0 any number
but 0 fails the check, which takes the real server out: no drain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.priority.track_files import DEFAULT_WEIGHT
from kvtui.actions.steps.check_value import Effect, SetCheckValue
from kvtui.actions.steps.track_value import SetTrackValue, value_of, write_number
from kvtui.actions.steps.weight import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kvtui.actions.core.network import Network
    from kvtui.actions.steps.weight import Target
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation

    Read = Callable[[Keepalived, str], str]


class Checked(Server, frozen=True):
    """One real server with a FILE_CHECK on the file; ``factor`` is the weight of the check."""

    configured: int
    factor: int

    def weight(self, value: int) -> int:
        """What the kernel has with a number in the file; of a check that has a weight."""
        return max(0, self.configured + value * self.factor)

    def changes(self, old: int, new: int) -> bool:
        return self.weight(old) != self.weight(new)


class CheckFileControl(Struct, frozen=True):
    """One track file that real servers have as FILE_CHECK.

    Attributes:
        value: the number in it now; 0 also where it is not there.
        checked: every real server that has it, those whose check has weight 0 too.
    """

    daemon: Daemon
    name: str
    path: str
    outside: str
    value: int
    existed: bool
    checked: tuple[Checked, ...]
    instances: tuple[str, ...] = ()

    def drains(self, targets: Iterable[Target]) -> int | None:
        """The number nearest to 0 with which these have weight 0; None when none does that to all of them."""
        wanted = set(targets)
        mine = [c for c in self.checked if c.target in wanted]
        values = [-(-c.configured // abs(c.factor)) * (-1 if c.factor > 0 else 1) for c in mine if c.factor]
        if len(values) < len(mine) or not values:
            return None
        low, high = min(values), max(values)
        return None if low < 0 < high else low if low < 0 else high

    def of(self, target: Target) -> Checked | None:
        return next((c for c in self.checked if c.target == target), None)

    def command(self, value: int) -> str:
        return write_number(value, self.outside)

    def step(self, network: Network, old: int, new: int, weights: Mapping[Target, int]) -> SetCheckValue:
        """The step that writes a number."""
        file = SetTrackValue(self.daemon, self.path, old, new, existed=self.existed or old != self.value)
        effects = tuple(
            # keepalived writes what changed in its own view: another's weight stays where nothing did
            Effect(c.service, c.real, weights[c.target], c.weight(new) if c.changes(old, new) else weights[c.target])
            for c in self.checked
            if c.factor and c.target in weights
        )
        return SetCheckValue(file, network, effects)


def check_file_controls(observation: Observation, read: Read) -> tuple[CheckFileControl, ...]:
    """The track files of FILE_CHECKs in the config that runs (else in the file), with the numbers in them."""
    conf = observation.snapshot.running or observation.snapshot.conf
    keepalived = observation.snapshot.chosen_keepalived
    if conf is None or keepalived is None:
        return ()
    found = []
    for file in conf.track_files:
        checked = _checked(conf, file.name, DEFAULT_WEIGHT if file.weight is None else file.weight)
        if not checked or file.path is None:
            continue
        value, existed = _value(keepalived, file.path, read)
        tracking = tuple(
            i.name for i in conf.instances if any(t.kind == "file" and t.name == file.name for t in i.tracks)
        )
        daemon, outside = Daemon.of(keepalived), keepalived.outside(file.path)
        found.append(CheckFileControl(daemon, file.name, file.path, outside, value, existed, checked, tracking))
    return tuple(found)


def _checked(conf: Conf, name: str, default: int) -> tuple[Checked, ...]:
    found = []
    for virtual in conf.virtual_servers:
        key = virtual.key
        for real in virtual.real_servers:
            if key is None or real.sorry or real.file_check != name:
                continue
            factor = default if real.file_check_weight is None else real.file_check_weight
            configured = real.initial_weight
            found.append(Checked(key, virtual.key_of(real), configured, factor))
    return tuple(found)


def _value(keepalived: Keepalived, path: str, read: Read) -> tuple[int, bool]:
    try:
        return value_of(read(keepalived, path)), True
    except OSError:
        return 0, False
