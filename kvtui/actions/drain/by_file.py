"""Drain by the track file of a FILE_CHECK, not by a weight in the kernel: it outlives flaps, reloads and restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.actions.core.plan import Change, Note, NoteSeverity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kvtui.actions.drain.active_drains import Drain
    from kvtui.actions.drain.check_files import Checked, CheckFileControl
    from kvtui.actions.drain.targets import Target
    from kvtui.model.ipvs import ServiceKey
    from kvtui.model.observation import Observation

    Key = tuple[ServiceKey, tuple[str, int]]


class ByFile(Struct, frozen=True):
    """A number to write, and whom it is for."""

    control: CheckFileControl
    value: int
    targets: tuple[Target, ...]

    @property
    def change(self) -> Change:
        return Change(f"track file {self.control.name} ({self.control.path})", str(self.control.value), str(self.value))

    @property
    def outlives(self) -> str:
        names = ", ".join(t.name for t in self.targets)
        return (
            f"{names} stays drained through reloads, restarts of keepalived and health checks that fail and pass "
            f"again, as long as {self.control.path} has {self.value} (a file inside a container is lost with it)"
        )

    def weight(self, target: Target) -> int:
        checked = self.control.of(key(target))
        return checked.weight(self.value) if checked else target.real.weight

    def notes(self) -> Iterator[Note]:
        mine = {key(t) for t in self.targets}
        others = [c for c in self.control.checked if c.target not in mine]
        changed = [c for c in others if c.factor and c.changes(self.control.value, self.value)]
        shared = f"share track file {self.control.name}"
        if changed:
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


def key(target: Target) -> Key:
    return (target.virtual.key, target.real.key)


def kernel_weights(observation: Observation) -> dict[Key, int]:
    table = observation.snapshot.ipvs
    return {(v.key, r.key): r.weight for v in (table.virtual_servers if table else ()) for r in v.real_servers}


def to_drain(controls: Sequence[CheckFileControl], todo: Sequence[Target]) -> tuple[ByFile, ...]:
    """Where a file can drain, and the number that does it. The others have to be drained in the kernel."""
    found = []
    for control in controls:
        # one whom the number drains already was changed in the kernel by hand: there it must be drained
        mine = tuple(t for t in todo if (c := control.of(key(t))) and (not c.factor or c.weight(control.value)))
        value = control.drains(key(t) for t in mine)
        if value is not None:
            found.append(ByFile(control, value, mine))
    return tuple(found)


def to_undrain(
    controls: Sequence[CheckFileControl], targets: Sequence[Target], drains: Mapping[Key, Drain]
) -> tuple[ByFile, ...]:
    """Where it is the file that drains: the number before the drain, as journaled, else 0."""
    found = []
    for control in controls:
        mine = tuple(t for t in targets if t.real.weight == 0 and _is_drained_by(control, control.of(key(t))))
        if mine:
            found.append(ByFile(control, _number_before(control, mine, drains), mine))
    return tuple(found)


def _is_drained_by(control: CheckFileControl, checked: Checked | None) -> bool:
    return checked is not None and bool(checked.factor) and not checked.weight(control.value) and checked.configured > 0


def _number_before(control: CheckFileControl, targets: Sequence[Target], drains: Mapping[Key, Drain]) -> int:
    for target in targets:
        drain, checked = drains.get(key(target)), control.of(key(target))
        if drain and checked and drain.check and drain.check.file.path == control.path:
            before = drain.check.file.before
            if checked.weight(before):
                return before
    return 0
