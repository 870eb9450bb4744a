"""``kvtui reload``: tested, shown, signalled, and verified by what keepalived and the kernel then show."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from kvtui.actions.reload.comparison import ipvs_rows, undone_drains, vrrp_rows, weights
from kvtui.actions.core.plan import Change, Grade, Plan, Remark, Verb
from kvtui.actions.core.runner import Action, Verified
from kvtui.actions.core.daemon import Daemon
from kvtui.actions.steps.reload import HangUp, When
from kvtui.actions.checks.assess_reload import judge
from kvtui.actions.core.watch import until
from kvtui.backend.arguments import parse_arguments
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kvtui.actions.checks.preflight import Survey
    from kvtui.actions.checks.assess_reload import Verdict
    from kvtui.actions.core.watch import Watch
    from kvtui.model.conf import Conf, ConfInstance
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance

SHOWN = 6
"""Warnings of one kind that are shown in full."""
PATIENCE = 5.0
"""Seconds for the evidence of a reload."""
SETTLING = 0.5
"""Seconds: the checker child reloads beside the VRRP child; its IPVS changes come within this."""


def plan_reload(observation: Observation, survey: Survey, watch: Watch) -> Action:
    """The plan to reload keepalived with its config as it is on disk now.

    Args:
        observation: of the node before.
        survey: of its config, made just now (``survey.survey``).
        watch: gives new observations, for the verification.
    """
    keepalived = survey.keepalived
    verdict = judge(survey)
    same = survey.changed is False
    step = HangUp(Daemon.of(keepalived), When.DO, shown=survey.conf.digest if survey.conf else None, alone=True)
    what = "nothing in it differs from what runs" if same else "the config on disk takes effect"
    plan = Plan(
        verb=Verb.RELOAD,
        target=keepalived.conf,
        summary=f"reload keepalived {keepalived.pid} with {keepalived.conf}: {what}",
        changes=tuple(changes(survey.running, survey.conf)),
        steps=(step.describe(),),
        effects=EFFECTS,
        remarks=(*remarks(survey, verdict), *_drain_remarks(observation, survey)),
        diff=survey.diff(),
        by_hand=by_hand(keepalived),
    )
    return Action(plan, survey.site.steps((step,)), Verification(observation, survey, watch))


EFFECTS = (
    "keepalived reads its config again within about 0.1 s; VRRP states and VIPs are kept",
    "weights in the kernel stay, but a real server whose configured weight changes gets the new one",
)


def by_hand(keepalived: Keepalived) -> tuple[str, ...]:
    """The same with util-linux and a shell."""
    flags = ["-f", keepalived.conf]
    arguments = parse_arguments(keepalived.argv)
    flags += ["-i", arguments.config_id] if arguments.config_id else []
    program = keepalived.argv[0] if keepalived.argv else "keepalived"
    test = shlex.join([program, "-t", *flags])
    inside = f"nsenter -t {keepalived.pid} -m -p -n -r " if keepalived.root else ""
    return (inside + test, f"kill -HUP {keepalived.pid}")


def remarks(survey: Survey, verdict: Verdict) -> Iterator[Remark]:
    """What the config test and our own reading say, worst first."""
    yield from (Remark(Grade.IMPOSSIBLE, text) for text in _some(verdict.fatal))
    yield from (Remark(Grade.UNSAFE, text) for text in _some(verdict.unsafe))
    if survey.test_trouble:
        grade = Grade.UNSAFE if survey.changed is not False else Grade.WARNING
        yield Remark(grade, f"the config could not be tested: {survey.test_trouble}")
    known = survey.running is not None
    for text in _some(verdict.new):
        yield Remark(Grade.WARNING, text if known else f"{text} (whether what runs has it too cannot be told)")
    if verdict.known:
        more = f" (and {len(verdict.known) - 1} more)" if len(verdict.known) > 1 else ""
        yield Remark(Grade.NOTE, f"warned of by the config that runs, too: {verdict.known[0]}{more}")
    gone = _gone(survey)
    if gone and not verdict.fatal:
        yield Remark(Grade.WARNING, f"not in the new config: {', '.join(gone)}: their VIPs leave this node")
    if survey.changed is False:
        yield Remark(Grade.NOTE, "nothing changed: the file is what runs already, and is read once more")
    if survey.changed is None and not verdict.fatal:
        yield Remark(
            Grade.NOTE, "what runs cannot be read (keepalived before 2.2.0, or no permission): there is no diff to show"
        )
    if survey.waited:
        yield Remark(Grade.NOTE, f"the file was being written just now: waited {survey.waited:.1f} s for it")


def _some(texts: tuple[str, ...]) -> Iterable[str]:
    yield from texts[:SHOWN]
    if len(texts) > SHOWN:
        yield f"and {len(texts) - SHOWN} more like these"


def _gone(survey: Survey) -> list[str]:
    new = {i.name for i in survey.conf.instances} if survey.conf else set()
    return [i.name for i in (survey.running.instances if survey.running else ()) if i.name not in new]


def changes(old: Conf | None, new: Conf | None) -> Iterator[Change]:
    """What differs in instances, virtual servers and weights."""
    if old is None or new is None:
        return
    before, after = {i.name: i for i in old.instances}, {i.name: i for i in new.instances}
    for name in dict.fromkeys([*before, *after]):
        was, now = _facts(before.get(name)), _facts(after.get(name))
        for key in dict.fromkeys([*was, *now]):
            if was.get(key) != now.get(key):
                yield Change(f"{name} {key}".strip(), was.get(key, "none"), now.get(key, "none"))
    servers_before, servers_after = _servers(old), _servers(new)
    for server in dict.fromkeys([*servers_before, *servers_after]):
        was_weight, now_weight = servers_before.get(server), servers_after.get(server)
        if was_weight != now_weight:
            yield Change(f"{server[1]} in {server[0]}", was_weight or "none", now_weight or "none")


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


def _drain_remarks(observation: Observation, survey: Survey) -> Iterator[Remark]:
    """Drained servers whose configured weight changes: the reload takes that drain away."""
    if survey.running is None or survey.conf is None:
        return
    old, new = _servers(survey.running), _servers(survey.conf)
    for (virtual, real), weight in weights(observation).items():
        if weight == 0 and (virtual, real) in new and old.get((virtual, real)) != new[virtual, real]:
            yield Remark(
                Grade.WARNING, f"{real} in {virtual} is drained, and gets its configured {new[virtual, real]} back"
            )


class Verification:
    """Looks for evidence that keepalived took the config, and compares before with after.

    Args:
        observation: before.
        survey: before.
        watch: gives new observations.
    """

    def __init__(self, observation: Observation, survey: Survey, watch: Watch) -> None:
        self._before = observation
        self._survey = survey
        self._watch = watch
        self._mark = survey.site.mark(survey.keepalived)
        self._transitions = {i.name: i.last_transition for i in observation.snapshot.instances or ()}

    async def __call__(self, say: Callable[[str], None]) -> Verified:
        """The evidence; the runner's ``verify``."""
        dumps = self._survey.site.dumps(self._survey.keepalived)
        say("asking keepalived which instances it has now")
        wanted = {i.name for i in self._survey.conf.instances} if self._survey.conf else set()
        answer = await dumps.until(lambda found: [found] if self._complete(found, wanted) else None, PATIENCE)
        dumped = answer[0] if answer else await dumps.instances()
        if dumps.ended():
            return Verified(ok=False, detail=DIED.format(pid=self._survey.keepalived.pid))
        lost = self._lost_children()
        if lost:
            return Verified(ok=False, detail=f"keepalived's {lost} child ended at the reload: see its log")
        facts, after = await self._facts(dumped)
        present = {i.name for i in (after.vrrp_instances or () if dumped is None else dumped)}
        if wanted - present and (dumped is not None or after.vrrp_instances is not None):
            return Verified(None, f"reloaded, but not seen yet: {', '.join(sorted(wanted - present))}", facts)
        evidence = self._evidence(dumped)
        if evidence is None:
            return Verified(None, f"SIGHUP was sent, but nothing shows that it was heeded: {dumps.trouble}", facts)
        return Verified(ok=True, detail=self._told(evidence, len(wanted), facts), facts=facts)

    def _complete(self, found: tuple[VrrpInstance, ...], wanted: set[str]) -> bool:
        """What keepalived says is from after the reload: its parent is through with the file before the VRRP child."""
        conf = {i.name: i.priority for i in self._survey.conf.instances} if self._survey.conf else {}
        after = all(i.base_priority == conf.get(i.name) or self._counts_anew(i) for i in found)
        return after and {i.name for i in found} == wanted and self._evidence(found) is not None

    def _counts_anew(self, instance: VrrpInstance) -> bool:
        return instance.last_transition != self._transitions.get(instance.name)

    def _evidence(self, dumped: tuple[VrrpInstance, ...] | None) -> str | None:
        """Why it is believed that keepalived reloaded; None when nothing says so."""
        site, keepalived = self._survey.site, self._survey.keepalived
        now = site.mark(keepalived)
        if now is not None and now != self._mark:
            running = site.running(keepalived)
            if running is not None and self._survey.conf is not None and running.digest == self._survey.conf.digest:
                return "the config that runs is the file's"
        if any(self._counts_anew(instance) for instance in dumped or ()):
            return "keepalived counts from this reload"
        return None

    def _lost_children(self) -> str | None:
        children = self._survey.keepalived.children
        for name, pid in (("VRRP", children.vrrp), ("checker", children.checker)):
            wanted = self._survey.conf is not None and (
                self._survey.conf.instances if name == "VRRP" else self._survey.conf.virtual_servers
            )
            if pid is not None and wanted and not self._survey.site.runs(pid):
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

    def _told(self, evidence: str, instances: int, facts: dict[str, Any]) -> str:
        text = f"reloaded: {evidence}; same process, {instances} instance{'s' if instances != 1 else ''} as configured"
        if facts["undone_drains"]:
            text += f"; this undid the drain of {', '.join(facts['undone_drains'])}: drain again"
        moved = [r for r in facts["vrrp"] if r["state_before"] != r["state_after"]]
        for row in moved:
            text += f"; {row['instance']}: {row['state_before']} → {row['state_after']}"
        return text


DIED = (
    "keepalived {pid} ended at the reload; its VIPs may still be on the interface, where another node has them too: "
    "mend the config, start keepalived again, and look with `ip addr`"
)
