"""Another priority by way of the config: one line is rewritten, and keepalived reloads. And the way back."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kvtui.actions.core.plan import Change, Grade, Remark
from kvtui.actions.reload.plan import by_hand
from kvtui.actions.reload.plan import remarks as reload_remarks
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import HangUp, When
from kvtui.actions.checks.assess_reload import judge
from kvtui.backend.conf.editor import EditError, set_priority
from kvtui.model.record import dataclass
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.step import Step
    from kvtui.actions.checks.preflight import Survey
    from kvtui.model.conf import ConfInstance


@dataclass(frozen=True, slots=True)
class Reconfiguration:
    """A part of a plan.

    Attributes:
        steps: to be done in this order, and undone backwards; empty when it cannot be done, or nothing is to do.
        remarks: why not, and what to know.
        changes: what will be different.
        diff: of the file.
        by_hand: shell commands.
        before: priority in the file now; None when it has none.
    """

    steps: tuple[Step, ...] = ()
    remarks: tuple[Remark, ...] = ()
    changes: tuple[Change, ...] = ()
    diff: str = ""
    by_hand: tuple[str, ...] = ()
    before: int | None = None


def reconfiguration(survey: Survey, name: str, value: int) -> Reconfiguration:
    """Give the instance another priority in its file, and reload.

    Args:
        survey: of the config, made just now.
        name: of the instance.
        value: 1 to 255.
    """
    instance = next((i for i in (survey.conf.instances if survey.conf else ()) if i.name == name), None)
    if instance is None:
        conf = survey.keepalived.conf
        why = survey.trouble or f"{conf} on disk has no vrrp_instance {name}: it was edited since keepalived read it"
        return Reconfiguration(remarks=(Remark(Grade.IMPOSSIBLE, why),))
    path = (instance.priority_at or instance.at).file
    remarks = [*_obstacles(survey, path), *_pending(survey)]
    try:
        text = survey.site.text(survey.keepalived, path)
        edited = set_priority(text, name, value)
    except OSError as error:
        return _impossible(f"{path} cannot be read: {error.strerror or error}", remarks)
    except EditError as why:
        advice = "" if "by hand" in str(why) else ": change it where it comes from"
        return _impossible(f"{path}: {why}{advice}, then `kvtui reload`", remarks)
    remarks += _controller(survey, instance, value)
    daemon = Daemon.of(survey.keepalived)
    digests = tuple(c.digest for c in (survey.running, survey.conf) if c is not None)
    before = instance.priority or value
    steps: tuple[Step, ...] = (
        HangUp(daemon, When.UNDO, digests),
        ReplaceFile.plan(daemon, path, text, name, (before, value)),
        HangUp(daemon, When.DO, digests),
    )
    running = _running_priority(survey, name)
    if edited == text:
        steps = () if running == value else (HangUp(daemon, When.DO, shown=digests[-1], alone=True),)
    return Reconfiguration(
        steps=survey.site.steps(steps),
        remarks=tuple(remarks),
        changes=(Change(f"priority of {name}", str(before if running is None else running), str(value)),),
        diff=_diff(path, text, edited),
        by_hand=(f"set `priority {value}` in {path} (line {_line(instance)})", *by_hand(survey.keepalived)),
        before=instance.priority,
    )


def _impossible(why: str, remarks: list[Remark]) -> Reconfiguration:
    return Reconfiguration(remarks=(Remark(Grade.IMPOSSIBLE, why), *remarks))


def _line(instance: ConfInstance) -> int:
    return (instance.priority_at or instance.at).line


def _running_priority(survey: Survey, name: str) -> int | None:
    return next((i.priority for i in (survey.running.instances if survey.running else ()) if i.name == name), None)


def _diff(path: str, before: str, after: str) -> str:
    """Of the file as it is written, passwords masked."""
    old, new = before.splitlines(), after.splitlines()
    known = secrets_in(old)
    lines = difflib.unified_diff(old, new, path, path, lineterm="", n=2)
    return "".join(f"{masked(line, known)}\n" for line in lines)


def _obstacles(survey: Survey, path: str) -> Iterator[Remark]:
    why = survey.obstacle if path == survey.keepalived.conf else survey.site.obstacle(survey.keepalived, path)
    if why:
        yield Remark(Grade.IMPOSSIBLE, why)


def _pending(survey: Survey) -> Iterator[Remark]:
    """What is wrong with the file as it is, and what else the reload would bring in."""
    yield from (r for r in reload_remarks(survey, judge(survey)) if r.grade > Grade.NOTE)
    if survey.changed:
        yield Remark(
            Grade.WARNING,
            f"{survey.keepalived.conf} has other edits that do not run yet: this reload brings them in as well, and "
            "undo does not take those back (see them with `kvtui reload --dry-run`)",
        )


def _controller(survey: Survey, instance: ConfInstance, value: int) -> Iterator[Remark]:
    controller = survey.keepalived.controller
    if controller is None:
        return
    old = instance.priority if instance.priority is not None else "its own value"
    yield Remark(
        Grade.WARNING,
        f"{controller.name} ({controller.pid}) owns this file: its next sync writes priority {old} into it again, "
        f"without a reload. keepalived runs on with {value} until it is reloaded (the next sync that changes the "
        f"config, a hand-made SIGHUP) or restarted, and then has {old}",
    )
