"""Drains by the track file of a FILE_CHECK: keepalived's own control of a weight, which outlives flaps and reloads.

Measured with 2.2.7: weight in the kernel = configured weight + number in the file × weight of the check, never below 0.
The check's weight is the track file's where it has none, and 1 where that has none either. With weight 0 any number but
0 fails the check, which takes the real server out: no drain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import Note, NoteSeverity, PlannedChange
from kvtui.actions.priority.track_files import DEFAULT_WEIGHT, read_number
from kvtui.actions.steps.check_value import Effect, SetCheckValue
from kvtui.actions.steps.track_value import SetTrackValue, write_number
from kvtui.actions.steps.weight import Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kvtui.actions.core.network import Network
    from kvtui.actions.drain.active_drains import Drain
    from kvtui.actions.drain.targets import DrainTarget
    from kvtui.actions.priority.track_files import ReadText
    from kvtui.model.conf import Conf
    from kvtui.model.ipvs import DestinationKey
    from kvtui.model.observation import Observation


class Checked(Server, frozen=True):
    """One real server with a FILE_CHECK on the file; ``factor`` is the weight of the check."""

    configured: int
    factor: int

    def weight(self, value: int) -> int:
        """Returns the weight in the kernel for a number in the file; only for a check that has a weight."""
        return max(0, self.configured + value * self.factor)

    def changes(self, old: int, new: int) -> bool:
        return self.weight(old) != self.weight(new)


class CheckFileControl(Struct, frozen=True):
    """One track file that real servers have as FILE_CHECK."""

    daemon: Daemon
    name: str
    path: str
    outside: str
    value: int  # the number in it now; 0 also where it does not exist
    existed: bool
    checked: tuple[Checked, ...]  # every real server that has it, those whose check has weight 0 too
    instances: tuple[str, ...] = ()

    def drains(self, targets: Iterable[DestinationKey]) -> int | None:
        """Returns the number nearest to 0 with which these have weight 0; None when none does that to all of them."""
        wanted = set(targets)
        mine = [c for c in self.checked if c.target in wanted]
        values = [-(-c.configured // abs(c.factor)) * (-1 if c.factor > 0 else 1) for c in mine if c.factor]
        if len(values) < len(mine) or not values:
            return None
        low, high = min(values), max(values)
        return None if low < 0 < high else low if low < 0 else high

    def of(self, target: DestinationKey) -> Checked | None:
        return next((c for c in self.checked if c.target == target), None)

    def step(self, network: Network, old: int, new: int, weights: Mapping[DestinationKey, int]) -> SetCheckValue:
        file = SetTrackValue(self.daemon, self.path, old, new, existed=self.existed or old != self.value)
        effects = tuple(
            # keepalived writes what changed in its own view: another's weight stays where nothing did
            Effect(c.service, c.real, weights[c.target], c.weight(new) if c.changes(old, new) else weights[c.target])
            for c in self.checked
            if c.factor and c.target in weights
        )
        return SetCheckValue(file, network, effects)


def check_file_controls(observation: Observation, read: ReadText) -> tuple[CheckFileControl, ...]:
    """Returns the track files of FILE_CHECKs in the config that runs (else in the file), with the numbers in them."""
    conf, keepalived = observation.snapshot.effective_conf, observation.snapshot.chosen_keepalived
    if conf is None or keepalived is None:
        return ()
    found = []
    for file in conf.track_files:
        checked = _checked(conf, file.name, DEFAULT_WEIGHT if file.weight is None else file.weight)
        if not checked or file.path is None:
            continue
        value, existed = read_number(read, keepalived, file.path)
        tracking = tuple(
            i.name for i in conf.instances if any(t.kind == "file" and t.name == file.name for t in i.tracks)
        )
        daemon, outside = Daemon.of(keepalived), keepalived.outside(file.path)
        found.append(CheckFileControl(daemon, file.name, file.path, outside, value, existed, checked, tracking))
    return tuple(found)


def _checked(conf: Conf, name: str, default: int) -> tuple[Checked, ...]:
    return tuple(
        Checked(
            key,
            virtual.key_of(real),
            real.initial_weight,
            default if real.file_check_weight is None else real.file_check_weight,
        )
        for virtual in conf.virtual_servers
        if (key := virtual.key) is not None
        for real in virtual.real_servers
        if not real.sorry and real.file_check == name
    )


class ByFile(Struct, frozen=True):
    """A number to write, and the real servers that it is for."""

    control: CheckFileControl
    value: int
    targets: tuple[DrainTarget, ...]

    @property
    def change(self) -> PlannedChange:
        return PlannedChange(
            f"track file {self.control.name} ({self.control.path})", str(self.control.value), str(self.value)
        )

    @property
    def command(self) -> str:
        return write_number(self.value, self.control.outside)

    @property
    def outlives(self) -> str:
        names = ", ".join(t.name for t in self.targets)
        return (
            f"{names} stays drained through reloads, restarts of keepalived and health checks that fail and pass "
            f"again, as long as {self.control.path} has {self.value} (a file inside a container is lost with it)"
        )

    def weight(self, target: DrainTarget) -> int:
        checked = self.control.of(target.key)
        return checked.weight(self.value) if checked else target.real.weight

    def notes(self) -> Iterator[Note]:
        mine = {t.key for t in self.targets}
        others = [c for c in self.control.checked if c.target not in mine]
        shared = f"share track file {self.control.name}"
        if changed := [c for c in others if c.factor and c.changes(self.control.value, self.value)]:
            names = ", ".join(f"{c.name} (to weight {c.weight(self.value)})" for c in changed)
            does = "are drained too" if not any(c.weight(self.value) for c in changed) else "change too"
            yield Note(NoteSeverity.WARNING, f"{names} {shared}, so they {does}")
        cut = [c.name for c in others if not c.factor]
        if cut and self.value:
            yield Note(
                NoteSeverity.UNSAFE,
                f"{', '.join(cut)} {shared} with weight 0, so their check fails: keepalived removes them, which cuts "
                "their connections",
            )
        if self.control.instances:
            names = ", ".join(self.control.instances)
            text = f"VRRP instances {names} {shared}: their priority changes, which may move VIPs"
            yield Note(NoteSeverity.UNSAFE, text)


def kernel_weights(observation: Observation) -> dict[DestinationKey, int]:
    table = observation.snapshot.ipvs
    return {(v.key, r.key): r.weight for v in (table.virtual_servers if table else ()) for r in v.real_servers}


def to_drain(controls: Sequence[CheckFileControl], todo: Sequence[DrainTarget]) -> tuple[ByFile, ...]:
    """Returns the files that can drain, with the number; all other real servers have to be drained in the kernel."""
    found = []
    for control in controls:
        # one that the number drains already was changed in the kernel by hand: there it must be drained
        mine = tuple(t for t in todo if (c := control.of(t.key)) and (not c.factor or c.weight(control.value)))
        value = control.drains(t.key for t in mine)
        if value is not None:
            found.append(ByFile(control, value, mine))
    return tuple(found)


def to_undrain(
    controls: Sequence[CheckFileControl], targets: Sequence[DrainTarget], drains: Mapping[DestinationKey, Drain]
) -> tuple[ByFile, ...]:
    """Returns the files that drain now, with the number before the drain, as journaled, else 0."""
    drained = [t for t in targets if t.real.weight == 0]
    found = [(control, tuple(t for t in drained if _drains_now(control, t))) for control in controls]
    return tuple(ByFile(control, _number_before(control, mine, drains), mine) for control, mine in found if mine)


def _drains_now(control: CheckFileControl, target: DrainTarget) -> bool:
    checked = control.of(target.key)
    return checked is not None and checked.factor != 0 and checked.weight(control.value) == 0 < checked.configured


def _number_before(
    control: CheckFileControl, targets: Sequence[DrainTarget], drains: Mapping[DestinationKey, Drain]
) -> int:
    for target in targets:
        drain, checked = drains.get(target.key), control.of(target.key)
        if drain and checked and drain.check and drain.check.file.path == control.path:
            before = drain.check.file.before
            if checked.weight(before):
                return before
    return 0
