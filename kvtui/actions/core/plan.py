"""What an action will do, why it is or is not safe, and what will happen: shown before anything is written."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from kvtui.model.record import dataclass


class Verb(StrEnum):
    """What an operator can ask for."""

    RELOAD = "reload"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    PRIORITY = "priority"
    FAILOVER = "failover"
    UNDO = "undo"


class Grade(IntEnum):
    """How much a remark weighs."""

    NOTE = 0
    WARNING = 1
    UNSAFE = 2
    """Refused unless --force is given."""
    IMPOSSIBLE = 3
    """Refused always: it cannot be done, or would break something for sure."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something the operator has to know before agreeing."""

    grade: Grade
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that will be different."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan; pure data.

    Attributes:
        verb: what was asked for.
        target: of what: a real server, an instance, a config file.
        summary: one line.
        changes: what will be different afterwards.
        steps: what will be done, in order, in words.
        effects: what will happen on the wire and to clients, with times.
        remarks: warnings and refusals.
        diff: unified diff of a config, empty when there is none.
        by_hand: shell commands that would do the same.
    """

    verb: Verb
    target: str
    summary: str
    changes: tuple[Change, ...] = ()
    steps: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    diff: str = ""
    by_hand: tuple[str, ...] = ()

    def refusal(self, *, force: bool) -> str | None:
        """Why it must not be done; None when it may.

        Args:
            force: the operator accepts what is unsafe.
        """
        limit = Grade.IMPOSSIBLE if force else Grade.UNSAFE
        reasons = [r.text for r in self.remarks if r.grade >= limit]
        if not reasons:
            return None
        forceable = not force and all(r.grade <= Grade.UNSAFE for r in self.remarks)
        return "; ".join(reasons) + (" (--force does it all the same)" if forceable else "")
