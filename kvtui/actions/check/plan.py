"""Plans one run of the checks that a name stands for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.actions.core.intent import CannotPlanError, Intent
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan
from kvtui.actions.core.preflight import Scope
from kvtui.actions.core.runner import Action, Verification, Verify
from kvtui.model.check import SCRIPT, Check
from kvtui.model.text import shell_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.definition import PlanRequest
    from kvtui.backend.checks.runner import Prospect
    from kvtui.backend.config_test import ConfigMessage
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived

REFUSAL = re.compile(
    r"^(?!.*\btrack script\b).*(removing|disabling|not found|does not exist|not executable|inaccessible)"
)
MAX_NAMES = 12
"""Names that an error lists."""


def plan_check(request: PlanRequest) -> Action:
    """Blocking. Raises CannotPlanError where no check has this name; the text lists names."""
    keepalived, backend, snapshot = request.keepalived(), request.backend, request.observation.snapshot
    running = backend.running_conf(keepalived) or snapshot.running
    conf = running or snapshot.conf
    if conf is None:
        raise CannotPlanError("keepalived's config cannot be read: run kvtui as root")
    checks, notes = _find(request.intent, running, snapshot.conf)
    test = backend.run_preflight(keepalived, force=request.intent.force, scope=Scope.TESTED).test
    prospects: list[Prospect] = []
    others: dict[str, None] = {}
    for check in checks:
        texts = list(_about(check, test.messages if test else ()))
        refusals = [text for text in texts if REFUSAL.search(text)]
        others |= dict.fromkeys(text for text in texts if text not in refusals)
        prospect = backend.prospect(keepalived, check, conf.globals)
        prospects.append(replace(prospect, problems=(*prospect.problems, *refusals)))
    notes = (*notes, *(Note(NoteSeverity.WARNING, f"keepalived -t says: {text}") for text in others))
    plan = Plan(
        kind=ActionKind.CHECK,
        target=request.intent.target,
        summary=f"run {', '.join(c.title for c in checks)} once, as keepalived runs it; nothing is changed",
        steps=tuple(_step(p) for p in prospects),
        effects=tuple(dict.fromkeys(text for c in checks if (text := _effect(c)))),
        notes=(*notes, *(note for p in prospects for note in _notes(p))),
        equivalent_commands=tuple(text for p in prospects if (text := _by_hand(p))),
    )
    return Action(plan, (), _runner_of(keepalived, prospects, backend), asks=True)


def _about(check: Check, messages: tuple[ConfigMessage, ...]) -> Iterator[str]:
    """Yields what ``keepalived -t`` says of a script: it knows its own rules best."""
    names = {check.name, *check.argv[:1]} if check.is_script else set()
    for message in messages:
        if any(re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", message.text) for name in names):
            yield str(message)


def _find(intent: Intent, running: Conf | None, saved: Conf | None) -> tuple[tuple[Check, ...], tuple[Note, ...]]:
    """Looks in the config that runs, then in the file."""
    for conf in (running, saved):
        found = tuple(c for c in (conf.checks if conf else ()) if _is_meant(c, intent))
        if found:
            new = running is not None and conf is saved
            note = Note(NoteSeverity.WARNING, "only the file has it: keepalived does not run it before a reload")
            return found, (note,) if new else ()
    known = dict.fromkeys(c.name for conf in (running, saved) if conf for c in conf.checks)
    more = f" and {len(known) - MAX_NAMES} more" if len(known) > MAX_NAMES else ""
    names = ", ".join(list(known)[:MAX_NAMES]) + more
    raise CannotPlanError(f"no check {intent.target}: the config has {names or 'no vrrp_script and no health check'}")


def _is_meant(check: Check, intent: Intent) -> bool:
    if intent.service is not None and check.service != intent.service:
        return False
    if check.kind == SCRIPT:
        return check.name == intent.target
    return intent.target in {check.name, check.name.rpartition(":")[0].strip("[]"), check.name.rpartition(":")[0]}


def _step(prospect: Prospect) -> str:
    check, identity = prospect.check, prospect.identity
    if not check.is_script:
        return f"{check.kind} to {check.address} port {check.port} from keepalived's network namespace"
    command = shell_command(check.argv)
    who = f" as {identity.user} (uid {identity.uid}, gid {identity.gid})" if identity else ""
    return f"run {command}{who} in keepalived's namespaces, at most {check.timeout:g} s"


def _effect(check: Check) -> str:
    if check.kind == SCRIPT:
        return f"where it fails, keepalived: {check.consequence}" if check.consequence else "no instance tracks it"
    return f"where it fails, keepalived {check.consequence} {check.name}"


def _notes(prospect: Prospect) -> Iterator[Note]:
    if prospect.refused:
        yield Note(NoteSeverity.IMPOSSIBLE, prospect.refused)
    for problem in prospect.problems:
        yield Note(NoteSeverity.WARNING, f"keepalived cannot run it: {problem}")
    if prospect.unsafe:
        yield Note(NoteSeverity.UNSAFE, prospect.unsafe)
    if prospect.program and prospect.program.insecure and not prospect.problems:
        risk = f"users other than root may change {prospect.program.insecure}, and it runs as root"
        yield Note(NoteSeverity.WARNING, f"{risk}: with enable_script_security keepalived would refuse it")
    for difference in prospect.differences:
        yield Note(NoteSeverity.NOTE, difference)


def _by_hand(prospect: Prospect) -> str:
    identity, program = prospect.identity, prospect.program
    if identity is None or program is None or program.path is None:
        return ""
    inside = ["nsenter", "-t", str(identity.process), "-m", "-p", "-n", "-i", "-u", "-r", "-w"]
    who = ["-S", str(identity.uid), "-G", str(identity.gid)] if identity.uid else []
    words = [*inside, *who, "env", "-i", f"PATH={identity.path}", program.path, *prospect.check.argv[1:]]
    return shell_command(["timeout", f"{prospect.check.timeout:g}", *words])


def _runner_of(keepalived: Keepalived, prospects: Sequence[Prospect], backend: ActionBackend) -> Verify:
    async def run(say: Callable[[str], None]) -> Verification:
        """Runs the checks one after the other, and says what each printed."""
        results = []
        for prospect in prospects:
            result = await backend.run_check(keepalived, prospect)
            for line in result.output.splitlines():
                say(f"output: {line}")
            results.append(result)
        passed = [r.passed for r in results]
        ok = False if False in passed else None if None in passed else True
        rows = [
            {
                "check": r.check.title,
                "passed": r.passed,
                "detail": r.detail,
                "exit_code": r.exit_code,
                "seconds": round(r.seconds, 3),
                "output": r.output,
            }
            for r in results
        ]
        return Verification(ok, "; ".join(f"{r.sentence} ({r.seconds:.1f} s)" for r in results), {"checks": rows})

    return run
