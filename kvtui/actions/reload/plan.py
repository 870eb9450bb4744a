"""Plans ``kvtui reload``: what the config on disk changes, and what of it is not safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.actions.core.assess_reload import ReloadAssessment, assess_reload
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, PlannedChange, described
from kvtui.actions.core.runner import Action
from kvtui.actions.core.trial import trial_notes
from kvtui.actions.reload.verifier import ReloadVerifier, configured_weights, weights
from kvtui.actions.steps.reload import ReloadStep, TestBefore, When
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.model.check import SCRIPT, CheckResult
from kvtui.model.text import shell_command
from kvtui.rules.servers.consequence import server_consequences
from kvtui.rules.vrrp.consequences import Change, consequences
from kvtui.rules.vrrp.prediction_text import sentences
from kvtui.rules.vrrp.settings import compares_vips, must_be_equal, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.model.conf import Conf
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Prediction
    from kvtui.rules.vrrp.consequence import Consequence

UNREADABLE = "the config that runs cannot be read (keepalived before 2.2.0, or no permission)"
SHOWN = 6
"""Warnings of one kind that are shown in full."""


def plan_reload(
    observation: Observation,
    preflight: Preflight,
    watch: Watch,
    backend: ActionBackend,
    tried: tuple[CheckResult, ...] = (),
) -> Action:
    """Returns the plan to reload keepalived with its config as it is on disk now; ``tried`` are its new checks."""
    keepalived = preflight.keepalived
    steps = _steps(preflight, backend)
    scripts = {("script", r.check.name): r for r in tried if r.check.kind == SCRIPT}
    results = {key: r.passed for key, r in scripts.items() if r.passed is not None}
    disabled = frozenset(key for key, r in scripts.items() if r.disabled)
    expected = consequences(observation, Change(preflight.running, preflight.conf, results, disabled=disabled))
    predictions = tuple(c.prediction for c in expected)
    what = "no difference from what runs" if preflight.changed is False else "the config on disk takes effect"
    plan = Plan(
        kind=ActionKind.RELOAD,
        target=keepalived.conf,
        summary=f"reload keepalived {keepalived.pid} with {keepalived.conf}: {what}",
        changes=tuple(changes(preflight.running, preflight.conf)),
        steps=described(steps),
        effects=_effects(observation, preflight, predictions),
        notes=(
            *trial_notes(tried),
            *reload_notes(preflight, assess_reload(preflight)),
            *outside_notes(preflight),
            *_mismatch_notes(observation, preflight, expected),
            *_drain_notes(observation, preflight),
            *_undo_note(steps, preflight),
        ),
        diff=preflight.diff(),
        equivalent_commands=reload_commands(keepalived),
        prediction=predictions,
    )
    verifier = ReloadVerifier(observation, preflight, watch, backend, expected)
    return Action(plan, backend.steps(steps), verifier, vips=HeldVips.of(observation, backend))


def _steps(preflight: Preflight, backend: ActionBackend) -> tuple[Step, ...]:
    """Keeps what runs for an undo, where that can be read and something else comes."""
    keepalived = preflight.keepalived
    daemon, shown = Daemon.of(keepalived), preflight.conf.digest if preflight.conf else None
    test = TestBefore.as_planned(preflight)
    if preflight.changed and preflight.running is not None and shown is not None and preflight.obstacle is None:
        ran = preflight.running.digest
        there = ReloadStep(daemon, When.DO, (ran,), shown, test=test)
        kept = backend.kept_config(keepalived, ran, shown, lambda: there.sent)
        if kept is not None:
            return (ReloadStep(daemon, When.UNDO, (ran,), test=test), kept, there)
    return (ReloadStep(daemon, When.DO, shown=shown, alone=True, test=test),)


def _effects(observation: Observation, preflight: Preflight, predictions: tuple[Prediction, ...]) -> tuple[str, ...]:
    """What happens to traffic: instances, then virtual servers."""
    servers = tuple(server_consequences(preflight.running, preflight.conf, observation.snapshot.ipvs))
    if not servers and preflight.changed is not None:
        servers = ("virtual servers: nothing changes; weights set in the kernel stay",)
    return (*sentences(predictions), *servers)


def _undo_note(steps: tuple[Step, ...], preflight: Preflight) -> Iterator[Note]:
    if len(steps) == 1 and preflight.changed is not False:
        why = preflight.obstacle or UNREADABLE
        yield Note(NoteSeverity.NOTE, f"`kvtui undo` cannot undo this reload: {why}")


def reload_commands(keepalived: Keepalived) -> tuple[str, ...]:
    config_id = parse_arguments(keepalived.argv).config_id
    program = keepalived.argv[0] if keepalived.argv else "keepalived"
    test = shell_command([program, "-t", "-f", keepalived.conf, *(["-i", config_id] if config_id else [])])
    inside = f"nsenter -t {keepalived.pid} -m -p -n -r " if keepalived.root else ""
    return (inside + test, f"kill -HUP {keepalived.pid}")


def reload_notes(preflight: Preflight, assessment: ReloadAssessment) -> Iterator[Note]:
    """Yields what the config test and kvtui's own parser found, worst first."""
    yield from (Note(NoteSeverity.IMPOSSIBLE, text) for text in _some(assessment.fatal))
    yield from (Note(NoteSeverity.UNSAFE, text) for text in _some(assessment.unsafe))
    if preflight.test_error:
        severity = NoteSeverity.UNSAFE if preflight.changed is not False else NoteSeverity.WARNING
        yield Note(severity, f"the config could not be tested: {preflight.test_error}")
    known = preflight.running is not None
    for text in _some(assessment.new):
        yield Note(NoteSeverity.WARNING, text if known else f"{text} (unknown whether what runs has it too)")
    if assessment.known:
        more = f" (and {len(assessment.known) - 1} more)" if len(assessment.known) > 1 else ""
        yield Note(NoteSeverity.NOTE, f"also a warning of the config that runs: {assessment.known[0]}{more}")
    gone = _gone(preflight)
    if gone and not assessment.fatal:
        yield Note(NoteSeverity.WARNING, f"not in the new config: {', '.join(gone)}: their VIPs leave this node")
    if preflight.changed is False:
        yield Note(NoteSeverity.NOTE, "nothing changed: the file already runs; keepalived reads it again")
    if preflight.changed is None and not assessment.fatal:
        yield Note(NoteSeverity.NOTE, f"no diff: {UNREADABLE}")
    if preflight.waited:
        yield Note(NoteSeverity.NOTE, f"the file was being written: waited {preflight.waited:.1f} s for it")


