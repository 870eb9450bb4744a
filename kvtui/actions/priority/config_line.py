"""Changes a priority in the config: rewrites one line, and reloads keepalived."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kvtui.actions.core.assess_reload import assess_reload
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import Change, Note, NoteSeverity, PlanPart
from kvtui.actions.reload.plan import outside_notes, reload_commands, reload_notes
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep, TestBefore, When
from kvtui.backend.conf.editor import EditError, set_priority
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.model.conf import Conf, ConfInstance


def change_config_line(preflight: Preflight, name: str, value: int, backend: ActionBackend) -> PlanPart:
    """Returns how to give the instance another priority in its file."""
    conf = preflight.keepalived.conf
    instance = find_instance(preflight.conf, name)
    if instance is None:
        why = preflight.error or f"{conf} on disk has no vrrp_instance {name}: it was edited since keepalived read it"
        return PlanPart().with_note(NoteSeverity.IMPOSSIBLE, why)
    at = instance.priority_at or instance.at
    path = at.file
    notes = [*_obstacles(preflight, path, backend), *_pending(preflight)]
    try:
        text = backend.text(preflight.keepalived, path)
        edited = set_priority(text, name, value)
    except OSError as error:
        return _impossible(f"{path} cannot be read: {error.strerror or error}", notes)
    except EditError as why:
        advice = "" if "by hand" in str(why) else ": change it where it comes from"
        return _impossible(f"{path}: {why}{advice}, then `kvtui reload`", notes)
    notes += _controller(preflight, instance, value)
    daemon = Daemon.of(preflight.keepalived)
    digests = tuple(c.digest for c in (preflight.running, preflight.conf) if c is not None)
    before, test = instance.priority or value, TestBefore.as_planned(preflight)
    steps: tuple[Step, ...] = (
        ReloadStep(daemon, When.UNDO, digests, test=test),
        ReplaceFile.plan(daemon, path, text, name, (before, value)),
        ReloadStep(daemon, When.DO, digests, test=test),
    )
    running_instance = find_instance(preflight.running, name)
    running = running_instance.priority if running_instance else None
    if edited == text:
        last = ReloadStep(daemon, When.DO, shown=digests[-1], alone=True, test=test)
        steps = () if running == value else (last,)
    return PlanPart(
        steps=backend.steps(steps),
        notes=tuple(notes),
        changes=(Change(f"priority of {name}", str(before if running is None else running), str(value)),),
        diff=_diff(path, text, edited),
        equivalent_commands=(
            f"set `priority {value}` in {path} (line {at.line})",
            *reload_commands(preflight.keepalived),
        ),
    )


def find_instance(conf: Conf | None, name: str) -> ConfInstance | None:
    return next((i for i in (conf.instances if conf else ()) if i.name == name), None)


def _impossible(why: str, notes: list[Note]) -> PlanPart:
    return PlanPart(notes=(Note(NoteSeverity.IMPOSSIBLE, why), *notes))


def _diff(path: str, before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    known = secrets_in(old)
    lines = difflib.unified_diff(old, new, path, path, lineterm="", n=2)
    return "".join(f"{masked(line, known)}\n" for line in lines)


def _obstacles(preflight: Preflight, path: str, backend: ActionBackend) -> Iterator[Note]:
    keepalived = preflight.keepalived
    if why := preflight.obstacle if path == keepalived.conf else backend.obstacle(keepalived, path):
        yield Note(NoteSeverity.IMPOSSIBLE, why)


def _pending(preflight: Preflight) -> Iterator[Note]:
    """What is wrong with the file as it is, and what else the reload would bring in."""
    notes = reload_notes(preflight, assess_reload(preflight))
    yield from (n for n in notes if n.severity > NoteSeverity.NOTE)
    yield from outside_notes(preflight)
    if preflight.changed:
        yield Note(
            NoteSeverity.WARNING,
            f"{preflight.keepalived.conf} has other edits that do not run yet: this reload applies them too, and undo "
            "does not revert them (see them with `kvtui reload --dry-run`)",
        )


def _controller(preflight: Preflight, instance: ConfInstance, value: int) -> Iterator[Note]:
    controller = preflight.keepalived.controller
    if controller is None:
        return
    old = instance.priority if instance.priority is not None else "its own value"
    yield Note(
        NoteSeverity.WARNING,
        f"{controller.name} ({controller.pid}) owns this file: its next sync writes priority {old} again, without a "
        f"reload. keepalived runs with {value} until the next reload (a sync that changes the config, or a manual "
        f"SIGHUP) or restart, and then with {old}",
    )
