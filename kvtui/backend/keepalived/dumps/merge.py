from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.model.vrrp import VrrpState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kvtui.model.vrrp import VrrpInstance


def merge(older: Iterable[VrrpInstance], newer: Iterable[VrrpInstance]) -> tuple[VrrpInstance, ...]:
    """Merges two dumps by instance name.

    The result has the newer dump's instances; a value that is None or empty there comes from the older dump. So JSON
    over text gives the JSON's state and counters with the text's master, peers, track files and sync group. The
    master, which only a BACKUP knows, is dropped in any other state.
    """
    before = {instance.name: instance for instance in older}
    return tuple(_merged(before[new.name], new) if new.name in before else new for new in newer)


def with_growth(
    before: Iterable[VrrpInstance], now: Iterable[VrrpInstance], read_at: float
) -> tuple[VrrpInstance, ...]:
    """Notes which counters grew since the dump before, and keeps when others last did."""
    known = {instance.name: instance for instance in before}
    return tuple(_grown(known.get(instance.name), instance, read_at) for instance in now)


def _grown(old: VrrpInstance | None, new: VrrpInstance, read_at: float) -> VrrpInstance:
    if old is None or not old.counters:
        return replace(new, counted_since=read_at if new.counters else None)
    counted = {name: read_at for name, number in new.counters.items() if number > old.counters.get(name, number)}
    return replace(new, grown={**old.grown, **counted}, counted_since=old.counted_since)


def _merged(old: VrrpInstance, new: VrrpInstance) -> VrrpInstance:
    gaps = {name: getattr(old, name) for name in new.__struct_fields__ if getattr(new, name) in (None, (), {})}
    if new.state is not VrrpState.BACKUP:
        gaps.pop("master_address", None)
        gaps.pop("master_priority", None)
    return replace(new, **gaps)
