"""The effective priority: the configured one, and what each track adds or takes; or why the instance is in FAULT.

A track without a weight is a condition: while it fails, the instance is in FAULT. With a positive weight it adds while
it succeeds, with a negative one it takes while it fails. A track file counts its number times the weight. ``reverse``
turns condition and sum round. 255 ignores all weights. The sum stays within 1 and 254.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct

from kvtui.model.vrrp import AddressFamily
from kvtui.rules.vrrp.settings import OWNER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kvtui.model.addresses import AddressTable
    from kvtui.rules.vrrp.settings import Settings

TrackKey = tuple[str, str]
"""Kind and name of a track."""
Result = bool | int
"""Whether it succeeds; of a track file its number."""
LOWEST, HIGHEST = 1, 254
FAULT_FROM = 254
"""A track file's number times its weight, from which on it means FAULT (negative)."""
MAX_DEDUCED = 6


class Effective(Struct, frozen=True):
    """What an election uses of an instance."""

    base: int
    parts: tuple[tuple[str, int], ...] = ()  # what counts now: the track's name, and what it adds
    fault: str = ""  # why the instance is in FAULT
    unknown: tuple[str, ...] = ()  # tracks whose result is unknown

    @property
    def priority(self) -> int | None:
        if self.unknown:
            return None
        if self.base == OWNER:
            return OWNER
        return max(LOWEST, min(HIGHEST, self.base + sum(number for _, number in self.parts)))

    @property
    def text(self) -> str:
        """``60 + 30 (chk) = 90``; the number alone if nothing is added."""
        if not self.parts or self.base == OWNER:
            return str(self.base)
        sums = "".join(f" {'+' if n >= 0 else '−'} {abs(n)} ({name})" for name, n in self.parts)
        return f"{self.base}{sums} = {self.priority if self.priority is not None else 'unknown'}"


def effective(settings: Settings, results: Mapping[TrackKey, Result | None]) -> Effective:
    parts: list[tuple[str, int]] = []
    unknown: list[str] = []
    fault = ""
    if settings.tracks_interface and results.get(("interface", settings.interface or "")) is False:
        fault = f"interface {settings.interface} is down"
    if results.get(("address", settings.interface or "")) is False and settings.unicast_source is None:
        fault = fault or f"interface {settings.interface} has no address"
    for track in settings.tracks:
        weight, result = track.weight or 0, results.get((track.kind, track.name))
        sign = -1 if track.reverse else 1
        if result is None:
            unknown.append(track.name)
        elif track.kind == "file":
            number = int(result) * weight * sign
            if (not weight and result) or number <= -FAULT_FROM:
                fault = fault or f"track file {track.name} has {int(result)}"
            elif number:
                parts.append((track.name, number))
        elif not weight and bool(result) is bool(track.reverse):
            words = ("is down", "is up") if track.kind == "interface" else ("fails", "succeeds")
            fault = fault or f"{track.kind} {track.name} {words[bool(result)]}{' (reverse)' if track.reverse else ''}"
        elif (weight > 0 and result) or (weight < 0 and not result):
            parts.append((track.name, weight * sign))
    return Effective(settings.priority, tuple(parts), fault, () if fault else tuple(unknown))


def interface_results(addresses: AddressTable | None, settings: Settings) -> dict[TrackKey, Result | None]:
    if addresses is None:
        return {}
    up = {i.name: i.up and i.running for i in addresses.interfaces}
    names = {settings.interface or "", *(t.name for t in settings.tracks if t.kind == "interface")}
    found: dict[TrackKey, Result | None] = {("interface", name): up[name] for name in names if name in up}
    six = settings.family is AddressFamily.V6
    if settings.interface in up:
        found["address", settings.interface or ""] = any(
            a.interface == settings.interface
            and (":" in a.address) is six
            and a.address not in settings.held
            and (not six or a.scope == "link")
            for a in addresses.addresses
        )
    return found


def deduced(
    settings: Settings, priority: int | None, results: Mapping[TrackKey, Result | None], *, in_fault: bool
) -> dict[TrackKey, Result | None]:
    """Returns what the running instance's effective priority says of tracks whose result is not known.

    A track without a weight succeeds while the instance is not in FAULT.
    """
    found = dict(results)
    open_tracks = [t for t in settings.tracks if found.get((t.kind, t.name)) is None]
    if not in_fault:
        found |= {(t.kind, t.name): (0 if t.kind == "file" else not t.reverse) for t in open_tracks if not t.weight}
    weighted = [(t.kind, t.name) for t in open_tracks if t.weight and t.kind != "file"]
    if priority is None or in_fault or not weighted or len(weighted) > MAX_DEDUCED or settings.priority == OWNER:
        return found
    combinations = (dict(zip(weighted, tried, strict=True)) for tried in product((True, False), repeat=len(weighted)))
    fits = [tried for tried in combinations if effective(settings, found | tried).priority == priority]
    for key in weighted:
        answers = {tried[key] for tried in fits}
        if len(answers) == 1:  # all fitting combinations agree
            found[key] = answers.pop()
    return found