def outside_notes(preflight: Preflight) -> Iterator[Note]:
    """Yields what of keepalived's confinement did not hold for the config test."""
    if preflight.test is not None and preflight.test.outside:
        yield Note(NoteSeverity.NOTE, f"`keepalived -t` ran outside {preflight.test.outside}")


def _some(texts: tuple[str, ...]) -> Iterable[str]:
    yield from texts[:SHOWN]
    if len(texts) > SHOWN:
        yield f"and {len(texts) - SHOWN} more like these"


def _gone(preflight: Preflight) -> list[str]:
    new = settings_of(preflight.conf)
    routers = {i.router for i in new.values()}
    return [name for name, i in settings_of(preflight.running).items() if name not in new and i.router not in routers]


def changes(old: Conf | None, new: Conf | None) -> Iterator[PlannedChange]:
    if old is None or new is None:
        return
    for facts in (_instance_facts, _server_facts):
        before, after = facts(old), facts(new)
        for what in dict.fromkeys([*before, *after]):
            if before.get(what) != after.get(what):
                yield PlannedChange(what, before.get(what, "none"), after.get(what, "none"))


def _instance_facts(conf: Conf) -> dict[str, str]:
    facts: dict[str, str] = {}
    for instance in conf.instances:
        name = instance.name
        facts |= {
            name: "present",
            f"{name} priority": str(instance.priority),
            f"{name} interface": str(instance.interface),
            f"{name} VRID": str(instance.vrid),
            f"{name} VIPs": " ".join(v.address for v in instance.vips) or "none",
            f"{name} nopreempt": "yes" if instance.nopreempt else "no",
            f"{name} advert_int": f"{instance.advert_interval or 1:g}",
        }
    return facts


def _server_facts(conf: Conf) -> dict[str, str]:
    return {f"{real} in {virtual}": weight for (virtual, real), weight in configured_weights(conf).items()}


def _mismatch_notes(observation: Observation, preflight: Preflight, expected: Iterable[Consequence]) -> Iterator[Note]:
    """Yields what must be equal on all nodes, and how to change it: nodes with different values are both master.

    UNSAFE where a node with the old value is known, a warning where none is.
    """
    old, new = settings_of(preflight.running), settings_of(preflight.conf)
    split = {c.prediction.instance: c.split for c in expected}
    vips = compares_vips(preflight.keepalived.version)
    controller = observation.snapshot.controller
    owner = f"; {controller.name} writes the file on all nodes" if controller else ""
    for name, after in new.items():
        before = old.get(name)
        changed = list(must_be_equal(before, after, vips=vips)) if before else []
        if before is None or not changed or split.get(name) is False:
            continue
        yield Note(
            NoteSeverity.UNSAFE if split.get(name) else NoteSeverity.WARNING,
            f"{name}: {', '.join(changed)} must be equal on all nodes. Until all have the new value, two nodes are "
            "master, in any order of the reloads. Write the file on all nodes first, then reload all of them within "
            f"{3 * before.interval:g} s (one dead interval){owner}",
        )


def _drain_notes(observation: Observation, preflight: Preflight) -> Iterator[Note]:
    """Yields the drained servers whose configured weight changes: the reload undoes that drain."""
    if preflight.running is None or preflight.conf is None:
        return
    old, new = configured_weights(preflight.running), configured_weights(preflight.conf)
    for (virtual, real), weight in weights(observation).items():
        if weight == 0 and (virtual, real) in new and old.get((virtual, real)) != new[virtual, real]:
            text = f"{real} in {virtual} is drained: the reload sets its configured {new[virtual, real]}"
            yield Note(NoteSeverity.WARNING, text)
