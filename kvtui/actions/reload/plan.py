"""``kvtui reload``: tests the config, sends SIGHUP, and verifies the result in keepalived and in the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kvtui.actions.checks.assess_reload import assess_reload
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.core.held_vips import HeldVips
from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.plan import ActionKind, Note, NoteSeverity, Plan, described
from kvtui.actions.core.plan import Change as PlanChange
from kvtui.actions.core.runner import Action, Verification
from kvtui.actions.core.trial import trial_notes
from kvtui.actions.core.watch import until
from kvtui.actions.reload.comparison import ipvs_rows, undone_drains, vrrp_rows, weights
from kvtui.actions.reload.mismatch import mismatch_notes
from kvtui.actions.steps.reload import ReloadStep, TestBefore, When
from kvtui.backend.linux.arguments import parse_arguments
from kvtui.model.check import SCRIPT
from kvtui.model.ipvs import endpoint
from kvtui.model.text import shell_command
from kvtui.rules.servers.consequence import server_consequences
from kvtui.rules.vrrp.consequences import Change, consequences
from kvtui.rules.vrrp.settings import settings_of
from kvtui.rules.vrrp.verdict import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kvtui.actions.checks.assess_reload import ReloadAssessment
    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.actions.core.step import Step
    from kvtui.actions.core.watch import Watch
    from kvtui.model.check import CheckResult
    from kvtui.model.conf import Conf, ConfInstance
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.model.prediction import Prediction
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.consequence import Consequence

SHOWN = 6
"""Warnings of one kind that are shown in full."""
TIMEOUT = 5.0
"""Seconds for the evidence of a reload."""
SETTLING = 0.5
"""Seconds: the checker child reloads beside the VRRP child; its IPVS changes come within this."""


def plan_reload(
    observation: Observation,
    preflight: Preflight,
    watch: Watch,
    backend: ActionBackend,
    tried: tuple[CheckResult, ...] = (),
) -> Action:
    """Returns the plan to reload keepalived with its config as it is on disk now; ``tried`` are its new checks."""
    keepalived = preflight.keepalived
    assessment = assess_reload(preflight)
    same = preflight.changed is False
    steps = _steps(preflight, backend)
    scripts = {("script", r.check.name): r for r in tried if r.check.kind == SCRIPT}
    results = {key: r.passed for key, r in scripts.items() if r.passed is not None}
    disabled = frozenset(key for key, r in scripts.items() if r.disabled)
    expected = consequences(observation, Change(preflight.running, preflight.conf, results, disabled=disabled))
    predictions = tuple(c.prediction for c in expected)
    what = "no difference from what runs" if same else "the config on disk takes effect"
    plan = Plan(
        kind=ActionKind.RELOAD,
        target=keepalived.conf,
        summary=f"reload keepalived {keepalived.pid} with {keepalived.conf}: {what}",
        changes=tuple(changes(preflight.running, preflight.conf)),
        steps=described(steps),
        effects=_effects(observation, preflight, predictions),
        notes=(
            *trial_notes(tried),
            *reload_notes(preflight, assessment),
            *outside_notes(preflight),
            *mismatch_notes(observation, preflight, expected),
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
    same = preflight.changed is False or (preflight.running is not None and preflight.conf is not None)
    rest = () if servers or not same else ("virtual servers: nothing changes; weights set in the kernel stay",)
    return (*sentences(predictions), *servers, *rest)


def _undo_note(steps: tuple[Step, ...], preflight: Preflight) -> Iterator[Note]:
    if len(steps) == 1 and preflight.changed is not False:
        why = preflight.obstacle or "the config that runs cannot be read (keepalived before 2.2.0, or no permission)"
        yield Note(NoteSeverity.NOTE, f"`kvtui undo` cannot take this reload back: {why}")


def reload_commands(keepalived: Keepalived) -> tuple[str, ...]:
    flags = ["-f", keepalived.conf]
    arguments = parse_arguments(keepalived.argv)
    flags += ["-i", arguments.config_id] if arguments.config_id else []
    program = keepalived.argv[0] if keepalived.argv else "keepalived"
    test = shell_command([program, "-t", *flags])
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
        yield Note(
            NoteSeverity.NOTE,
            "no diff: the config that runs cannot be read (keepalived before 2.2.0, or no permission)",
        )
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


def changes(old: Conf | None, new: Conf | None) -> Iterator[PlanChange]:
    if old is None or new is None:
        return
    before, after = {i.name: i for i in old.instances}, {i.name: i for i in new.instances}
    for name in dict.fromkeys([*before, *after]):
        was, now = _facts(before.get(name)), _facts(after.get(name))
        for key in dict.fromkeys([*was, *now]):
            if was.get(key) != now.get(key):
                yield PlanChange(f"{name} {key}".strip(), was.get(key, "none"), now.get(key, "none"))
    servers_before, servers_after = _servers(old), _servers(new)
    for server in dict.fromkeys([*servers_before, *servers_after]):
        was_weight, now_weight = servers_before.get(server), servers_after.get(server)
        if was_weight != now_weight:
            yield PlanChange(f"{server[1]} in {server[0]}", was_weight or "none", now_weight or "none")


def _facts(instance: ConfInstance | None) -> dict[str, str]:
    if instance is None:
        return {}
    return {
        "": "present",
        "priority": str(instance.priority),
        "interface": str(instance.interface),
        "VRID": str(instance.vrid),
        "VIPs": " ".join(v.address for v in instance.vips) or "none",
        "nopreempt": "yes" if instance.nopreempt else "no",
        "advert_int": f"{instance.advert_interval or 1:g}",
    }


def _servers(conf: Conf) -> dict[tuple[str, str], str]:
    return {
        (_virtual(virtual.address, virtual.port, virtual.fwmark), endpoint(real.address, real.port or 0)): (
            f"weight {real.weight if real.weight is not None else 1}"
        )
        for virtual in conf.virtual_servers
        for real in virtual.real_servers
    }


def _virtual(address: str | None, port: int | None, fwmark: int | None) -> str:
    return f"fwmark {fwmark}" if fwmark is not None else endpoint(address or "", port or 0)


def _drain_notes(observation: Observation, preflight: Preflight) -> Iterator[Note]:
    """Yields the drained servers whose configured weight changes: the reload undoes that drain."""
    if preflight.running is None or preflight.conf is None:
        return
    old, new = _servers(preflight.running), _servers(preflight.conf)
    for (virtual, real), weight in weights(observation).items():
        if weight == 0 and (virtual, real) in new and old.get((virtual, real)) != new[virtual, real]:
            yield Note(
                NoteSeverity.WARNING,
                f"{real} in {virtual} is drained: the reload sets its configured {new[virtual, real]}",
            )


class ReloadVerifier:
    """Looks for evidence that keepalived loaded the config, and compares before with after."""

    def __init__(
        self,
        observation: Observation,
        preflight: Preflight,
        watch: Watch,
        backend: ActionBackend,
        expected: Sequence[Consequence],
    ) -> None:
        self._expected = expected
        self._before = observation
        self._preflight = preflight
        self._watch = watch
        self._backend = backend
        self._generation = backend.conf_generation(preflight.keepalived)
        self._transitions = {i.name: i.last_transition for i in observation.snapshot.instances or ()}

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        dumps = self._backend.dumps(self._preflight.keepalived)
        say("asking keepalived for its instances")
        wanted = {i.name for i in self._preflight.conf.instances} if self._preflight.conf else set()
        answer = await dumps.until(lambda found: [found] if self._complete(found, wanted) else None, TIMEOUT)
        dumped = answer[0] if answer else await dumps.instances()
        if dumps.ended():
            return Verification(ok=False, detail=DIED.format(pid=self._preflight.keepalived.pid))
        lost = self._lost_children()
        if lost:
            return Verification(ok=False, detail=f"keepalived's {lost} child ended at the reload: see its log")
        facts, after = await self._facts(dumped)
        present = {i.name for i in (after.vrrp_instances or () if dumped is None else dumped)}
        if wanted - present and (dumped is not None or after.vrrp_instances is not None):
            return Verification(None, f"reloaded, but not seen yet: {', '.join(sorted(wanted - present))}", facts)
        evidence = self._evidence(dumped)
        if evidence is None:
            return Verification(
                None, f"SIGHUP was sent, but there is no evidence that keepalived reloaded: {dumps.error}", facts
            )
        verdict = await watch_outcome(self._before, self._expected, self._watch, say)
        detail = f"{self._summary(evidence, facts)}; {verdict.detail}{await self._servers(facts)}"
        return Verification(verdict.ok, detail, facts, verdict.as_predicted, verdict.observed)

    async def _servers(self, facts: dict[str, Any]) -> str:
        """Returns which real servers of the new config left the kernel meanwhile."""
        now = weights(await self._watch())
        facts["ipvs"] = ipvs_rows(weights(self._before), now)
        wanted = _servers(self._preflight.conf) if self._preflight.conf else {}
        lost = [f"{r} in {v}" for v, r in weights(self._before) if (v, r) in wanted and (v, r) not in now]
        return f"; not in the kernel any more: {', '.join(lost)}: see the health check" if lost else ""

    def _complete(self, found: tuple[VrrpInstance, ...], wanted: set[str]) -> bool:
        """Whether the dump is from after the reload: the parent reads the file before the VRRP child does."""
        conf = {i.name: i.priority for i in self._preflight.conf.instances} if self._preflight.conf else {}
        after = all(i.base_priority == conf.get(i.name) or self._counts_anew(i) for i in found)
        return after and {i.name for i in found} == wanted and self._evidence(found) is not None

    def _counts_anew(self, instance: VrrpInstance) -> bool:
        return instance.last_transition != self._transitions.get(instance.name)

    def _evidence(self, dumped: tuple[VrrpInstance, ...] | None) -> str | None:
        """Returns the evidence that keepalived reloaded; None when there is none."""
        backend, keepalived = self._backend, self._preflight.keepalived
        now = backend.conf_generation(keepalived)
        if now is not None and now != self._generation:
            running = backend.running_conf(keepalived)
            if (
                running is not None
                and self._preflight.conf is not None
                and running.digest == self._preflight.conf.digest
            ):
                return "the config that runs is the file"
        if any(self._counts_anew(instance) for instance in dumped or ()):
            return "keepalived reset its transition times"
        return None

    def _lost_children(self) -> str | None:
        children = self._preflight.keepalived.children
        for name, pid in (("VRRP", children.vrrp), ("checker", children.checker)):
            wanted = self._preflight.conf is not None and (
                self._preflight.conf.instances if name == "VRRP" else self._preflight.conf.virtual_servers
            )
            if pid is not None and wanted and not self._backend.is_running(pid):
                return name
        return None

    async def _facts(self, dumped: tuple[VrrpInstance, ...] | None) -> tuple[dict[str, Any], Observation]:
        before = weights(self._before)
        seen: list[Observation] = []

        def settled(observation: Observation) -> bool:
            seen.append(observation)
            return observation.snapshot.time - seen[0].snapshot.time > SETTLING

        await until(self._watch, settled, 2 * SETTLING)
        after = seen[-1]
        facts: dict[str, Any] = {
            "vrrp": vrrp_rows(self._before, after, dumped),
            "ipvs": ipvs_rows(before, weights(after)),
            "undone_drains": undone_drains(before, weights(after)),
        }
        return facts, after

    def _summary(self, evidence: str, facts: dict[str, Any]) -> str:
        text = f"reloaded: {evidence}"
        if facts["undone_drains"]:
            text += f"; this undid the drain of {', '.join(facts['undone_drains'])}: drain again"
        return text


DIED = (
    "keepalived {pid} ended at the reload; its VIPs may still be on the interface, where another node has them too: "
    "fix the config, start keepalived again, and check with `ip addr`"
)
