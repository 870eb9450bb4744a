from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from kvtui.actions.core.plan import ActionKind


class CannotPlanError(Exception):
    """There is nothing to act on; the text says why, and what to do."""


class Intent(Struct, frozen=True):
    """One request.

    Attributes:
        target: real server (drain), instance (priority, failover), journal id (undo; empty: the newest); else empty.
        wait: seconds to wait until a drained server is empty; None does not wait.
        over: seconds over which a drain lowers the weight.
        use_track_file: change the priority by its track file, or by its config; None chooses.
        leave: leave things as they are and close the entry.
        keep: drain again by itself when something else undoes the drain.
        force: do what the plan calls unsafe, and run keepalived's program where it lacks a part of its confinement.
        no_try: do not try new and changed checks before a reload.
    """

    kind: ActionKind
    target: str = ""
    value: int = 0
    service: str | None = None
    wait: float | None = None
    over: float = 0.0
    fix_persistence: bool = False
    use_track_file: bool | None = None
    reset: bool = False
    finish: bool = False
    leave: bool = False
    no_try: bool = False
    keep: bool = False
    force: bool = False
