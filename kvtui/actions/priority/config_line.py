"""Changes a priority in the config: one line, and a reload."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from kvtui.actions.core.assess_reload import assess_reload
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.plan import Note, NoteSeverity, PlannedChange, PlanPart
from kvtui.actions.reload.plan import outside_notes, reload_commands, reload_notes
from kvtui.actions.steps.file import ReplaceFile
from kvtui.actions.steps.reload import ReloadStep, TestBefore, When
from kvtui.backend.conf.editor import EditError, set_priority
from kvtui.model.secrets import masked, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.model.conf import Conf, ConfInstance


def change_config_line(preflight: Preflight, name: str, value: int, backend: ActionBackend) -> PlanPart:
    keepalived = preflight.keepalived
    instance = find_instance(preflight.conf, name)
    if instance is None:
        edited_since = f"{keepalived.conf} on disk has no vrrp_instance {name}: it was edited since keepalived read it"
        return _impossible(preflight.error or edited_since)
    at = instance.priority_at or instance.at
    path = at.file
    obstacle = preflight.obstacle if path == keepalived.conf else backend.obstacle(keepalived, path)
    notes = [*([Note(NoteSeverity.IMPOSSIBLE, obstacle)] if obstacle else []), *_pending(preflight)]
    try:
        text = backend.text(keepalived, path)
        edited = set_priority(text, name, value)
    except OSError as error:
        return _impossible(f"{path} cannot be read: {error.strerror or error}", notes)
    except EditError as why:
        advice = "" if "by hand" in str(why) else ": change it where it comes from"
        return _impossible(f"{path}: {why}{advice}, then `kvtui reload`", notes)
    notes += _overwriting_controller(preflight, instance, value)
    daemon = Daemon.of(keepalived)
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
        changes=(PlannedChange(f"priority of {name}", str(before if running is None else running), str(value)),),
        diff=_diff(path, text, edited),
        equivalent_commands=(
            f"set `priority {value}` in {path} (line {at.line})",
            *reload_commands(keepalived),
        ),
    )


def find_instance(conf: Conf | None, name: str) -> ConfInstance | None:
    return conf.instance(name) if conf else None


def _impossible(why: str, notes: Iterable[Note] = ()) -> PlanPart:
    return PlanPart(notes=(Note(NoteSeverity.IMPOSSIBLE, why), *notes))


def _diff(path: str, before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    known = secrets_in(old)
    lines = difflib.unified_diff(old, new, path, path, lineterm="", n=2)
    return "".join(f"{masked(line, known)}\n" for line in lines)


def _pending(preflight: Preflight) -> Iterator[Note]:
    """Yields the problems of the file as it is, and what else the reload would apply."""
    notes = reload_notes(preflight, assess_reload(preflight))
    yield from (n for n in notes if n.severity > NoteSeverity.NOTE)
    yield from outside_notes(preflight)
    if preflight.changed:
        yield Note(
            NoteSeverity.WARNING,
            f"{preflight.keepalived.conf} has other edits that do not run yet: this reload applies them too, and undo "
            "does not revert them (see them with `kvtui reload --dry-run`)",
        )


def _overwriting_controller(preflight: Preflight, instance: ConfInstance, value: int) -> Iterator[Note]:
    if controller := preflight.keepalived.controller:
        old = instance.priority if instance.priority is not None else "its own value"
        yield Note(
            NoteSeverity.WARNING,
            f"{controller.name} ({controller.pid}) owns this file: its next sync writes priority {old} again, without "
            f"a reload. keepalived runs with {value} until the next reload (a sync that changes the config, or a "
            f"manual SIGHUP) or restart, and then with {old}",
        )
